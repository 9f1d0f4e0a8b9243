"""The program itself on the emulator: a whole life of a large cluster, and what an account says that has no place for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import REGION, Client
from program import Program

CLUSTER = ["--profile", "large", "--provider", "eks", "--region", REGION, "--name", "demo"]


@pytest.fixture
def program(endpoint: str, tmp_path: Path) -> Program:
    return Program(endpoint, tmp_path)


def test_a_large_cluster_comes_changes_and_goes(program: Program, emulated: Client) -> None:
    up = ["up", *CLUSTER, "--yes"]
    made = program.run(*up)
    assert made.returncode == 0, made.stderr
    groups = emulated("eks").list_nodegroups(clusterName="demo")["nodegroups"]
    assert groups == ["core-a", "core-b", "core-c", "worker"]
    worker = emulated("eks").describe_nodegroup(clusterName="demo", nodegroupName="worker")["nodegroup"]
    assert worker["scalingConfig"] == {"minSize": 0, "maxSize": 20, "desiredSize": 0}
    assert worker["taints"] == [{"key": "howso.com/nodetype", "value": "worker", "effect": "NO_SCHEDULE"}]
    tags = emulated("autoscaling").describe_tags()["Tags"]
    assert any(tag["Key"].startswith("k8s.io/cluster-autoscaler/node-template/taint/") for tag in tags), tags

    again = program.run(*up)
    assert again.returncode == 0 and "nothing was changed" in again.stderr, again.stderr
    fewer = program.run(*up, "--set", "workers.default.max=10", "--set", "deletion_protection=false")
    assert fewer.returncode == 0 and "3 of 3 steps" in fewer.stderr, fewer.stderr

    proved = program.run("verify", *CLUSTER, "--scale", "--set", "workers.default.max=10")
    assert proved.returncode == 0 and "from no worker node" in proved.stdout, proved.stdout + proved.stderr
    worker = emulated("eks").describe_nodegroup(clusterName="demo", nodegroupName="worker")["nodegroup"]
    assert worker["scalingConfig"]["desiredSize"] == 1
    told = json.loads(program.run("client", *CLUSTER, "--measured", "--output", "json").stdout)
    assert f"after {told['measured_secs']} s, from no worker node" in proved.stdout, (told, proved.stdout)
    assert told["create_max_wait_secs"] >= 400

    gone = program.run("down", *CLUSTER, "--yes", "demo")
    assert gone.returncode == 0 and "nothing is left" in gone.stderr, gone.stderr
    ec2 = emulated("ec2")
    assert ec2.describe_vpcs()["Vpcs"] == ec2.describe_addresses()["Addresses"] == ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_a_journal_lies_in_a_bucket(program: Program, emulated: Client) -> None:
    up = ["up", "--profile", "small", *CLUSTER[2:], "--until", "cloud", "--yes", "--set", "journal=s3://journals-of-the-team/howso"]
    without = program.run(*up)
    assert without.returncode != 0 and "NoSuchBucket" in without.stderr, without.stderr
    assert emulated("ec2").describe_vpcs()["Vpcs"] == []
    s3 = emulated("s3")
    s3.create_bucket(Bucket="journals-of-the-team")
    made = program.run(*up)
    assert made.returncode == 0, made.stderr
    journal = s3.get_object(Bucket="journals-of-the-team", Key="howso/eks-us-east-1-demo.journal")["Body"].read().decode()
    assert journal.count("\n") > 20 and json.loads(journal.splitlines()[0])["holder"] is None
    again = program.run(*up)
    assert again.returncode == 0 and "nothing was changed" in again.stderr, again.stderr
    gone = program.run("down", *CLUSTER[2:], "--yes", "demo", *up[-2:])
    assert gone.returncode == 0, gone.stderr
    assert len(s3.get_object(Bucket="journals-of-the-team", Key="howso/eks-us-east-1-demo.journal")["Body"].read().splitlines()) == 1


def test_versions_rise_one_by_one_and_nodes_follow_the_control_plane(program: Program, emulated: Client) -> None:
    eks = emulated("eks")
    up = ["up", "--profile", "small", "--provider", "eks", "--region", REGION, "--name", "demo", "--until", "cloud", "--yes", "--set"]
    versions = lambda: {  # noqa: E731
        eks.describe_cluster(name="demo")["cluster"]["version"],
        *(eks.describe_nodegroup(clusterName="demo", nodegroupName=name)["nodegroup"]["version"] for name in groups),
    }
    assert program.run(*up, "kubernetes.version=1.32").returncode == 0
    groups = eks.list_nodegroups(clusterName="demo")["nodegroups"]
    assert versions() == {"1.32"}

    for version, says in [("1.31", "from 1.32 to 1.31"), ("1.34", "from 1.32 to 1.34"), ("1.99", "unsupported"), ("1.32", "already")]:
        with pytest.raises(eks.exceptions.InvalidParameterException, match=says):
            eks.update_cluster_version(name="demo", version=version)
    with pytest.raises(eks.exceptions.InvalidParameterException, match="the cluster's"):
        eks.update_nodegroup_version(clusterName="demo", nodegroupName=groups[0], version="1.33")
    other = emulated("ec2").create_launch_template(LaunchTemplateName="other", LaunchTemplateData={"InstanceType": "m6i.large"})
    with pytest.raises(eks.exceptions.InvalidParameterException, match="keeps its launch template"):
        template = {"id": other["LaunchTemplate"]["LaunchTemplateId"], "version": "1"}
        eks.update_nodegroup_version(clusterName="demo", nodegroupName=groups[0], launchTemplate=template)

    risen = program.run(*up, "kubernetes.version=1.33")
    assert risen.returncode == 0 and versions() == {"1.33"}, risen.stderr
    again = program.run(*up, "kubernetes.version=1.33")
    assert again.returncode == 0 and "nothing was changed" in again.stderr, again.stderr


def test_an_account_without_room_is_told_before_anything_is_made(program: Program, emulated: Client) -> None:
    for index in range(5):
        emulated("ec2").create_vpc(CidrBlock=f"10.{index}.0.0/16")
    refused = program.run("up", *CLUSTER, "--until", "cloud", "--yes")
    assert refused.returncode == 6 and "VPC" in refused.stderr, refused.stderr
    assert len(emulated("ec2").describe_vpcs()["Vpcs"]) == 5
    assert emulated("ec2").describe_internet_gateways()["InternetGateways"] == []
