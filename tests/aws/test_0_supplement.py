"""The supplement to ministack behaves as the EKS API reference says, and its answers fit the official model."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

import model_check
import servers
from conftest import Rig, client
from recording import Proxy
from test_0_rig import TRUST


@pytest.fixture
def rig(supplemented: Rig) -> Iterator[Rig]:
    yield supplemented
    check_answers(supplemented)


@pytest.fixture
def slow() -> Iterator[Rig]:
    """A server whose updates take far longer than a test needs for its next call."""
    with servers.SupplementedMinistack(update_secs="3") as server, Proxy(server.endpoint) as proxy:
        rig = Rig(server, proxy)
        rig.reset()
        yield rig
        check_answers(rig)


def check_answers(rig: Rig) -> None:
    for exchange in rig.proxy.exchanges():
        if exchange.operation.service == "eks" and exchange.succeeded():
            faults = model_check.check_answer(exchange.operation, json.loads(exchange.response))
            assert not faults, faults


def eks_of(rig: Rig) -> Any:
    return client(rig.proxy.endpoint, "eks")


def wait(read: Any, wanted: str) -> Any:
    end = time.monotonic() + 10
    while (found := read())["status"] != wanted:
        assert time.monotonic() < end, f"still {found['status']}, not {wanted}"
        time.sleep(0.005)
    return found


def make_cluster(rig: Rig, **more: Any) -> tuple[str, list[str]]:
    ec2, iam = rig.client("ec2"), rig.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.42.{n}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"] for n, z in enumerate("ab")]
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    eks = eks_of(rig)
    assert eks.create_cluster(name="demo", version="1.34", roleArn=role, resourcesVpcConfig={"subnetIds": subnets}, **more)["cluster"]["status"] == "CREATING"
    found = wait(lambda: eks.describe_cluster(name="demo")["cluster"], "ACTIVE")
    assert found["resourcesVpcConfig"]["vpcId"] == vpc
    return role, subnets


def make_pool(rig: Rig, name: str = "worker", wanted: str = "ACTIVE", **more: Any) -> str:
    role, subnets = make_cluster(rig)
    data = {"InstanceType": "m6i.4xlarge"}
    template = rig.client("ec2").create_launch_template(LaunchTemplateName=f"demo-{name}", LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
    eks = eks_of(rig)
    eks.create_nodegroup(
        clusterName="demo", nodegroupName=name, subnets=subnets, nodeRole=role, launchTemplate={"id": template, "version": "1"},
        scalingConfig={"minSize": 0, "maxSize": 20, "desiredSize": 0}, **more,
    )  # fmt: skip
    group = wait(lambda: eks.describe_nodegroup(clusterName="demo", nodegroupName=name)["nodegroup"], wanted)
    assert group["launchTemplate"] == {"id": template, "name": f"demo-{name}", "version": "1"}
    assert "instanceTypes" not in group
    return template


def finished(rig: Rig, update: dict[str, Any], nodegroup: str | None = None, addon: str | None = None) -> None:
    key = {"name": "demo", "updateId": update["id"]} | ({"nodegroupName": nodegroup} if nodegroup else {}) | ({"addonName": addon} if addon else {})
    assert update["status"] == "InProgress"
    wait(lambda: eks_of(rig).describe_update(**key)["update"], "Successful")


def test_pool_settings_change_in_place(rig: Rig) -> None:
    make_pool(rig, labels={"a": "1"}, taints=[{"key": "t", "value": "1", "effect": "NO_SCHEDULE"}])
    change = {
        "scalingConfig": {"minSize": 0, "maxSize": 30},
        "labels": {"addOrUpdateLabels": {"b": "2"}, "removeLabels": ["a"]},
        "taints": {"addOrUpdateTaints": [{"key": "t", "value": "2", "effect": "NO_SCHEDULE"}]},
    }
    finished(rig, eks_of(rig).update_nodegroup_config(clusterName="demo", nodegroupName="worker", **change)["update"], "worker")
    group = eks_of(rig).describe_nodegroup(clusterName="demo", nodegroupName="worker")["nodegroup"]
    assert group["scalingConfig"] == {"minSize": 0, "maxSize": 30, "desiredSize": 0}
    assert group["labels"] == {"b": "2"}
    assert group["taints"] == [{"key": "t", "value": "2", "effect": "NO_SCHEDULE"}]


def test_pools_roll_to_a_new_template_version(rig: Rig) -> None:
    template = make_pool(rig)
    rig.client("ec2").create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "m6i.8xlarge"})
    update = {"clusterName": "demo", "nodegroupName": "worker"}
    with pytest.raises(ClientError, match="InvalidParameterException"):
        eks_of(rig).update_nodegroup_version(**update, launchTemplate={"id": "lt-0123456789abcdef0", "version": "2"})
    with pytest.raises(ClientError, match="InvalidParameterException"):
        eks_of(rig).update_nodegroup_version(**update, launchTemplate={"id": template, "version": "9"})
    finished(rig, eks_of(rig).update_nodegroup_version(**update, launchTemplate={"id": template, "version": "2"})["update"], "worker")
    assert eks_of(rig).describe_nodegroup(**update)["nodegroup"]["launchTemplate"]["version"] == "2"


def test_one_update_at_a_time(slow: Rig) -> None:
    make_pool(slow)
    eks = eks_of(slow)
    eks.create_addon(clusterName="demo", addonName="coredns", addonVersion="v1.12.34-eksbuild.1")
    key, addon = {"clusterName": "demo", "nodegroupName": "worker"}, {"clusterName": "demo", "addonName": "coredns"}
    first = eks.update_nodegroup_config(**key, labels={"addOrUpdateLabels": {"a": "1"}})["update"]
    with pytest.raises(ClientError, match="ResourceInUseException"):
        eks.update_nodegroup_config(**key, labels={"addOrUpdateLabels": {"b": "1"}})
    cluster = eks.update_cluster_config(name="demo", deletionProtection=True)["update"]
    with pytest.raises(ClientError, match="ResourceInUseException"):
        eks.update_cluster_config(name="demo", upgradePolicy={"supportType": "STANDARD"})
    second = eks.update_addon(**addon, configurationValues="{}")["update"]
    with pytest.raises(ClientError, match="ResourceInUseException"):
        eks.update_addon(**addon, configurationValues='{"a": 1}')
    assert eks.describe_addon(**addon)["addon"]["status"] == "UPDATING"
    finished(slow, first, "worker")
    finished(slow, cluster)
    finished(slow, second, addon="coredns")


def test_pools_take_a_new_kubernetes_and_a_new_template_by_one_update(rig: Rig) -> None:
    template = make_pool(rig)
    eks = eks_of(rig)
    rig.client("ec2").create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "m6i.8xlarge"})
    finished(rig, eks.update_cluster_version(name="demo", version="1.35")["update"])
    key = {"clusterName": "demo", "nodegroupName": "worker"}
    finished(rig, eks.update_nodegroup_version(**key, version="1.35", launchTemplate={"id": template, "version": "2"})["update"], "worker")
    group = eks.describe_nodegroup(**key)["nodegroup"]
    assert (group["version"], group["launchTemplate"]["version"]) == ("1.35", "2")


def test_add_ons_change_by_updates_and_to_versions_that_fit(rig: Rig) -> None:
    make_cluster(rig)
    eks = eks_of(rig)
    key = {"clusterName": "demo", "addonName": "coredns"}
    eks.create_addon(**key, addonVersion="v1.12.34-eksbuild.1")
    with pytest.raises(ClientError, match="InvalidParameterException"):
        eks.update_addon(**key, addonVersion="v1.12.35-eksbuild.1")
    finished(rig, eks.update_cluster_version(name="demo", version="1.35")["update"])
    settings = '{"replicaCount": 3}'
    update = eks.update_addon(**key, addonVersion="v1.12.35-eksbuild.1", configurationValues=settings, resolveConflicts="PRESERVE")["update"]
    finished(rig, update, addon="coredns")
    assert eks.list_updates(name="demo", addonName="coredns")["updateIds"] == [update["id"]]
    addon = eks.describe_addon(**key)["addon"]
    assert (addon["addonVersion"], addon["configurationValues"], addon["status"]) == ("v1.12.35-eksbuild.1", settings, "ACTIVE")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        eks.update_addon(clusterName="demo", addonName="nothing")


def test_everything_of_eks_takes_tags_and_shows_them(rig: Rig) -> None:
    make_pool(rig)
    eks = eks_of(rig)
    role, principal = "arn:aws:iam::123456789012:role/r", "arn:aws:iam::123456789012:user/operator"
    eks.create_addon(clusterName="demo", addonName="coredns")
    eks.create_access_entry(clusterName="demo", principalArn=principal)
    pod = eks.create_pod_identity_association(clusterName="demo", namespace="n", serviceAccount="s", roleArn=role, tags={"old": "1"})["association"]
    reads = {
        "arn": lambda: eks.describe_cluster(name="demo")["cluster"],
        "nodegroupArn": lambda: eks.describe_nodegroup(clusterName="demo", nodegroupName="worker")["nodegroup"],
        "addonArn": lambda: eks.describe_addon(clusterName="demo", addonName="coredns")["addon"],
        "accessEntryArn": lambda: eks.describe_access_entry(clusterName="demo", principalArn=principal)["accessEntry"],
        "associationArn": lambda: eks.describe_pod_identity_association(clusterName="demo", associationId=pod["associationId"])["association"],
    }
    for key, read in reads.items():
        arn, before = read()[key], read().get("tags", {})
        eks.tag_resource(resourceArn=arn, tags={"team": "ml", "more": "2"})
        assert read()["tags"] == before | {"team": "ml", "more": "2"}, key
        eks.untag_resource(resourceArn=arn, tagKeys=["more", "never"])
        assert read()["tags"] == eks.list_tags_for_resource(resourceArn=arn)["tags"] == before | {"team": "ml"}, key
    assert reads["associationArn"]()["tags"] == {"old": "1", "team": "ml"}
    for call in (
        lambda arn: eks.tag_resource(resourceArn=arn, tags={"a": "1"}),
        lambda arn: eks.untag_resource(resourceArn=arn, tagKeys=["a"]),
        lambda arn: eks.list_tags_for_resource(resourceArn=arn),
    ):
        with pytest.raises(ClientError, match="NotFoundException"):
            call("arn:aws:eks:us-east-1:123456789012:podidentityassociation/demo/a-0123456789abcdef0")


def test_the_tags_of_an_autoscaling_group_go_with_its_node_group(rig: Rig) -> None:
    make_pool(rig)
    eks, autoscaling = eks_of(rig), rig.client("autoscaling")
    group = eks.describe_nodegroup(clusterName="demo", nodegroupName="worker")["nodegroup"]["resources"]["autoScalingGroups"][0]["name"]
    tag = {"ResourceId": group, "ResourceType": "auto-scaling-group", "Key": "k", "Value": "v", "PropagateAtLaunch": False}
    autoscaling.create_or_update_tags(Tags=[tag])
    assert len(autoscaling.describe_tags()["Tags"]) == 1
    eks.delete_nodegroup(clusterName="demo", nodegroupName="worker")
    assert autoscaling.describe_tags()["Tags"] == []


def test_versions_go_one_minor_at_a_time_and_pools_follow(rig: Rig) -> None:
    make_pool(rig)
    eks = eks_of(rig)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        eks.update_cluster_version(name="demo", version="1.36")
    with pytest.raises(ClientError, match="InvalidParameterException"):
        eks.update_nodegroup_version(clusterName="demo", nodegroupName="worker", version="1.35")
    finished(rig, eks.update_cluster_version(name="demo", version="1.35")["update"])
    with pytest.raises(ClientError, match="InvalidRequestException"):
        eks.update_cluster_version(name="demo", version="1.36")
    finished(rig, eks.update_nodegroup_version(clusterName="demo", nodegroupName="worker", version="1.35")["update"], "worker")
    finished(rig, eks.update_cluster_version(name="demo", version="1.36")["update"])
    assert eks.describe_cluster(name="demo")["cluster"]["version"] == "1.36"


def test_one_type_of_cluster_change_a_call(rig: Rig) -> None:
    make_cluster(rig, logging={"clusterLogging": [{"types": ["api"], "enabled": True}]})
    eks = eks_of(rig)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        eks.update_cluster_config(name="demo", deletionProtection=True, upgradePolicy={"supportType": "STANDARD"})
    finished(rig, eks.update_cluster_config(name="demo", logging={"clusterLogging": [{"types": ["audit"], "enabled": True}]})["update"])
    endpoint = {"endpointPublicAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]}
    finished(rig, eks.update_cluster_config(name="demo", resourcesVpcConfig=endpoint)["update"])
    with pytest.raises(ClientError, match="already at the desired configuration"):
        eks.update_cluster_config(name="demo", resourcesVpcConfig=endpoint)
    found = eks.describe_cluster(name="demo")["cluster"]
    assert found["logging"] == {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]}
    assert found["resourcesVpcConfig"]["publicAccessCidrs"] == ["203.0.113.0/24"]
    assert len(found["resourcesVpcConfig"]["subnetIds"]) == 2


def test_protected_or_used_clusters_are_not_deleted(rig: Rig) -> None:
    make_pool(rig)
    eks = eks_of(rig)
    with pytest.raises(ClientError, match="ResourceInUseException"):
        eks.delete_cluster(name="demo")
    finished(rig, eks.update_cluster_config(name="demo", deletionProtection=True)["update"])
    eks.delete_nodegroup(clusterName="demo", nodegroupName="worker")
    with pytest.raises(ClientError, match="InvalidRequestException"):
        eks.delete_cluster(name="demo")
    finished(rig, eks.update_cluster_config(name="demo", deletionProtection=False)["update"])
    eks.delete_cluster(name="demo")


def test_the_same_token_makes_one_thing(rig: Rig) -> None:
    role, subnets = make_cluster(rig)
    ec2, eks = rig.client("ec2"), eks_of(rig)
    arguments = {"clusterName": "demo", "nodegroupName": "w", "subnets": subnets, "nodeRole": role, "clientRequestToken": "one"}
    assert eks.create_nodegroup(**arguments)["nodegroup"]["nodegroupArn"] == eks.create_nodegroup(**arguments)["nodegroup"]["nodegroupArn"]
    with pytest.raises(ClientError, match="ResourceInUseException"):
        eks.create_nodegroup(**arguments | {"clientRequestToken": "two"})
    vpc = ec2.describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["VpcId"]
    tables = {ec2.create_route_table(VpcId=vpc, ClientToken="one")["RouteTable"]["RouteTableId"] for _ in range(2)}
    assert len(tables) == 1


def test_versions_offerings_and_quotas_answer(rig: Rig) -> None:
    eks = eks_of(rig)
    assert [version["clusterVersion"] for version in eks.describe_cluster_versions()["clusterVersions"] if version["defaultVersion"]] == ["1.35"]
    addons = eks.describe_addon_versions(kubernetesVersion="1.34")["addons"]
    assert {addon["addonName"]: len(addon["addonVersions"]) for addon in addons}["vpc-cni"] == 1
    assert eks.describe_addon_versions(addonName="nothing")["addons"] == []
    ec2 = client(rig.proxy.endpoint, "ec2")
    found = ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["m6i.4xlarge", "zz9.nothing"]}]
    )
    assert {offer["Location"] for offer in found["InstanceTypeOfferings"]} == {"us-east-1a", "us-east-1b", "us-east-1c"}
    assert ec2.describe_instance_types(InstanceTypes=["m6i.4xlarge"])["InstanceTypes"][0]["MemoryInfo"]["SizeInMiB"] == 65536
    assert [zone["ZoneId"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]] == ["use1-az1", "use1-az2", "use1-az4"]
    quota = client(rig.proxy.endpoint, "service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")
    assert quota["Quota"]["Value"] == 512.0
