"""The same calls to the emulator and to moto: what they answer agrees, but for what is listed here with its reason."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from conftest import Client
from transcript import Transcript, differences

FILTER = [{"Name": "tag:owner", "Values": ["demo*"]}]

# Patterns of differences that are right, by scenario and with the reason; each must occur. `[]` is any item of a list.
ALLOWED: dict[str, dict[str, str]] = {
    "network": {
        r"ec2\.\w+\.Vpcs?(\[\])?\.DhcpOptionsId: .*": "a name that a server chooses",
        r"ec2\.create_vpc\.Vpc\.State: 'pending' is not 'available'": "documented: pending at first",
        r"ec2\.create_nat_gateway\.NatGateway\.State: 'pending' is not 'available'": "documented: pending at first",
        r"ec2\.create_nat_gateway\.NatGateway\.(ConnectivityType|NatGatewayAddresses\[\]\.(Status|IsPrimary)): only the first": "documented",
        r"ec2\.allocate_address\.(PublicIpv4Pool|NetworkBorderGroup): only the first": "documented",
        r"ec2\.\w+\.RouteTables?(\[\])?\.PropagatingVgws: only the first": "documented: an empty list",
        r"ec2\.describe_availability_zones\.AvailabilityZones\[\]\.(OptInStatus|NetworkBorderGroup|GroupName): only the first": "documented",
        r"ec2\.describe_availability_zones\.AvailabilityZones\[\]\.ZoneId: .*": "which zone has which number is not documented",
        r"ec2\.\w+\.Subnets?(\[\])?\.AvailabilityZoneId: .*": "which zone has which number is not documented",
    },
    "launch_templates": {
        r"ec2\.\w+\.LaunchTemplate\w*(\[\])?\.CreatedBy: .*": "who calls",
        r"ec2\.describe_launch_template_versions\..*\.TagSpecifications: only the second": "moto tags instances like the template, AWS does not",
        r"ec2\.delete_launch_template\.LaunchTemplate\.(LatestVersionNumber|CreatedBy|Tags): only the first": "documented: the whole template",
        r"ec2\.describe_launch_templates: 'InvalidLaunchTemplateId\.NotFound' is not .*": "documented as an error code; moto answers with nothing",
    },
    "roles": {
        r"iam\.create_role\.Role\.RoleLastUsed: only the second": "documented: GetRole alone tells it",
        r"sts\.get_caller_identity\.Arn: .*": "who calls",
    },
    "clusters": {
        r"eks\.create_cluster\.cluster\.(accessConfig|upgradePolicy|deletionProtection|health): only the first": "documented",
        r"eks\.create_cluster\.cluster\.(resourcesVpcConfig|kubernetesNetworkConfig)\.\w+: only the first": "documented: the usual for what was not said",
        r"eks\.create_cluster\.cluster\.(identity|endpoint|certificateAuthority\.data): only the second": "documented: known once it is active",
        r"eks\.create_cluster\.cluster\.encryptionConfig: only the second": "nothing was encrypted with a key of one's own",
        r"eks\.create_(cluster|nodegroup)\.\w+\.status: 'CREATING' is not 'ACTIVE'": "documented: both take minutes",
        r"eks\.create_cluster\.cluster\.platformVersion: .*": "what a server chooses",
        r"eks\.create_nodegroup\.nodegroup\.(remoteAccess|taints|resources\.remoteAccessSecurityGroup): only the second": "none was given",
        r"eks\.create_nodegroup\.nodegroup\.(version|releaseVersion|amiType): .*": "documented: the cluster's version, and AL2023; moto knows only 1.19",
        r"eks\.create_nodegroup\.nodegroup\.(nodegroupArn|resources\.autoScalingGroups\[\]\.name): .*": "a name that a server chooses",
    },
    "instances": {
        r"iam\.\w+\.InstanceProfiles?(\[\])?\.Roles\[\]\.(Tags|RoleLastUsed): only the second": "documented: GetRole alone tells it",
        r"iam\.list_instance_profiles_for_role\.IsTruncated: only the first": "documented",
        r"ec2\.create_security_group\.Tags: only the first": "documented",
        r"ec2\.authorize_security_group_ingress\.SecurityGroupRules: only the second": "nobody here reads the rules one by one",
        r"ec2\.delete_(security_group|subnet): 'DependencyViolation' is not \{\}": "documented; moto takes away what an instance uses",
        r"ec2\.delete_security_group: .* is not 'InvalidGroup\.NotFound'": "moto has taken it away before",
        r"ec2\.delete_subnet: .* is not 'InvalidSubnetID\.NotFound'": "moto has taken it away before",
        r"ec2\.delete_security_group\.(Return|GroupId): only the first": "in the model",
        r"ec2\.modify_instance_attribute: 'IncorrectInstanceState' is not \{\}": "documented: on a stopped instance only",
        r"ec2\.modify_instance_metadata_options\.InstanceMetadataOptions\.HttpEndpoint: only the first": "documented",
        r"ec2\.describe_instances\[\]\.InstanceType: 'm6i.large' is not 'm6i.xlarge'": "moto has changed it while it ran",
    },
    "objects": {},
}


def tags(kind: str, **more: str) -> list[dict]:
    pairs = [{"Key": key, "Value": value} for key, value in {"owner": "demo-1", **more}.items()]
    return [{"ResourceType": kind, "Tags": pairs}]


def network(script: Transcript) -> None:
    """A network with everything in it, and its removal in right and wrong order."""
    ec2 = lambda operation, **parameters: script.call("ec2", operation, **parameters)  # noqa: E731
    vpc = ec2("create_vpc", CidrBlock="10.1.0.0/16", TagSpecifications=tags("vpc"))["Vpc"]["VpcId"]
    ec2("describe_vpcs", VpcIds=[vpc])
    ec2("describe_vpc_attribute", VpcId=vpc, Attribute="enableDnsHostnames")
    ec2("modify_vpc_attribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    ec2("describe_vpc_attribute", VpcId=vpc, Attribute="enableDnsHostnames")
    subnet = {"VpcId": vpc, "AvailabilityZone": "us-east-1a", "TagSpecifications": tags("subnet")}
    public = ec2("create_subnet", CidrBlock="10.1.0.0/20", **subnet)["Subnet"]["SubnetId"]
    private = ec2("create_subnet", CidrBlock="10.1.64.0/18", **subnet)["Subnet"]["SubnetId"]
    ec2("create_subnet", CidrBlock="10.1.0.0/24", **subnet)
    ec2("create_subnet", CidrBlock="10.2.0.0/24", **subnet)
    ec2("modify_subnet_attribute", SubnetId=public, MapPublicIpOnLaunch={"Value": True})
    ec2("describe_subnets", Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    gateway = ec2("create_internet_gateway", TagSpecifications=tags("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
    ec2("attach_internet_gateway", InternetGatewayId=gateway, VpcId=vpc)
    ec2("describe_internet_gateways", Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])
    ec2("delete_internet_gateway", InternetGatewayId=gateway)
    address = ec2("allocate_address", Domain="vpc", TagSpecifications=tags("elastic-ip"))["AllocationId"]
    nat = ec2("create_nat_gateway", SubnetId=public, AllocationId=address, TagSpecifications=tags("natgateway"))
    nat = nat["NatGateway"]["NatGatewayId"]
    table = ec2("create_route_table", VpcId=vpc, TagSpecifications=tags("route-table"))["RouteTable"]["RouteTableId"]
    ec2("create_route", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    ec2("create_route", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2("replace_route", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    association = ec2("associate_route_table", RouteTableId=table, SubnetId=private)["AssociationId"]
    ec2("describe_route_tables", Filters=FILTER)
    ec2("delete_route_table", RouteTableId=table)
    ec2("create_tags", Resources=[vpc, table], Tags=[{"Key": "more", "Value": "x"}])
    ec2("delete_tags", Resources=[table], Tags=[{"Key": "more"}])
    ec2("describe_vpcs", Filters=[{"Name": "tag-key", "Values": ["more"]}])
    ec2("describe_route_tables", RouteTableIds=[table])
    ec2("delete_vpc", VpcId=vpc)
    ec2("disassociate_route_table", AssociationId=association)
    ec2("delete_route", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    ec2("delete_route", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    ec2("delete_route_table", RouteTableId=table)
    ec2("delete_route_table", RouteTableId=table)
    ec2("delete_subnet", SubnetId=private)
    ec2("delete_subnet", SubnetId=private)
    ec2("describe_subnets", SubnetIds=[private])
    ec2("release_address", AllocationId="eipalloc-0123456789abcdef0")
    ec2("describe_availability_zones", ZoneNames=["us-east-1a"])


def launch_templates(script: Transcript) -> None:
    ec2 = lambda operation, **parameters: script.call("ec2", operation, **parameters)  # noqa: E731
    data = {"InstanceType": "m6i.large", "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}}
    made = ec2("create_launch_template", LaunchTemplateName="demo", LaunchTemplateData=data, TagSpecifications=tags("launch-template"))
    template = made["LaunchTemplate"]["LaunchTemplateId"]
    ec2("create_launch_template", LaunchTemplateName="demo", LaunchTemplateData=data)
    ec2("create_launch_template_version", LaunchTemplateId=template, LaunchTemplateData={**data, "InstanceType": "m6i.xlarge"})
    ec2("describe_launch_templates", Filters=FILTER)
    ec2("describe_launch_templates", LaunchTemplateNames=["other"])
    ec2("describe_launch_template_versions", LaunchTemplateId=template, Versions=["$Latest"])
    ec2("describe_launch_template_versions", LaunchTemplateId=template, Versions=["1"])
    ec2("delete_launch_template", LaunchTemplateId=template)
    ec2("describe_launch_templates", LaunchTemplateIds=[template])


def roles(script: Transcript) -> None:
    iam = lambda operation, **parameters: script.call("iam", operation, **parameters)  # noqa: E731
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    allow = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]}'
    owner = [{"Key": "owner", "Value": "demo"}]
    iam("get_role", RoleName="demo")
    iam("create_role", RoleName="demo", Path="/howso/", AssumeRolePolicyDocument=trust, Description="a role", Tags=owner)
    iam("create_role", RoleName="demo", AssumeRolePolicyDocument=trust)
    iam("attach_role_policy", RoleName="demo", PolicyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
    iam("list_attached_role_policies", RoleName="demo")
    iam("put_role_policy", RoleName="demo", PolicyName="own", PolicyDocument=allow)
    iam("put_role_policy", RoleName="demo", PolicyName="own", PolicyDocument="{")
    iam("get_role_policy", RoleName="demo", PolicyName="own")
    iam("get_role_policy", RoleName="demo", PolicyName="other")
    iam("list_role_policies", RoleName="demo")
    iam("delete_role", RoleName="demo")
    iam("tag_role", RoleName="demo", Tags=[{"Key": "more", "Value": "x"}])
    iam("untag_role", RoleName="demo", TagKeys=["owner"])
    iam("get_role", RoleName="demo")
    iam("update_assume_role_policy", RoleName="demo", PolicyDocument=trust.replace("eks", "ec2"))
    iam("delete_role_policy", RoleName="demo", PolicyName="own")
    iam("delete_role_policy", RoleName="demo", PolicyName="own")
    iam("detach_role_policy", RoleName="demo", PolicyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
    iam("detach_role_policy", RoleName="demo", PolicyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
    iam("delete_role", RoleName="demo")
    iam("delete_role", RoleName="demo")
    script.call("sts", "get_caller_identity")


def clusters(script: Transcript) -> None:
    """A control plane with a node group; both are waited for as boto3 does it."""
    eks = lambda operation, **parameters: script.call("eks", operation, **parameters)  # noqa: E731
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["eks.amazonaws.com","ec2.amazonaws.com"]},"Action":"sts:AssumeRole"}]}'
    role = script.client("iam").create_role(RoleName="demo", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    vpc = script.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    zones = [(f"10.1.{index}.0/24", f"us-east-1{letter}") for index, letter in enumerate("ab")]
    make = script.client("ec2").create_subnet
    subnets = [make(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"] for cidr, zone in zones]
    eks("describe_cluster", name="demo")
    wanted = {"version": "1.32", "roleArn": role, "resourcesVpcConfig": {"subnetIds": subnets}, "tags": {"owner": "demo"}}
    eks("create_cluster", name="demo", **wanted)
    wait = {"Delay": 1, "MaxAttempts": 60}
    script.client("eks").get_waiter("cluster_active").wait(name="demo", WaiterConfig=wait)
    eks("create_cluster", name="demo", **wanted)
    eks("list_clusters")
    scaling = {"minSize": 0, "maxSize": 3, "desiredSize": 1}
    group = {"clusterName": "demo", "nodegroupName": "worker"}
    eks("describe_nodegroup", **group)
    eks("create_nodegroup", **group, scalingConfig=scaling, subnets=subnets, nodeRole=role, labels={"a": "b"}, instanceTypes=["m6i.large"])
    script.client("eks").get_waiter("nodegroup_active").wait(**group, WaiterConfig=wait)
    eks("list_nodegroups", clusterName="demo")
    eks("delete_cluster", name="demo")
    script.client("eks").delete_nodegroup(**group)
    script.client("eks").get_waiter("nodegroup_deleted").wait(**group, WaiterConfig=wait)
    eks("describe_nodegroup", **group)
    script.client("eks").delete_cluster(name="demo")
    script.client("eks").get_waiter("cluster_deleted").wait(name="demo", WaiterConfig=wait)
    eks("describe_cluster", name="demo")


def instances(script: Transcript) -> None:
    """An instance with a role and a group, from start to end, and what it holds on to; states are waited for as boto3 does it."""
    ec2 = lambda operation, **parameters: script.call("ec2", operation, **parameters)  # noqa: E731
    iam = lambda operation, **parameters: script.call("iam", operation, **parameters)  # noqa: E731
    owner = [{"Key": "owner", "Value": "demo-1"}]
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    script.client("iam").create_role(RoleName="demo", AssumeRolePolicyDocument=trust)
    profile = {"InstanceProfileName": "demo"}
    iam("get_instance_profile", **profile)
    iam("create_instance_profile", **profile, Path="/howso/", Tags=owner)
    iam("create_instance_profile", **profile)
    iam("add_role_to_instance_profile", **profile, RoleName="other")
    iam("add_role_to_instance_profile", **profile, RoleName="demo")
    iam("add_role_to_instance_profile", **profile, RoleName="demo")
    iam("tag_instance_profile", **profile, Tags=[{"Key": "more", "Value": "x"}])
    iam("get_instance_profile", **profile)
    iam("list_instance_profiles_for_role", RoleName="demo")
    iam("delete_instance_profile", **profile)
    iam("delete_role", RoleName="demo")

    vpc = script.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = script.client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/20", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    group = {"GroupName": "demo", "Description": "nothing comes in", "VpcId": vpc}
    first = ec2("create_security_group", **group, TagSpecifications=tags("security-group"))["GroupId"]
    ec2("create_security_group", **group)
    second = ec2("create_security_group", **group | {"GroupName": "second"})["GroupId"]
    ec2("describe_security_groups", Filters=FILTER)
    rule = {"GroupId": first, "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}
    ec2("authorize_security_group_ingress", **rule)
    ec2("authorize_security_group_ingress", **rule)
    ec2("describe_security_groups", GroupIds=[first])
    ec2("revoke_security_group_ingress", **rule)
    ec2("revoke_security_group_ingress", **rule)
    ec2("describe_security_groups", GroupIds=[first])

    time.sleep(0.2)  # Until EC2 knows the profile.
    wanted = {"ImageId": "ami-12c6146b", "InstanceType": "m6i.large", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "SecurityGroupIds": [first]}
    options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}
    arn = script.client("iam").get_instance_profile(**profile)["InstanceProfile"]["Arn"]
    run = script.client("ec2").run_instances(**wanted, IamInstanceProfile={"Arn": arn}, MetadataOptions=options, TagSpecifications=tags("instance"), ClientToken="token")
    instance = run["Instances"][0]["InstanceId"]
    wait = {"Delay": 1, "MaxAttempts": 60}
    script.client("ec2").get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig=wait)
    parts = ("InstanceId", "InstanceType", "State", "SubnetId", "VpcId", "SecurityGroups", "Tags")
    described = lambda: script.note(  # noqa: E731
        "ec2.describe_instances",
        [{part: found.get(part) for part in parts} for kept in script.client("ec2").describe_instances(Filters=FILTER)["Reservations"] for found in kept["Instances"]],
    )
    described()
    ec2("describe_instances", InstanceIds=["i-0123456789abcdef0"])
    ec2("delete_security_group", GroupId=first)
    ec2("delete_subnet", SubnetId=subnet)
    ec2("modify_instance_attribute", InstanceId=instance, InstanceType={"Value": "m6i.xlarge"})
    ec2("modify_instance_attribute", InstanceId=instance, Groups=[second])
    ec2("modify_instance_metadata_options", InstanceId=instance, HttpTokens="optional", HttpPutResponseHopLimit=2)
    described()
    script.client("ec2").stop_instances(InstanceIds=[instance])
    script.client("ec2").get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig=wait)
    ec2("modify_instance_attribute", InstanceId=instance, InstanceType={"Value": "m6i.xlarge"})
    script.client("ec2").start_instances(InstanceIds=[instance])
    script.client("ec2").get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig=wait)
    described()
    script.client("ec2").terminate_instances(InstanceIds=[instance])
    script.client("ec2").get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig=wait)
    ec2("terminate_instances", InstanceIds=["i-0123456789abcdef0"])
    ec2("delete_security_group", GroupId=first)
    ec2("delete_security_group", GroupId=first)
    ec2("delete_security_group", GroupId=second)
    ec2("delete_subnet", SubnetId=subnet)
    ec2("delete_vpc", VpcId=vpc)
    iam("remove_role_from_instance_profile", **profile, RoleName="demo")
    iam("delete_instance_profile", **profile)
    iam("delete_role", RoleName="demo")


def objects(script: Transcript) -> None:
    """An object that is written only as long as nobody else has written it."""
    s3 = lambda operation, **parameters: script.call("s3", operation, **parameters)  # noqa: E731
    name = {"Bucket": "demo", "Key": "a team's/demo.journal"}
    s3("get_object", **name)
    s3("put_object", **name, Body=b"first")
    s3("create_bucket", Bucket="demo")
    s3("create_bucket", Bucket="demo")
    s3("get_object", **name)
    s3("put_object", **name, Body=b"first", IfMatch='"5d41402abc4b2a76b9719d911017c592"')
    first = s3("put_object", **name, Body=b"first", IfNoneMatch="*")["ETag"]
    s3("put_object", **name, Body=b"first", IfNoneMatch="*")
    s3("get_object", **name)
    second = s3("put_object", **name, Body=b"second", IfMatch=first, ContentType="text/plain")["ETag"]
    s3("put_object", **name, Body=b"third", IfMatch=first)
    s3("put_object", **name, Body=b"third", IfMatch=second)
    s3("put_object", **name, Body=b"")
    s3("get_object", **name)
    s3("get_object", Bucket="demo", Key="other")


@pytest.mark.parametrize("scenario", [network, launch_templates, roles, clusters, instances, objects], ids=lambda scenario: scenario.__name__)
def test_both_answer_the_same(emulated: Client, moto: Client, scenario: Callable[[Transcript], None]) -> None:
    ours, theirs = Transcript(emulated), Transcript(moto)
    scenario(ours)
    scenario(theirs)
    assert [call for call, _ in ours.lines] == [call for call, _ in theirs.lines]
    pairs = zip(ours.lines, theirs.lines, strict=True)
    found = [line for (call, our), (_, their) in pairs for line in differences(our, their, call)]
    allowed = ALLOWED[scenario.__name__]
    unlisted = [line for line in found if not any(re.fullmatch(pattern, line) for pattern in allowed)]
    assert unlisted == [], "\n".join(unlisted)
    gone = [pattern for pattern in allowed if not any(re.fullmatch(pattern, line) for line in found)]
    assert gone == [], "listed, but no difference any more"
