"""Strangers: things with our names, or with tags like ours, that belong to somebody else."""

from __future__ import annotations

import json
from typing import Any

import account
from conftest import CLUSTER, Rig

STRANGER = "f" * 32
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": ["ec2.amazonaws.com", "eks.amazonaws.com"]}, "Action": "sts:AssumeRole"}],
    }
)


def names_in_use(rig: Rig) -> dict[str, str]:
    """kind -> a `Name` tag that the program gives; learned from an account that it filled."""
    found = {}
    for name, item in account.inventory(rig.client).items():
        found.setdefault(name.partition("/")[0], account.tags_of(item).get("Name", CLUSTER))
    return found


def _specification(kind: str, tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def tag_sets(name: str, resource: str) -> list[dict[str, str]]:
    """The same name without our tags; our tags of another cluster; the cluster's tag without a deployment."""
    other = {account.DEPLOYMENT_TAG: STRANGER, account.RESOURCE_TAG: resource, account.GENERATION_TAG: "1"}
    return [
        {"Name": name, f"kubernetes.io/cluster/{CLUSTER}": "shared"},
        {"Name": name, account.CLUSTER_TAG: f"{CLUSTER}-2"} | other,
        {"Name": name, account.CLUSTER_TAG: CLUSTER[:-1]} | other,
    ]


def plant(rig: Rig, names: dict[str, str], eks: bool = True) -> account.Inventory:
    """Fills the account with look-alikes of every kind and returns what is in it now."""
    ec2, iam = rig.client("ec2"), rig.client("iam")
    for index in range(3):
        tags = {kind: tag_sets(names.get(kind, CLUSTER), f"{kind}:{CLUSTER}")[index] for kind in (*names, "volume", "security-group")}
        vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16", TagSpecifications=_specification("vpc", tags["vpc"]))["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(
            VpcId=vpc, CidrBlock="10.42.0.0/20", AvailabilityZone="us-east-1a", TagSpecifications=_specification("subnet", tags["subnet"])
        )["Subnet"]["SubnetId"]
        gateway = ec2.create_internet_gateway(TagSpecifications=_specification("internet-gateway", tags["internet-gateway"]))["InternetGateway"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
        address = ec2.allocate_address(Domain="vpc", TagSpecifications=_specification("elastic-ip", tags["address"]))["AllocationId"]
        ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, TagSpecifications=_specification("natgateway", tags["nat-gateway"]))
        ec2.create_route_table(VpcId=vpc, TagSpecifications=_specification("route-table", tags["route-table"]))
        ec2.create_security_group(
            GroupName=f"eks-cluster-sg-{CLUSTER}-{index}",
            Description="foreign",
            VpcId=vpc,
            TagSpecifications=_specification("security-group", tags["security-group"]),
        )
        ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=_specification("volume", {"Name": names["vpc"], "index": str(index)}))
        ec2.create_launch_template(
            LaunchTemplateName=f"{CLUSTER}-worker-{index}", LaunchTemplateData={"InstanceType": "m6i.large"},
            TagSpecifications=_specification("launch-template", tags["launch-template"]),
        )  # fmt: skip
        role_tags = [{"Key": key, "Value": value} for key, value in tags["role"].items()]
        role = iam.create_role(RoleName=f"{CLUSTER}-us-east-1-cluster-{index}", AssumeRolePolicyDocument=TRUST, Tags=role_tags)["Role"]["Arn"]
        if eks:
            plant_cluster(rig, f"{CLUSTER}-{index}", role, [subnet], tags["cluster"])
    return account.inventory(rig.client)


def plant_cluster(rig: Rig, name: str, role: str, subnets: list[str], tags: dict[str, str]) -> None:
    eks = rig.client("eks")
    eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": subnets}, tags=tags)
    while eks.describe_cluster(name=name)["cluster"]["status"] != "ACTIVE":
        pass
    eks.create_nodegroup(clusterName=name, nodegroupName="worker", subnets=subnets, nodeRole=role, tags=tags)
