"""What the emulator refuses, how it pages, and what time does, asked by boto3."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conftest import SPEED, Client

MODELS = Path(__file__).resolve().parent.parent.parent / "crates" / "emulator" / "models"


def test_the_excerpts_are_those_of_botocore() -> None:
    done = subprocess.run([sys.executable, MODELS / "extract.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def raw(endpoint: str, service: str, body: str) -> tuple[int, str]:
    """What is answered to a form that no SDK would send."""
    scope = f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261126/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Authorization": scope, "Content-Type": "application/x-www-form-urlencoded"}
    request = urllib.request.Request(endpoint, data=body.encode(), headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("service", "body", "status", "says"),
    [
        ("ec2", "Action=CreateVpc&Version=2016-11-15&CidrBlok=10.0.0.0/16", 400, "UnknownParameter"),
        ("ec2", "Action=DeleteVpc&Version=2016-11-15", 400, "MissingParameter"),
        ("ec2", "Action=CreateVpc&CidrBlock=10.0.0.0/16&InstanceTenancy=shared", 400, "InvalidParameterValue"),
        ("ec2", "Action=Nothing", 400, "InvalidAction"),
        ("iam", "Action=CreateRole&RoleName=a b&AssumeRolePolicyDocument={}", 400, "ValidationError"),
        ("nothing", "Action=Nothing", 404, "UnknownService"),
    ],
)
def test_what_the_model_has_no_place_for_is_refused(endpoint: str, service: str, body: str, status: int, says: str) -> None:
    assert raw(endpoint, service, body)[0] == status
    assert says in raw(endpoint, service, body)[1]


def test_lists_come_in_pages(emulated: Client) -> None:
    ec2 = emulated("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = {ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24")["Subnet"]["SubnetId"] for index in range(12)}
    pages = list(ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Subnets"]) for page in pages] == [5, 5, 2]
    assert {subnet["SubnetId"] for page in pages for subnet in page["Subnets"]} == made


def test_a_token_makes_a_call_safe_to_repeat(emulated: Client) -> None:
    ec2 = emulated("ec2")
    data = {"InstanceType": "m6i.large"}
    first = ec2.create_launch_template(LaunchTemplateName="a", LaunchTemplateData=data, ClientToken="t")
    again = ec2.create_launch_template(LaunchTemplateName="a", LaunchTemplateData=data, ClientToken="t")
    assert first["LaunchTemplate"] == again["LaunchTemplate"]
    with pytest.raises(ClientError) as refused:
        ec2.create_launch_template(LaunchTemplateName="b", LaunchTemplateData=data, ClientToken="t")
    assert code(refused) == "IdempotentParameterMismatch"
    # What has no token is made twice.
    assert len({ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"] for _ in range(2)}) == 2


def test_a_gateway_takes_time_and_holds_what_it_uses(emulated: Client) -> None:
    ec2 = emulated("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    with pytest.raises(ClientError) as refused:
        ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)
    assert code(refused) == "Gateway.NotAttached"
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]
    assert nat["State"] == "pending"
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat["NatGatewayId"]], WaiterConfig={"Delay": 1})
    for call, wanted in [
        (lambda: ec2.delete_subnet(SubnetId=subnet), "DependencyViolation"),
        (lambda: ec2.release_address(AllocationId=address), "InvalidIPAddress.InUse"),
        (lambda: ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc), "DependencyViolation"),
    ]:
        with pytest.raises(ClientError) as refused:
            call()
        assert code(refused) == wanted
    ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[nat["NatGatewayId"]], WaiterConfig={"Delay": 1})
    ec2.delete_subnet(SubnetId=subnet)
    ec2.release_address(AllocationId=address)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_vpcs()["Vpcs"] == []


def test_quotas_are_limits(emulated: Client) -> None:
    ec2 = emulated("ec2")
    for _ in range(5):
        ec2.allocate_address(Domain="vpc")
    with pytest.raises(ClientError) as refused:
        ec2.allocate_address(Domain="vpc")
    assert code(refused) == "AddressLimitExceeded"


def test_ec2_knows_a_profile_a_while_after_iam_and_an_instance_for_a_while_after_its_end(emulated: Client) -> None:
    ec2, iam = emulated("ec2"), emulated("iam")
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/20")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="demo", Description="d", VpcId=vpc)["GroupId"]
    iam.create_role(RoleName="demo", AssumeRolePolicyDocument=trust)
    iam.create_instance_profile(InstanceProfileName="demo")
    iam.add_role_to_instance_profile(InstanceProfileName="demo", RoleName="demo")
    image = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    run = {"ImageId": image, "InstanceType": "m6i.large", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "SecurityGroupIds": [group], "ClientToken": "t"}
    run |= {"IamInstanceProfile": {"Name": "demo"}, "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 50, "Encrypted": True}}]}
    with pytest.raises(ClientError, match="Invalid IAM Instance Profile name"):
        ec2.run_instances(**run)
    time.sleep(10 / SPEED)
    instance = ec2.run_instances(**run)["Instances"][0]
    assert instance["State"] == {"Code": 0, "Name": "pending"} and instance["ImageId"].startswith("ami-")
    assert ec2.run_instances(**run)["Instances"][0]["InstanceId"] == instance["InstanceId"], "a token makes it safe to repeat"
    (volume,) = ec2.describe_volumes()["Volumes"]
    assert (volume["Size"], volume["Encrypted"], volume["State"]) == (50, True, "in-use")
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    with pytest.raises(ClientError) as refused:
        ec2.delete_security_group(GroupId=group)
    assert code(refused) == "DependencyViolation"
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance["InstanceId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    assert ec2.describe_volumes()["Volumes"] == ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    ec2.delete_security_group(GroupId=group)
    assert ec2.describe_instances()["Reservations"][0]["Instances"][0]["State"]["Name"] == "terminated"
    with pytest.raises(ClientError, match="could not be resolved"):
        ec2.run_instances(**run | {"ImageId": "resolve:ssm:/somewhere/else", "ClientToken": "other"})
