"""Line 4: `down` leaves nothing of ours and touches nothing else; leftovers that block are named."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

import account
import lookalikes
from conftest import CLUSTER, Cli, Rig


def test_down_empties_the_account(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    cli.down().expect(0)
    assert account.inventory(ministack.client) == {}
    assert ministack.client("logs").describe_log_groups()["logGroups"] == []


def test_down_of_nothing_is_done(cli: Cli, ministack: Rig) -> None:
    cli.down().expect(0)
    assert ministack.proxy.mutations() == []


def test_down_twice_changes_nothing_the_second_time(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    cli.down().expect(0)
    ministack.proxy.reset()
    cli.down().expect(0)
    assert ministack.proxy.mutations() == []


def test_down_wants_the_clusters_name(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    ministack.proxy.reset()
    assert cli.run("down", "--name", CLUSTER, "--provider", "eks", "--region", "us-east-1", "--yes", "other").code == 2
    assert ministack.proxy.mutations() == []


def test_down_works_without_local_state(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    shutil.rmtree(cli.state)
    cli.down().expect(0)
    assert account.inventory(ministack.client) == {}


def test_strangers_are_untouched_by_up_and_down(cli_for: Any, ministack: Rig) -> None:
    learner = cli_for(ministack, "learner")
    learner.up().expect(0)
    names = lookalikes.names_in_use(ministack)
    ministack.reset()
    cli = cli_for(ministack)
    planted = lookalikes.plant(ministack, names)
    assert len(planted) > 30
    cli.up().expect(0)
    cli.up().expect(0)
    now = account.inventory(ministack.client)
    assert account.differences(planted, {name: now[name] for name in now if name in planted}) == []
    cli.down().expect(0)
    left = account.inventory(ministack.client)
    assert account.differences(planted, left) == []


@pytest.mark.parametrize("kind", ["role", "cluster", "launch-template"])
def test_a_stranger_on_our_name_is_refused_and_not_adopted(cli: Cli, ministack: Rig, kind: str) -> None:
    ec2, iam = ministack.client("ec2"), ministack.client("iam")
    if kind == "role":
        iam.create_role(RoleName=f"{CLUSTER}-us-east-1-cluster", AssumeRolePolicyDocument=lookalikes.TRUST)
    elif kind == "launch-template":
        cli.up().expect(0)
        (name, *_) = sorted(template["LaunchTemplateName"] for template in ec2.describe_launch_templates()["LaunchTemplates"])
        ministack.reset()
        cli.forget()
        cli.credentials = dict(ministack.credentials)
        ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"InstanceType": "m6i.large"})
    else:
        role = iam.create_role(RoleName="foreign", AssumeRolePolicyDocument=lookalikes.TRUST)["Role"]["Arn"]
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        lookalikes.plant_cluster(ministack, CLUSTER, role, [subnet], {})
    before = account.inventory(ministack.client)
    ministack.proxy.reset()
    result = cli.up().expect(7)
    assert ministack.proxy.mutations() == [], "something was made before the stranger was seen"
    assert account.differences(before, account.inventory(ministack.client)) == []
    assert "hint" in result.stderr


def our_subnet(rig: Rig) -> tuple[str, str]:
    (subnet, *_) = [item for item in rig.client("ec2").describe_subnets()["Subnets"] if account.is_ours(item, CLUSTER)]
    return subnet["VpcId"], subnet["SubnetId"]


def plant_interface(rig: Rig) -> str:
    _, subnet = our_subnet(rig)
    interface = rig.client("ec2").create_network_interface(SubnetId=subnet, Description="left by a load balancer")["NetworkInterface"]["NetworkInterfaceId"]
    # ministack ignores the tags in the create call.
    rig.client("ec2").create_tags(Resources=[interface], Tags=[{"Key": f"kubernetes.io/cluster/{CLUSTER}", "Value": "owned"}])
    return interface


def plant_volume(rig: Rig) -> str:
    tags = [{"Key": f"kubernetes.io/cluster/{CLUSTER}", "Value": "owned"}, {"Key": "CSIVolumeName", "Value": "pvc-1"}]
    specification = [{"ResourceType": "volume", "Tags": tags}]
    return rig.client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=10, TagSpecifications=specification)["VolumeId"]


def plant_group(rig: Rig) -> str:
    vpc, _ = our_subnet(rig)
    group = rig.client("ec2").create_security_group(GroupName="k8s-elb-a1", Description="left by a load balancer", VpcId=vpc)["GroupId"]
    rig.client("ec2").create_tags(Resources=[group], Tags=[{"Key": f"kubernetes.io/cluster/{CLUSTER}", "Value": "owned"}])
    return group


@pytest.mark.parametrize("leftover", [plant_interface, plant_volume, plant_group], ids=["interface", "volume", "security-group"])
def test_what_stays_behind_is_named_with_its_id(cli: Cli, ministack: Rig, leftover: Any) -> None:
    cli.up().expect(0)
    identifier = leftover(ministack)
    result = cli.down(env={"HOWSO_INFRA_ENGINE__STEP_DEADLINE_MAX": "2s"}).expect(9)
    assert identifier in result.stdout + result.stderr
    assert identifier in str(account.inventory(ministack.client)), "a leftover is reported, not deleted"
