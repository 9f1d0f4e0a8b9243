"""What the `large` profile must have made, read back with boto3; written from the issue, not from the program."""

from __future__ import annotations

import re
from typing import Any

import account
from conftest import CLUSTER, REGION, Rig
from recording import Exchange

ROLES = {kind: f"{CLUSTER}-{REGION}-{kind}" for kind in ("cluster", "node", "ebs-csi", "autoscaler")}
CORE = ("core-a", "core-b", "core-c")
TAINT = {"key": "howso.com/nodetype", "value": "worker", "effect": "NO_SCHEDULE"}
ADDONS_BEFORE_NODES = {"vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent"}
ADDONS_AFTER_NODES = {"aws-ebs-csi-driver", "metrics-server"}
LOG_TYPES = {"api", "audit", "authenticator", "controllerManager", "scheduler"}
POLICIES = {
    "cluster": {"AmazonEKSClusterPolicy"},
    "node": {"AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"},
    "ebs-csi": {"AmazonEBSCSIDriverPolicyV2"},
    "autoscaler": set(),
}
TRUSTS = {"cluster": "eks.amazonaws.com", "node": "ec2.amazonaws.com", "ebs-csi": "pods.eks.amazonaws.com", "autoscaler": "pods.eks.amazonaws.com"}


def own(client: Any, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
    """Everything that a list call shows, but for what a new account has by itself."""
    return [item for item in account.pages(client, operation, key, **arguments) if not item.get("IsDefault")]


def check_network(rig: Rig, nat_gateways: int = 3) -> tuple[str, list[str]]:
    """The network of three zones; returns the VPC and the private subnets."""
    ec2 = rig.client("ec2")
    (vpc,) = own(ec2, "describe_vpcs", "Vpcs")
    vpc_id = vpc["VpcId"]
    assert vpc["CidrBlock"] == "10.42.0.0/16"
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        answer = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)
        assert answer[attribute[0].upper() + attribute[1:]]["Value"] is True, attribute

    in_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    subnets = own(ec2, "describe_subnets", "Subnets", Filters=in_vpc)
    public = [subnet for subnet in subnets if "kubernetes.io/role/elb" in account.tags_of(subnet)]
    private = [subnet for subnet in subnets if "kubernetes.io/role/internal-elb" in account.tags_of(subnet)]
    assert (len(subnets), len(public), len(private)) == (6, 3, 3)
    for group in (public, private):
        assert len({subnet["AvailabilityZone"] for subnet in group}) == 3
    assert {subnet["AvailabilityZone"] for subnet in public} == {subnet["AvailabilityZone"] for subnet in private}
    assert all(subnet["MapPublicIpOnLaunch"] for subnet in public)
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in private)
    assert len({subnet["CidrBlock"] for subnet in subnets}) == 6

    attached = [{"Name": "attachment.vpc-id", "Values": [vpc_id]}]
    (gateway,) = own(ec2, "describe_internet_gateways", "InternetGateways", Filters=attached)
    addresses = own(ec2, "describe_addresses", "Addresses")
    nats = [nat for nat in own(ec2, "describe_nat_gateways", "NatGateways") if nat["State"] == "available"]
    assert (len(addresses), len(nats)) == (nat_gateways, nat_gateways)
    assert {nat["SubnetId"] for nat in nats} <= {subnet["SubnetId"] for subnet in public}
    assert len({nat["SubnetId"] for nat in nats}) == nat_gateways

    check_routes(own(ec2, "describe_route_tables", "RouteTables", Filters=in_vpc), public, private, gateway, nats)
    groups = own(ec2, "describe_security_groups", "SecurityGroups", Filters=in_vpc)
    assert [group["GroupName"] for group in groups] == ["default"]
    return vpc_id, [subnet["SubnetId"] for subnet in private]


def check_routes(tables: list[dict], public: list[dict], private: list[dict], gateway: dict, nats: list[dict]) -> None:
    tables = [table for table in tables if not any(association.get("Main") for association in table["Associations"])]
    assert len(tables) == 4
    target_of: dict[str, str] = {}
    for table in tables:
        (route,) = [route for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
        for association in table["Associations"]:
            assert association["SubnetId"] not in target_of, "a subnet with two route tables"
            target_of[association["SubnetId"]] = route.get("NatGatewayId") or route.get("GatewayId")
    assert target_of.keys() == {subnet["SubnetId"] for subnet in public + private}
    zone_of_nat = {nat["NatGatewayId"]: next(s["AvailabilityZone"] for s in public if s["SubnetId"] == nat["SubnetId"]) for nat in nats}
    for subnet in public:
        assert target_of[subnet["SubnetId"]] == gateway["InternetGatewayId"]
    for subnet in private:
        assert zone_of_nat[target_of[subnet["SubnetId"]]] == subnet["AvailabilityZone"], "traffic between zones costs money"


def check_roles(rig: Rig, kinds: tuple[str, ...] = ("cluster", "node", "ebs-csi", "autoscaler"), policies: dict[str, set[str]] = POLICIES) -> None:
    iam = rig.client("iam")
    assert {role["RoleName"] for role in account.pages(iam, "list_roles", "Roles")} == {ROLES[kind] for kind in kinds}
    for kind in kinds:
        role = iam.get_role(RoleName=ROLES[kind])["Role"]
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        # IAM takes one service as text or as a list of one, and gives back what it got.
        assert statement["Principal"] in ({"Service": TRUSTS[kind]}, {"Service": [TRUSTS[kind]]}), kind
        attached = account.pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=ROLES[kind])
        assert {policy["PolicyName"] for policy in attached} == policies[kind], kind
        inline = account.pages(iam, "list_role_policies", "PolicyNames", RoleName=ROLES[kind])
        assert len(inline) == (1 if kind == "autoscaler" else 0), kind
    if "autoscaler" in kinds:
        (name,) = account.pages(iam, "list_role_policies", "PolicyNames", RoleName=ROLES["autoscaler"])
        check_autoscaler_policy(iam.get_role_policy(RoleName=ROLES["autoscaler"], PolicyName=name)["PolicyDocument"])


def check_autoscaler_policy(document: dict[str, Any]) -> None:
    """Writing is allowed only on groups with the cluster's own tag."""
    writing = {"autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"}
    seen = set()
    for statement in document["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert "*" not in actions
        if writing & set(actions):
            seen |= writing & set(actions)
            assert f"k8s.io/cluster-autoscaler/{CLUSTER}" in str(statement["Condition"]) or f"kubernetes.io/cluster/{CLUSTER}" in str(statement["Condition"])
    assert seen == writing


def check_cluster(rig: Rig, private: list[str]) -> None:
    eks = rig.client("eks")
    assert eks.list_clusters()["clusters"] == [CLUSTER]
    cluster = eks.describe_cluster(name=CLUSTER)["cluster"]
    assert cluster["status"] == "ACTIVE"
    assert cluster["roleArn"].endswith(f"role/{ROLES['cluster']}")
    assert set(private) <= set(cluster["resourcesVpcConfig"]["subnetIds"])
    assert cluster["resourcesVpcConfig"]["endpointPrivateAccess"] is True
    assert "0.0.0.0/0" not in cluster["resourcesVpcConfig"].get("publicAccessCidrs", []) or not cluster["resourcesVpcConfig"]["endpointPublicAccess"]
    enabled = {kind for setup in cluster["logging"]["clusterLogging"] if setup["enabled"] for kind in setup["types"]}
    assert enabled == LOG_TYPES


def check_create_cluster_call(exchanges: list[Exchange]) -> None:
    """What DescribeCluster does not tell, or not on every server, from the recorded call."""
    (call,) = [exchange.parameters for exchange in exchanges if exchange.key == "eks:CreateCluster"]
    assert call["accessConfig"] == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    assert call["bootstrapSelfManagedAddons"] is False
    assert call["upgradePolicy"] == {"supportType": "STANDARD"}
    assert call["deletionProtection"] is True


def check_node_groups(rig: Rig, private: list[str]) -> None:
    eks, ec2 = rig.client("eks"), rig.client("ec2")
    names = eks.list_nodegroups(clusterName=CLUSTER)["nodegroups"]
    assert sorted(names) == sorted((*CORE, "worker"))
    groups = {name: eks.describe_nodegroup(clusterName=CLUSTER, nodegroupName=name)["nodegroup"] for name in names}
    for name, group in groups.items():
        assert group["status"] == "ACTIVE" and group["nodeRole"].endswith(f"role/{ROLES['node']}"), name
    zone = {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in ec2.describe_subnets(SubnetIds=private)["Subnets"]}
    core_zones = []
    for name in CORE:
        assert groups[name]["scalingConfig"] == {"minSize": 1, "maxSize": 1, "desiredSize": 1}
        assert groups[name]["labels"]["howso.com/allowWorkers"] == "False"
        assert not groups[name]["taints"]
        (subnet,) = groups[name]["subnets"]
        core_zones.append(zone[subnet])
    assert sorted(core_zones) == sorted(zone.values())
    worker = groups["worker"]
    assert worker["scalingConfig"] == {"minSize": 0, "maxSize": 20, "desiredSize": 0}
    assert worker["taints"] == [TAINT]
    assert "howso.com/allowWorkers" not in worker["labels"]
    assert set(worker["subnets"]) == set(private)


def check_launch_templates(rig: Rig, exchanges: list[Exchange]) -> None:
    """Each node group was made from a template of its pool; no template is left over."""
    ec2 = rig.client("ec2")
    templates = {template["LaunchTemplateId"]: template for template in own(ec2, "describe_launch_templates", "LaunchTemplates")}
    ids = {template["LaunchTemplateName"]: template_id for template_id, template in templates.items()}
    used: dict[str, str] = {}
    for call in (exchange.parameters for exchange in exchanges if exchange.key == "eks:CreateNodegroup" and exchange.succeeded()):
        given = call["launchTemplate"]
        used[call["nodegroupName"]] = given.get("id") or ids[given["name"]]
        assert "diskSize" not in call and "remoteAccess" not in call
        size = "4xlarge" if call["nodegroupName"] == "worker" else "2xlarge"
        data = current_version(ec2, used[call["nodegroupName"]])
        types = call.get("instanceTypes") or [data["InstanceType"]]
        assert ("InstanceType" in data) != ("instanceTypes" in call), "EKS refuses a type in both places"
        assert all(re.search(rf"\.{size}$", name) for name in types), types
        check_template(data)
    assert set(used.values()) == set(templates)


def current_version(ec2: Any, template_id: str) -> dict[str, Any]:
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=template_id, Versions=["$Latest"])["LaunchTemplateVersions"]
    return versions[0]["LaunchTemplateData"]


def check_template(data: dict[str, Any]) -> None:
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    (device,) = data["BlockDeviceMappings"]
    assert device["Ebs"]["Encrypted"] is True and device["Ebs"]["VolumeType"] == "gp3" and device["Ebs"]["VolumeSize"] >= 100
    kinds = {specification["ResourceType"]: specification["Tags"] for specification in data["TagSpecifications"]}
    for kind in ("instance", "volume"):
        tags = {tag["Key"]: tag["Value"] for tag in kinds[kind]}
        assert tags[account.CLUSTER_TAG] == CLUSTER and re.fullmatch(r"[0-9a-f]{32}", tags[account.DEPLOYMENT_TAG]), kind


def template(tags: dict[str, str]) -> tuple[dict[str, str], set[tuple[str, str, str]], dict[str, str]]:
    """Labels, taints and resources that the Cluster Autoscaler reads from the tags of an empty group, by its own rules.

    The program itself cannot be had here, so this follows `extractLabelsFromAsg`, `extractTaintsFromAsg` and
    `extractAllocatableResourcesFromAsg` of cluster-autoscaler/cloudprovider/aws/aws_manager.go.
    """
    prefix = "k8s.io/cluster-autoscaler/node-template/"

    def after(part: str) -> dict[str, str]:
        split = {key: key.split(prefix + part) for key in tags}
        return {parts[1]: tags[key] for key, parts in split.items() if len(parts) > 1 and parts[1]}

    readable = {key: value for key, value in after("taint/").items() if re.search("(.*):(?:NoSchedule|NoExecute|PreferNoSchedule)", value)}
    taints = {(key, *value.split(":", 1)) for key, value in readable.items()}
    quantity = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?(m|k|[MGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")
    return after("label/"), taints, {name: value for name, value in after("resources/").items() if quantity.fullmatch(value)}


def check_autoscaling_tags(rig: Rig) -> None:
    eks, autoscaling = rig.client("eks"), rig.client("autoscaling")
    worker = eks.describe_nodegroup(clusterName=CLUSTER, nodegroupName="worker")["nodegroup"]
    (group,) = [group["name"] for group in worker["resources"]["autoScalingGroups"]]
    tags = account.pages(autoscaling, "describe_tags", "Tags")
    assert {tag["ResourceId"] for tag in tags} == {group}
    assert all(tag["PropagateAtLaunch"] is False for tag in tags)
    # What the autoscaler thinks that a node would be like is what EKS makes of one.
    labels, taints, resources = template({tag["Key"]: tag["Value"] for tag in tags})
    effects = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}
    assert labels == worker["labels"]
    assert taints == {(taint["key"], taint["value"], effects[taint["effect"]]) for taint in worker["taints"]}
    assert taints >= {("howso.com/nodetype", "worker", "NoSchedule")}
    assert set(resources) == {"ephemeral-storage"}


def check_addons_and_access(rig: Rig, caller: str) -> None:
    eks = rig.client("eks")
    assert set(eks.list_addons(clusterName=CLUSTER)["addons"]) == ADDONS_BEFORE_NODES | ADDONS_AFTER_NODES
    addons = {name: eks.describe_addon(clusterName=CLUSTER, addonName=name)["addon"] for name in ADDONS_BEFORE_NODES | ADDONS_AFTER_NODES}
    assert "enableNetworkPolicy" in addons["vpc-cni"]["configurationValues"]
    # The CSI driver's association goes with its add-on or stands by itself: both are AWS's ways.
    short = eks.list_pod_identity_associations(clusterName=CLUSTER)["associations"]
    own_associations = [eks.describe_pod_identity_association(clusterName=CLUSTER, associationId=item["associationId"])["association"] for item in short]
    given = {(item["namespace"], item["serviceAccount"], item["roleArn"].rpartition("/")[2]) for item in own_associations}
    through_addon = addons["aws-ebs-csi-driver"]["podIdentityAssociations"]
    given |= {("kube-system", item["serviceAccount"], item["roleArn"].rpartition("/")[2]) for item in through_addon if isinstance(item, dict)}
    assert given == {
        ("kube-system", "cluster-autoscaler", ROLES["autoscaler"]),
        ("kube-system", "ebs-csi-controller-sa", ROLES["ebs-csi"]),
    }
    assert eks.list_access_entries(clusterName=CLUSTER)["accessEntries"] == [caller]
    (policy,) = eks.list_associated_access_policies(clusterName=CLUSTER, principalArn=caller)["associatedAccessPolicies"]
    assert policy["policyArn"].endswith("/AmazonEKSClusterAdminPolicy") and policy["accessScope"]["type"] == "cluster"


def check_order(exchanges: list[Exchange]) -> None:
    """The network add-ons come before the nodes, the others after; the tags of scale from zero after their group."""
    made = {}
    for exchange in exchanges:
        if exchange.mutating and exchange.succeeded():
            made[exchange.key, exchange.parameters.get("addonName") or exchange.parameters.get("nodegroupName")] = exchange.sequence
    groups = [made["eks:CreateNodegroup", name] for name in (*CORE, "worker")]
    assert max(made["eks:CreateAddon", name] for name in ADDONS_BEFORE_NODES) < min(groups)
    assert min(made["eks:CreateAddon", name] for name in ADDONS_AFTER_NODES) > max(made["eks:CreateNodegroup", name] for name in CORE)


def check_tags(rig: Rig) -> str:
    """Every taggable thing says whose it is and what it is; returns the deployment's id."""
    found = raw_things(rig)
    deployments, resources = set(), []
    for kind, item in found:
        tags = account.tags_of(item)
        assert tags.get(account.CLUSTER_TAG) == CLUSTER, (kind, tags)
        assert re.fullmatch(r"[0-9a-f]{32}", tags[account.DEPLOYMENT_TAG]), (kind, tags)
        assert re.fullmatch(r"[0-9]+", tags[account.GENERATION_TAG]), (kind, tags)
        if kind in EC2_KINDS:
            assert tags.get("Name"), (kind, tags)
        deployments.add(tags[account.DEPLOYMENT_TAG])
        resources.append((kind, tags[account.RESOURCE_TAG]))
    assert len(deployments) == 1
    assert len(set(resources)) == len(resources), "two things of one name"
    return deployments.pop()


EC2_KINDS = {"vpc", "subnet", "internet-gateway", "address", "nat-gateway", "route-table", "launch-template"}


def raw_things(rig: Rig) -> list[tuple[str, dict[str, Any]]]:
    """Everything taggable in the account with its tags as the service has them; autoscaling groups have no owner tags."""
    things = [*account._ec2(rig.client("ec2")), *account._iam(rig.client("iam")), *account._eks(rig.client("eks"))]
    return [(kind, item) for kind, _, item in things]
