"""The machine for clients: made, changed, killed in between and removed, on servers that others wrote."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import account
import servers
from conftest import CLUSTER, SPEC, Cli, Rig, down_arguments, up_arguments
from test_5_life_moto import WITHOUT
from test_6_killed import MOMENTS, again, fresh, idle, kill_at

CLIENT = ("--set", "client.parallel=8")
PROFILE = "small"
UP = (*up_arguments(PROFILE), *CLIENT)
# What belongs to the machine, by the operation that makes it.
MADE = {"iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile", "ec2:CreateSecurityGroup", "ec2:RunInstances"}
REMOVED = {"iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "ec2:DeleteSecurityGroup", "ec2:TerminateInstances"}


def machine(rig: Rig) -> dict[str, Any]:
    """The only instance that is there."""
    reservations = rig.client("ec2").describe_instances()["Reservations"]
    there = [instance for reservation in reservations for instance in reservation["Instances"]]
    (instance,) = [instance for instance in there if instance["State"]["Name"] not in ("shutting-down", "terminated")]
    return instance


def request(rig: Rig) -> dict[str, Any]:
    """How it was asked for."""
    (exchange,) = [exchange for exchange in rig.proxy.mutations() if exchange.key == "ec2:RunInstances"]
    return exchange.parameters


@pytest.fixture(params=["ministack", "moto"])
def rig(request: pytest.FixtureRequest) -> Rig:
    return request.getfixturevalue(request.param)


@pytest.fixture
def either(cli_for: Any, rig: Rig) -> Cli:
    """The program on each of the two servers."""
    return cli_for(rig, **WITHOUT if isinstance(rig.server, servers.Moto) else {})


def test_it_is_made_private_and_encrypted_and_lets_nothing_in(either: Cli, rig: Rig) -> None:
    either.run(*UP).expect(0)
    asked, instance = request(rig), machine(rig)
    ec2, iam = rig.client("ec2"), rig.client("iam")

    assert instance["InstanceType"] == "c6a.4xlarge", "the cheapest with 8 and 2 CPUs"
    (subnet,) = ec2.describe_subnets(SubnetIds=[instance["SubnetId"]])["Subnets"]
    assert account.tags_of(subnet)["Name"] == f"{CLUSTER}-private-a"
    (group,) = ec2.describe_security_groups(GroupIds=[instance["SecurityGroups"][0]["GroupId"]])["SecurityGroups"]
    assert (group["GroupName"], group["IpPermissions"], group["VpcId"]) == (f"{CLUSTER}-client", [], subnet["VpcId"])
    profile = iam.get_instance_profile(InstanceProfileName=instance["IamInstanceProfile"]["Arn"].rsplit("/", 1)[1])["InstanceProfile"]
    (role,) = profile["Roles"]
    (policy,) = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert policy["PolicyName"] == "AmazonSSMManagedInstanceCore"

    assert asked["ImageId"].startswith("resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-")
    assert asked["BlockDeviceMappings"] == [{"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": True, "VolumeSize": 100, "VolumeType": "gp3", "Encrypted": True}}]
    assert asked["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}
    assert asked["InstanceInitiatedShutdownBehavior"] == "stop" and "KeyName" not in asked and "NetworkInterfaces" not in asked
    specified = {specification["ResourceType"]: account.tags_of(specification) for specification in asked["TagSpecifications"]}
    assert specified.keys() == {"instance", "volume", "network-interface"}
    for tags in specified.values():
        assert tags[account.CLUSTER_TAG] == CLUSTER and tags[account.RESOURCE_TAG] == "ec2/instance:client"

    rig.proxy.reset()
    either.run(*UP).expect(0)
    assert rig.proxy.mutations() == []


def test_its_first_start_is_a_sound_script_without_secrets(either: Cli, rig: Rig, tmp_path: Path) -> None:
    either.run(*UP).expect(0)
    script = tmp_path / "user-data.sh"
    script.write_bytes(base64.b64decode(request(rig)["UserData"]))
    text = script.read_text()
    assert text.startswith("#!/bin/bash\n") and len(text) < 16 * 1024
    subprocess.run(["bash", "-n", script], check=True)
    # Twice the p99 of the wait for a node on EKS, in whole hundreds.
    assert 'HOWSO_CLIENT_CREATE_MAX_WAIT_TIME:-400}"' in text and "@" not in re.sub(r'"\$@"', "", text)
    for word in ("token=", "password", "AKIA", "https://"):
        assert word not in text


def test_what_is_not_as_wanted_is_told_and_mended(either: Cli, rig: Rig) -> None:
    either.run(*UP).expect(0)
    instance, ec2 = machine(rig), rig.client("ec2")
    group = instance["SecurityGroups"][0]["GroupId"]
    for rule in ({"FromPort": 22, "ToPort": 22, "IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    drift = either.run("drift", "--profile", PROFILE, *SPEC, *CLIENT, "--until", "cloud").expect(3)
    assert "tcp 22-22 from 0.0.0.0/0" in drift.stdout and f"-1 any from {group}" in drift.stdout
    either.run(*UP).expect(0)
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"] == []
    # Whoever works on it may stop it.
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    either.run("drift", "--profile", PROFILE, *SPEC, *CLIENT, "--until", "cloud").expect(0)
    told = either.run("client", "--machine", "--profile", PROFILE, *SPEC, *CLIENT).expect(0).stdout
    assert f"{instance['InstanceId']}: c6a.4xlarge, stopped (for 8 trainees at a time: 10 CPUs and 20Gi)" in told
    assert f"start it: aws ec2 start-instances --region us-east-1 --instance-ids {instance['InstanceId']}" in told
    assert "open a shell: aws ssm start-session" in told


def test_it_gets_another_type_only_while_it_is_stopped(cli_for: Any, moto: Rig) -> None:
    """On moto alone: ministack does not know `ModifyInstanceAttribute`."""
    cli, rig = cli_for(moto, **WITHOUT), moto
    cli.run(*UP).expect(0)
    instance, ec2 = machine(rig), rig.client("ec2")
    larger = (*up_arguments(PROFILE), "--set", "client.parallel=16")
    rig.proxy.reset()
    refused = cli.run(*larger).expect(1)
    assert "can get another type only while it is stopped" in refused.stderr and "aws ec2 stop-instances" in refused.stderr
    assert rig.proxy.mutations() == []
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    cli.run(*larger).expect(0)
    changed = machine(rig)
    assert (changed["InstanceId"], changed["InstanceType"], changed["State"]["Name"]) == (instance["InstanceId"], "c6a.8xlarge", "stopped")


def test_a_machine_that_somebody_terminated_is_made_again(cli: Cli, ministack: Rig) -> None:
    cli.run(*UP).expect(0)
    calm, before = account.inventory(ministack.client), machine(ministack)["InstanceId"]
    ministack.client("ec2").terminate_instances(InstanceIds=[before])
    cli.run(*UP).expect(0)
    assert machine(ministack)["InstanceId"] != before
    assert account.differences(calm, account.inventory(ministack.client)) == []


def test_without_it_in_the_specification_it_goes_and_nothing_else(either: Cli, rig: Rig) -> None:
    either.up(profile=PROFILE).expect(0)
    without = account.inventory(rig.client)
    either.run(*UP).expect(0)
    assert account.differences(without, account.inventory(rig.client)) != []
    either.up(profile=PROFILE).expect(0)
    assert account.differences(without, account.inventory(rig.client)) == []


def test_it_goes_with_its_cluster(either: Cli, rig: Rig) -> None:
    either.run(*UP).expect(0)
    either.down(profile=PROFILE).expect(0)
    assert account.inventory(rig.client) == {}


def test_a_profile_of_somebody_else_on_its_name_is_left_alone(cli: Cli, ministack: Rig) -> None:
    iam = ministack.client("iam")
    iam.create_instance_profile(InstanceProfileName=f"{CLUSTER}-us-east-1-client", Tags=[{"Key": "owner", "Value": "somebody"}])
    before = account.inventory(ministack.client)
    refused = cli.run(*UP).expect(7)
    assert "iam/instance-profile:client" in refused.stderr
    assert account.inventory(ministack.client) == before


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_each_of_its_calls(cli: Cli, ministack: Rig, moment: str) -> None:
    """SIGKILL before the request leaves, before the answer and after it, of `up` and of `down`; then the same command again."""
    cli.run(*UP).expect(0)
    calm, ended = account.inventory(ministack.client), []
    for key in sorted(MADE | REMOVED):
        fresh(cli, ministack)
        arguments, wanted = UP, calm
        if key in REMOVED:
            cli.run(*UP).expect(0)
            arguments, wanted = down_arguments(PROFILE), {}
        outcome = kill_at(cli, ministack, Point(key), moment, arguments)
        problems = again(cli, ministack, arguments, wanted) + idle(cli, ministack, arguments)
        assert problems == [], (key, outcome, problems)
        ended += [key] if outcome != "killed" else []
    assert len(ended) <= 1, ended


class Point:
    """The first call of an operation."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"{self.key}#1"

    def match(self) -> dict[str, Any]:
        return {"operation": self.key, "nth": 1}


@pytest.mark.parametrize("key", sorted(MADE))
def test_a_lost_answer_makes_nothing_twice(cli: Cli, ministack: Rig, key: str) -> None:
    cli.run(*UP).expect(0)
    calm = account.inventory(ministack.client)
    fresh(cli, ministack)
    ministack.proxy.arm({"match": {"operation": key, "nth": 1}, "kind": "reset-after-commit"})
    cli.run(*UP).expect(0)
    ministack.proxy.arm()
    assert account.differences(calm, account.inventory(ministack.client)) == []


def test_a_machine_that_nobody_wants_has_nothing_to_tell(cli: Cli, ministack: Rig) -> None:
    cli.up(profile=PROFILE).expect(0)
    refused = cli.run("client", "--machine", "--profile", PROFILE, *SPEC).expect(2)
    assert "wants no machine for clients" in refused.stderr and "[client]" in refused.stderr
    absent = cli.run("client", "--machine", "--profile", PROFILE, *SPEC, *CLIENT, "--output", "json").expect(0)
    told = json.loads(absent.stdout.splitlines()[-1])
    assert told["found"] is None and told["wanted"]["parallel"] == 8
