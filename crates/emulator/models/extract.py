"""Cuts the parts of botocore's service models that the emulator answers, without their texts.

    python extract.py           # writes SERVICE.json beside this file
    python extract.py --check   # exits with 1 when a file differs from what botocore's models say

The models are the official description of the APIs (Apache-2.0, https://github.com/boto/botocore). What an operation
takes and gives, which values a member may have, and how both look on the wire is read from here by the emulator, never
written down a second time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

OPERATIONS: dict[str, list[str]] = {
    "autoscaling": ["CreateOrUpdateTags", "DeleteTags", "DescribeAutoScalingGroups", "DescribeTags"],
    "ec2": [
        "AllocateAddress",
        "AssociateRouteTable",
        "AttachInternetGateway",
        "CreateInternetGateway",
        "CreateLaunchTemplate",
        "CreateLaunchTemplateVersion",
        "CreateNatGateway",
        "CreateRoute",
        "CreateRouteTable",
        "CreateSubnet",
        "CreateTags",
        "CreateVpc",
        "DeleteInternetGateway",
        "DeleteLaunchTemplate",
        "DeleteNatGateway",
        "DeleteRoute",
        "DeleteRouteTable",
        "DeleteSubnet",
        "DeleteTags",
        "DeleteVpc",
        "DescribeAddresses",
        "DescribeAvailabilityZones",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypes",
        "DescribeInstances",
        "DescribeInternetGateways",
        "DescribeLaunchTemplateVersions",
        "DescribeLaunchTemplates",
        "DescribeNatGateways",
        "DescribeNetworkInterfaces",
        "DescribeRouteTables",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVolumes",
        "DescribeVpcAttribute",
        "DescribeVpcs",
        "DetachInternetGateway",
        "DisassociateRouteTable",
        "ModifySubnetAttribute",
        "ModifyVpcAttribute",
        "ReleaseAddress",
        "ReplaceRoute",
        "ReplaceRouteTableAssociation",
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
        "AttachRolePolicy",
        "CreateRole",
        "DeleteRole",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "GetRole",
        "GetRolePolicy",
        "ListAttachedRolePolicies",
        "ListRolePolicies",
        "PutRolePolicy",
        "TagRole",
        "UntagRole",
        "UpdateAssumeRolePolicy",
    ],
    "service-quotas": ["GetServiceQuota"],
    "sts": ["GetCallerIdentity"],
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


def main() -> int:
    differing = []
    for service in OPERATIONS:
        file = Path(__file__).with_name(f"{service}.json")
        text = excerpt(service)
        if "--check" not in sys.argv:
            file.write_text(text)
        elif file.read_text() != text:
            differing.append(file.name)
    if differing:
        print(f"differ from botocore's models: {', '.join(differing)}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
