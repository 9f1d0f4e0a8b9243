"""What is in an AWS account, read with boto3 and made comparable.

Two runs of the same plan give different ids, addresses and times. `inventory` replaces every id of ours by the logical
name in its `howso-infra/resource` tag and drops what differs by nature, so that "the account after a crash and a second
run" can be compared with "the account of a calm run" by `==`. Things that are not ours keep their ids, so that any
change to them shows.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

CLUSTER_TAG = "howso-infra/cluster"
DEPLOYMENT_TAG = "howso-infra/deployment"
RESOURCE_TAG = "howso-infra/resource"
GENERATION_TAG = "howso-infra/generation"
OUR_TAGS = (CLUSTER_TAG, DEPLOYMENT_TAG, RESOURCE_TAG, GENERATION_TAG)

Clients = Callable[[str], Any]
Inventory = dict[str, Any]

# What of an instance is the same in equal accounts; the servers make up the rest.
_OF_INSTANCES = ("InstanceType", "SubnetId", "SecurityGroups", "Tags", "MetadataOptions")
# What EKS calls the autoscaling group that it makes for a node group.
_OF_NODE_GROUP = re.compile(r"eks-.+-[0-9a-f]{8}")
# A part of an id that the service drew at random.
_DRAWN = re.compile(r"-[0-9a-f]{8,}")
_DEPLOYMENT = re.compile(r"\b[0-9a-f]{32}\b")
_DROPPED = {  # ids and times that differ between equal accounts
    "CreateTime", "CreateDate", "CreatedBy", "createdAt", "modifiedAt", "associatedAt", "RoleId", "RoleLastUsed", "PublicIp", "PrivateIp",
    "PrivateIpAddress", "AssociationId", "NetworkInterfaceId", "NetworkInterfaceOwnerId", "SubnetArn", "arn", "nodegroupArn", "addonArn",
    "accessEntryArn", "associationArn", "associationId", "identity", "certificateAuthority", "endpoint", "platformVersion", "CidrBlockAssociationSet",
    "AvailableIpAddressCount", "DhcpOptionsId", "ResponseMetadata", "clusterSecurityGroupId", "remoteAccessSecurityGroup", "clientRequestToken",
    "RouteTableAssociationId", "creationTime", "logGroupArn",
}  # fmt: skip


def tags_of(item: dict[str, Any]) -> dict[str, str]:
    """A thing's tags, whichever way its service spells them."""
    tags = item.get("Tags") or item.get("tags") or item.get("TagSet") or {}
    return tags if isinstance(tags, dict) else {tag["Key"]: tag.get("Value", "") for tag in tags}


def is_ours(item: dict[str, Any], cluster: str | None = None) -> bool:
    tags = tags_of(item)
    return RESOURCE_TAG in tags and (cluster is None or tags.get(CLUSTER_TAG) == cluster)


def inventory(clients: Clients) -> Inventory:
    """Everything in the account, keyed by kind and logical name (or real id), comparable between runs."""
    things = list(_ec2(clients("ec2"))) + list(_iam(clients("iam"))) + list(_eks(clients("eks")))
    things += list(_autoscaling(clients("autoscaling"), things)) + list(_logs(clients("logs")))
    logical: dict[str, str] = {}
    named: Inventory = {}
    counts: Counter[str] = Counter()
    for kind, real_id, item in things:
        name = f"{kind}/{tags_of(item)[RESOURCE_TAG] if is_ours(item) else real_id}"
        if is_ours(item):
            # A second thing of one name is the duplicate that the crash tests look for: it gets a name of its own.
            counts[name] += 1
            name = f"{name}#{counts[name]}" if counts[name] > 1 else name
            # Names that we chose are the same in every run, and may stand in the fields of strangers.
            if _DRAWN.search(real_id):
                logical[real_id] = name
        named[name] = item
    return {name: _normal(item, logical) for name, item in sorted(named.items())}


def _normal(value: Any, logical: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _normal_member(key, item, logical) for key, item in sorted(value.items()) if key not in _DROPPED}
    if isinstance(value, list):
        items = [_normal(item, logical) for item in value]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True, default=str))
    if isinstance(value, str):
        if value in logical:
            return logical[value]
        return _DEPLOYMENT.sub("<deployment>", value)
    return value


def _normal_member(key: str, value: Any, logical: dict[str, str]) -> Any:
    if key in ("Tags", "tags", "TagSet") and value is not None:
        tags = {name: _normal(text, logical) for name, text in sorted(tags_of({"Tags": value}).items())}
        return tags | ({GENERATION_TAG: "<generation>"} if GENERATION_TAG in tags else {})
    return _normal(value, logical)


# ---------------------------------------------------------------- readers, one a service; each yields (kind, id, item)

Things = Any


def pages(client: Any, operation: str, key: str, **arguments: Any) -> list[Any]:
    """All items of a list call; an operation that the server lacks has none."""
    try:
        if client.can_paginate(operation):
            return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page.get(key, [])]
        return getattr(client, operation)(**arguments).get(key, [])
    except ClientError as error:
        if error.response["ResponseMetadata"].get("HTTPStatusCode") in (404, 501):
            return []
        raise


def _ec2(ec2: Any) -> Things:
    for vpc in pages(ec2, "describe_vpcs", "Vpcs"):
        if vpc.get("IsDefault"):
            continue
        for attribute in ("enableDnsSupport", "enableDnsHostnames"):
            answer = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=attribute)
            vpc[attribute] = answer[attribute[0].upper() + attribute[1:]]["Value"]
        yield "vpc", vpc["VpcId"], vpc
    default = {vpc["VpcId"] for vpc in pages(ec2, "describe_vpcs", "Vpcs") if vpc.get("IsDefault")}
    for subnet in pages(ec2, "describe_subnets", "Subnets"):
        if subnet["VpcId"] not in default:
            yield "subnet", subnet["SubnetId"], subnet
    for gateway in pages(ec2, "describe_internet_gateways", "InternetGateways"):
        if not default & {attachment["VpcId"] for attachment in gateway["Attachments"]}:
            yield "internet-gateway", gateway["InternetGatewayId"], gateway
    for address in pages(ec2, "describe_addresses", "Addresses"):
        yield "address", address["AllocationId"], address
    for gateway in pages(ec2, "describe_nat_gateways", "NatGateways"):
        if gateway["State"] not in ("deleted", "deleting"):
            yield "nat-gateway", gateway["NatGatewayId"], gateway
    for table in pages(ec2, "describe_route_tables", "RouteTables"):
        if table["VpcId"] not in default and not any(association.get("Main") for association in table["Associations"]):
            yield "route-table", table["RouteTableId"], table
    for group in pages(ec2, "describe_security_groups", "SecurityGroups"):
        if group["GroupName"] != "default":
            yield "security-group", group["GroupId"], group
    for template in pages(ec2, "describe_launch_templates", "LaunchTemplates"):
        versions = pages(ec2, "describe_launch_template_versions", "LaunchTemplateVersions", LaunchTemplateId=template["LaunchTemplateId"])
        yield "launch-template", template["LaunchTemplateId"], template | {"Versions": versions}
    for reservation in pages(ec2, "describe_instances", "Reservations"):
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] not in ("shutting-down", "terminated"):
                yield "instance", instance["InstanceId"], {key: instance[key] for key in _OF_INSTANCES if key in instance}
    for volume in pages(ec2, "describe_volumes", "Volumes"):
        # One that is attached goes with its instance.
        if not volume["Attachments"]:
            yield "volume", volume["VolumeId"], volume
    for interface in pages(ec2, "describe_network_interfaces", "NetworkInterfaces"):
        if interface.get("Attachment", {}).get("InstanceId"):
            continue
        # moto makes interfaces for NAT gateways, untagged and never removed: the server's own, not the account's.
        if interface.get("Description") or interface.get("TagSet"):
            yield "network-interface", interface["NetworkInterfaceId"], interface


def _iam(iam: Any) -> Things:
    for role in pages(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        if role["Path"].startswith("/aws-service-role/"):
            continue
        role = iam.get_role(RoleName=name)["Role"]
        role["Tags"] = pages(iam, "list_role_tags", "Tags", RoleName=name)
        role["Attached"] = pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
        role["Inline"] = {
            policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in pages(iam, "list_role_policies", "PolicyNames", RoleName=name)
        }
        yield "role", name, role
    for profile in pages(iam, "list_instance_profiles", "InstanceProfiles"):
        profile = iam.get_instance_profile(InstanceProfileName=profile["InstanceProfileName"])["InstanceProfile"]
        roles = [role["RoleName"] for role in profile["Roles"]]
        yield "instance-profile", profile["InstanceProfileName"], {"Path": profile["Path"], "Roles": roles, "Tags": profile.get("Tags", [])}


def _eks(eks: Any) -> Things:
    for name in pages(eks, "list_clusters", "clusters"):
        yield "cluster", name, eks.describe_cluster(name=name)["cluster"]
        for group in pages(eks, "list_nodegroups", "nodegroups", clusterName=name):
            item = eks.describe_nodegroup(clusterName=name, nodegroupName=group)["nodegroup"]
            yield "nodegroup", f"{name}/{group}", item | {"resources": {}, "AutoScalingGroups": _group_names(item)}
        for addon in pages(eks, "list_addons", "addons", clusterName=name):
            yield "addon", f"{name}/{addon}", eks.describe_addon(clusterName=name, addonName=addon)["addon"]
        for principal in pages(eks, "list_access_entries", "accessEntries", clusterName=name):
            entry = eks.describe_access_entry(clusterName=name, principalArn=principal)["accessEntry"]
            key = {"clusterName": name, "principalArn": principal}
            entry["Policies"] = pages(eks, "list_associated_access_policies", "associatedAccessPolicies", **key)
            yield "access-entry", f"{name}/{principal}", entry
        for short in pages(eks, "list_pod_identity_associations", "associations", clusterName=name):
            key = {"clusterName": name, "associationId": short["associationId"]}
            association = eks.describe_pod_identity_association(**key)["association"]
            yield "pod-identity", f"{name}/{association['namespace']}/{association['serviceAccount']}", association


def _group_names(nodegroup: dict[str, Any]) -> list[str]:
    return [group["name"] for group in nodegroup.get("resources", {}).get("autoScalingGroups", [])]


def _autoscaling(autoscaling: Any, things: list[Any]) -> Things:
    owner = {}
    for kind, real_id, item in things:
        if kind == "nodegroup":
            # The group's name is random; from here on it is known by its node group.
            owner |= {group: real_id for group in item["AutoScalingGroups"]}
            item["AutoScalingGroups"] = len(item["AutoScalingGroups"])
    tags: dict[str, dict[str, str]] = {}
    for tag in pages(autoscaling, "describe_tags", "Tags"):
        tags.setdefault(tag["ResourceId"], {})[tag["Key"]] = tag["Value"]
    for group, found in tags.items():
        # On AWS the tags go with the group, and the group with its node group; ministack keeps them.
        if group in owner or not _OF_NODE_GROUP.match(group):
            yield "autoscaling-group", owner.get(group, group), {"NodeTags": found}


def _logs(logs: Any) -> Things:
    for group in pages(logs, "describe_log_groups", "logGroups"):
        yield "log-group", group["logGroupName"], group


# ---------------------------------------------------------------- questions the tests ask


def ours(found: Inventory, cluster: str | None = None) -> Inventory:
    """The part of an inventory that carries our tags, with the node groups' autoscaling tags."""
    owned = {name: item for name, item in found.items() if is_ours(item, cluster)}
    clusters = {item["name"] for name, item in owned.items() if name.startswith("cluster/")}
    return owned | {name: item for name, item in found.items() if name.startswith("autoscaling-group/") and name.split("/")[1] in clusters}


def foreign(found: Inventory, cluster: str | None = None) -> Inventory:
    owned = ours(found, cluster)
    return {name: item for name, item in found.items() if name not in owned}


def differences(expected: Inventory, actual: Inventory) -> list[str]:
    """Readable differences, empty when equal; what an assertion shows instead of two pages of JSON."""
    found = [f"missing: {name}" for name in expected if name not in actual]
    found += [f"not expected: {name}" for name in actual if name not in expected]
    for name in expected:
        if name in actual and expected[name] != actual[name]:
            found += [f"{name}: {line}" for line in _changed(expected[name], actual[name], "")]
    return found


def _changed(expected: Any, actual: Any, path: str) -> list[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        lines = []
        for key in sorted(expected.keys() | actual.keys()):
            if expected.get(key) != actual.get(key):
                lines += _changed(expected.get(key), actual.get(key), f"{path}.{key}")
        return lines
    return [f"{path.lstrip('.')} is {actual!r}, expected {expected!r}"]
