"""The rig itself: what the proxy records, how its faults look to an official client, that the checks can fail.

None of this needs the program under test.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

import account
import machines
import model_check
import operations
from conftest import Rig, client
from operations import Operation
from recording import Exchange

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


def tagged(kind: str, resource: str, deployment: str = "0" * 32, cluster: str = "demo") -> list[dict[str, Any]]:
    tags = {account.CLUSTER_TAG: cluster, account.DEPLOYMENT_TAG: deployment, account.RESOURCE_TAG: resource, account.GENERATION_TAG: "1"}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def through(rig: Rig, service: str, **config: Any) -> Any:
    return client(rig.proxy.endpoint, service, **config)


@pytest.fixture(params=["ministack", "moto"])
def rig(request: pytest.FixtureRequest) -> Rig:
    return request.getfixturevalue(request.param)


# ---------------------------------------------------------------- recording


def test_records_operations_and_parameters_of_every_protocol(rig: Rig) -> None:
    through(rig, "sts").get_caller_identity()
    through(rig, "ec2").create_vpc(CidrBlock="10.42.0.0/16", TagSpecifications=tagged("vpc", "vpc:demo"))
    through(rig, "iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "a", "Value": "b"}])
    through(rig, "eks").list_clusters()
    found = rig.proxy.exchanges()
    assert [(exchange.key, exchange.mutating) for exchange in found] == [
        ("sts:GetCallerIdentity", False),
        ("ec2:CreateVpc", True),
        ("iam:CreateRole", True),
        ("eks:ListClusters", False),
    ]
    assert found[1].parameters == {"CidrBlock": "10.42.0.0/16", "TagSpecifications": tagged("vpc", "vpc:demo")}
    assert found[2].parameters == {"RoleName": "r", "AssumeRolePolicyDocument": TRUST, "Tags": [{"Key": "a", "Value": "b"}]}
    assert all(exchange.committed and exchange.succeeded() for exchange in found)


def test_reads_names_out_of_paths(ministack: Rig) -> None:
    principal = "arn:aws:iam::123456789012:role/path/admin"
    with pytest.raises(ClientError):
        through(ministack, "eks").list_associated_access_policies(clusterName="demo", principalArn=principal, maxResults=5)
    exchange = ministack.proxy.exchanges()[0]
    assert exchange.key == "eks:ListAssociatedAccessPolicies"
    assert exchange.parameters == {"clusterName": "demo", "principalArn": principal, "maxResults": 5}


def test_an_unsigned_request_for_the_credentials_of_a_sign_on_is_known(ministack: Rig) -> None:
    wanted = {"roleName": "admin", "accountId": "123456789012", "accessToken": "token"}
    with pytest.raises(ClientError):  # ministack has no such portal.
        through(ministack, "sso").get_role_credentials(**wanted)
    exchange = ministack.proxy.exchanges()[0]
    assert (exchange.key, exchange.mutating, exchange.parameters, exchange.access_key) == ("sso:GetRoleCredentials", False, wanted, "")
    assert exchange.model_faults() == []


def test_the_request_for_the_credentials_of_a_sign_on_is_checked_like_every_other() -> None:
    operation = operations.resolve("GET", "/federation/credentials?role_name=admin&colour=red", [], b"")
    assert operation == Operation("sso", "GetRoleCredentials")
    assert model_check.check_request(operation, "/federation/credentials?role_name=admin&colour=red", [], b"") == [
        "sso:GetRoleCredentials: unknown parameter query parameter colour",
        "sso:GetRoleCredentials: request: required accountId is missing",
        "sso:GetRoleCredentials: request: required accessToken is missing",
    ]


def test_what_has_to_be_signed_is_unknown_without_a_signature() -> None:
    assert operations.resolve("GET", "/clusters", [], b"") == Operation("unsigned", "GET /clusters")
    assert operations.is_mutating(operations.resolve("POST", "/logout", [], b""))


def test_an_unknown_operation_counts_as_mutating() -> None:
    assert operations.is_mutating(Operation("ec2", "FrobnicateVpc"))
    assert operations.is_mutating(Operation("unsigned", "POST /x"))
    assert not operations.is_mutating(Operation("ec2", "DescribeVpcs"))


def test_every_eks_operation_is_found_by_its_own_path() -> None:
    model = operations.service_model("eks")
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = operations._LABEL.sub("x", http["requestUri"].partition("?")[0])
        headers = [("Authorization", "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/eks/aws4_request, x")]
        assert operations.resolve(http["method"], path, headers, b"") == Operation("eks", name)


def listeners(pid: int) -> set[str]:
    """The addresses, as the kernel writes them, on which a process listens (Linux)."""
    sockets = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in sockets:
                found.add(columns[1])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's socket tables in /proc")
def test_the_servers_listen_on_one_loopback_port_only(rig: Rig) -> None:
    assert rig.server.process is not None
    assert listeners(rig.server.process.pid) == {f"0100007F:{rig.server.port:04X}"}


def test_a_connection_from_a_container_is_answered_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """API servers keep theirs: one that was idle and no longer answers looks to the program like a Kubernetes that hangs."""
    monkeypatch.setattr(machines, "CONNECT_TIMEOUT_SECS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as echo:
        port = echo.getsockname()[1]
        forwarder = machines.Forwarder(port, "127.0.0.2")
        with socket.create_connection(("127.0.0.2", port), timeout=5) as client_side:
            server_side, _ = echo.accept()
            with server_side:
                for pause_secs in (0.0, 0.5):
                    time.sleep(pause_secs)
                    client_side.sendall(b"asked")
                    assert server_side.recv(100) == b"asked"
                    server_side.sendall(b"answered")
                    assert client_side.recv(100) == b"answered"
            assert client_side.recv(100) == b"", "the end of the one side is told to the other"
        forwarder.close()


# ---------------------------------------------------------------- faults


def vpcs(rig: Rig) -> int:
    return len([vpc for vpc in rig.client("ec2").describe_vpcs()["Vpcs"] if not vpc["IsDefault"]])


@pytest.mark.parametrize(
    ("kind", "service", "operation", "arguments", "status", "code"),
    [
        ("throttle", "ec2", "describe_vpcs", {}, 503, "RequestLimitExceeded"),
        ("throttle", "iam", "list_roles", {}, 400, "Throttling"),
        ("throttle", "autoscaling", "describe_tags", {}, 400, "Throttling"),
        ("throttle", "sts", "get_caller_identity", {}, 400, "Throttling"),
        ("throttle", "eks", "list_clusters", {}, 429, "ThrottlingException"),
        ("error-500-before", "ec2", "describe_vpcs", {}, 500, "InternalError"),
        ("error-500-before", "eks", "list_clusters", {}, 500, "ServerException"),
        ("access-denied", "ec2", "describe_vpcs", {}, 403, "UnauthorizedOperation"),
        ("access-denied", "iam", "list_roles", {}, 403, "AccessDenied"),
        ("access-denied", "eks", "list_clusters", {}, 403, "AccessDeniedException"),
        ("expired-token", "ec2", "describe_vpcs", {}, 400, "RequestExpired"),
        ("expired-token", "sts", "get_caller_identity", {}, 403, "ExpiredToken"),
        ("expired-token", "eks", "list_clusters", {}, 403, "ExpiredTokenException"),
        ("access-denied", "service-quotas", "get_service_quota", {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}, 400, "AccessDeniedException"),
    ],
)
def test_errors_have_the_services_own_shape(ministack: Rig, kind: str, service: str, operation: str, arguments: dict[str, str], status: int, code: str) -> None:
    ministack.proxy.arm({"match": {"call": 1}, "kind": kind})
    with pytest.raises(ClientError) as caught:
        getattr(through(ministack, service), operation)(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["Error"]["Message"]


def test_throttles_the_retries_too_and_then_no_more(ministack: Rig) -> None:
    ministack.proxy.arm({"match": {"operation": "ec2:CreateVpc"}, "kind": "throttle", "times": 3})
    ec2 = through(ministack, "ec2")
    for _ in range(3):
        with pytest.raises(ClientError):
            ec2.create_vpc(CidrBlock="10.42.0.0/16")
        ec2.describe_vpcs()
    ec2.create_vpc(CidrBlock="10.42.0.0/16")
    assert vpcs(ministack) == 1


def test_a_quota_error_carries_the_code_asked_for(ministack: Rig) -> None:
    fault = {"match": {"operation": "ec2:CreateVpc"}, "kind": "quota", "code": "VpcLimitExceeded", "message": "The maximum number of VPCs has been reached."}
    ministack.proxy.arm(fault)
    with pytest.raises(ClientError, match="VpcLimitExceeded"):
        through(ministack, "ec2").create_vpc(CidrBlock="10.42.0.0/16")


@pytest.mark.parametrize(("kind", "made"), [("error-500-before", 0), ("error-500-after-commit", 1)])
def test_errors_before_and_after_commit_differ_in_what_exists(rig: Rig, kind: str, made: int) -> None:
    rig.proxy.arm({"match": {"mutating": 1}, "kind": kind})
    with pytest.raises(ClientError):
        through(rig, "ec2").create_vpc(CidrBlock="10.42.0.0/16")
    assert vpcs(rig) == made
    assert [exchange.committed for exchange in rig.proxy.exchanges()] == [bool(made)]


@pytest.mark.parametrize(("kind", "made"), [("reset", 0), ("reset-after-commit", 1)])
def test_a_reset_breaks_the_connection(rig: Rig, kind: str, made: int) -> None:
    rig.proxy.arm({"match": {"mutating": 1}, "kind": kind})
    with pytest.raises(ConnectionClosedError):
        through(rig, "ec2").create_vpc(CidrBlock="10.42.0.0/16")
    assert vpcs(rig) == made


@pytest.mark.parametrize(("kind", "made"), [("silence", 0), ("silence-after-commit", 1)])
def test_silence_outlasts_the_clients_patience(rig: Rig, kind: str, made: int) -> None:
    rig.proxy.arm({"match": {"mutating": 1}, "kind": kind, "seconds": 30})
    start = time.monotonic()
    with pytest.raises(ReadTimeoutError):
        through(rig, "ec2", read_timeout=0.3).create_vpc(CidrBlock="10.42.0.0/16")
    assert time.monotonic() - start < 10
    rig.proxy.wait_idle()
    assert vpcs(rig) == made


@pytest.mark.parametrize(("kind", "made"), [("hold-before", 0), ("hold-after-commit", 1), ("after-answer", 1)])
def test_holds_tell_when_they_are_reached(rig: Rig, kind: str, made: int) -> None:
    rig.proxy.arm({"match": {"operation": "ec2:CreateVpc", "nth": 2}, "kind": kind})
    ec2 = through(rig, "ec2", read_timeout=3)
    ec2.create_vpc(CidrBlock="10.41.0.0/16")
    answers: list[Any] = []

    def call() -> None:
        try:
            answers.append(ec2.create_vpc(CidrBlock="10.42.0.0/16"))
            ec2.create_vpc(CidrBlock="10.43.0.0/16")  # Stalled for ever after `after-answer`.
        except (ReadTimeoutError, ConnectionClosedError) as error:
            answers.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    reached = rig.proxy.reached(10)
    assert reached == {"kind": kind, "sequence": 2, "operation": "ec2:CreateVpc"}
    # Asked before anything slow: the client gives up after a while.
    assert answers == [] or kind == "after-answer", "the client was not held"
    assert vpcs(rig) == 1 + made
    thread.join(30)
    assert vpcs(rig) == 1 + made


def test_pages_join_to_the_whole_list(rig: Rig) -> None:
    ec2, iam, eks = rig.client("ec2"), rig.client("iam"), rig.client("eks")
    vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.42.{index}.0/24")["Subnet"]["SubnetId"] for index in range(5)]
    for index in range(3):
        iam.create_role(RoleName=f"role-{index}", AssumeRolePolicyDocument=TRUST)
        arn = iam.get_role(RoleName="role-0")["Role"]["Arn"]
        eks.create_cluster(name=f"demo-{index}", roleArn=arn, resourcesVpcConfig={"subnetIds": subnets[:2]})
    rig.proxy.arm({"match": {"any": "list"}, "kind": "second-page", "times": 0})
    for service, operation, key, names in (
        ("ec2", "describe_subnets", "Subnets", lambda item: item["SubnetId"]),
        ("ec2", "describe_route_tables", "RouteTables", lambda item: item["RouteTableId"]),
        ("iam", "list_roles", "Roles", lambda item: item["RoleName"]),
        ("eks", "list_clusters", "clusters", lambda item: item),
    ):
        whole = getattr(rig.client(service), operation)()[key]
        first = getattr(through(rig, service), operation)()[key]
        paged = account.pages(through(rig, service), operation, key)
        assert len(first) == len(whole) // 2
        assert sorted(map(names, paged)) == sorted(map(names, whole))


def test_a_list_of_one_becomes_an_empty_page_and_the_one(ministack: Rig) -> None:
    ministack.client("iam").create_role(RoleName="only", AssumeRolePolicyDocument=TRUST)
    ministack.proxy.arm({"match": {"any": "list"}, "kind": "second-page", "times": 0})
    answer = through(ministack, "iam").list_roles()
    assert answer["Roles"] == [] and answer["IsTruncated"] and answer["Marker"]
    assert [role["RoleName"] for role in account.pages(through(ministack, "iam"), "list_roles", "Roles")] == ["only"]


def test_an_unknown_status_appears_once(rig: Rig) -> None:
    rig.client("ec2").create_vpc(CidrBlock="10.42.0.0/16")
    rig.proxy.arm({"match": {"operation": "ec2:DescribeVpcs"}, "kind": "unknown-enum"})
    ec2 = through(rig, "ec2")
    assert {vpc["State"] for vpc in ec2.describe_vpcs()["Vpcs"]} == {"FUTURE_STATE"}
    assert {vpc["State"] for vpc in ec2.describe_vpcs()["Vpcs"]} == {"available"}


def test_a_fault_that_changes_nothing_says_so(ministack: Rig) -> None:
    ministack.proxy.arm({"match": {"call": 1}, "kind": "unknown-enum"})
    through(ministack, "sts").get_caller_identity()
    assert [fault["skipped"] for fault in ministack.proxy.faults()] == [[1]]


def test_extra_fields_do_not_disturb_the_rest(rig: Rig) -> None:
    rig.client("ec2").create_vpc(CidrBlock="10.42.0.0/16", TagSpecifications=tagged("vpc", "vpc:demo"))
    rig.proxy.arm({"match": {"any": "call"}, "kind": "extra-field", "times": 0})
    plain, extra = rig.client("ec2").describe_vpcs()["Vpcs"], through(rig, "ec2").describe_vpcs()["Vpcs"]
    assert plain == extra
    through(rig, "eks").list_clusters()
    responses = [exchange.response for exchange in rig.proxy.exchanges()]
    assert b"futureField" in responses[0] and b"futureField" in responses[1]


def test_what_was_just_made_can_stay_invisible(rig: Rig) -> None:
    rig.proxy.arm({"match": {"operation": "ec2:CreateVpc"}, "kind": "stale-read", "seconds": 0.5})
    ec2 = through(rig, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16", TagSpecifications=tagged("vpc", "vpc:demo"))["Vpc"]["VpcId"]
    by_tag = [{"Name": f"tag:{account.RESOURCE_TAG}", "Values": ["vpc:demo"]}]
    assert ec2.describe_vpcs(Filters=by_tag)["Vpcs"] == []
    with pytest.raises(ClientError, match="InvalidVpcID.NotFound"):
        ec2.describe_vpcs(VpcIds=[vpc])
    deadline = time.monotonic() + 10
    while not ec2.describe_vpcs(Filters=by_tag)["Vpcs"]:
        assert time.monotonic() < deadline
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["VpcId"] == vpc


def test_a_new_cluster_can_stay_invisible(ministack: Rig) -> None:
    arn = ministack.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    ministack.proxy.arm({"match": {"operation": "eks:CreateCluster"}, "kind": "stale-read", "seconds": 60})
    eks = through(ministack, "eks")
    eks.create_cluster(name="demo", roleArn=arn, resourcesVpcConfig={"subnetIds": ["subnet-1"]})
    assert eks.list_clusters()["clusters"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        eks.describe_cluster(name="demo")


# ---------------------------------------------------------------- the model checker


def request(service: str, operation: str, values: dict[str, Any], *, signing: str | None = None) -> Exchange:
    """A request as botocore's own serializer writes it, without its validation, so that broken ones can be made."""
    import botocore.serialize

    model = operations.operation_model(Operation(service, operation))
    assert model is not None
    serializer = botocore.serialize.create_serializer(operations.protocol(service), include_validation=False)
    wire = serializer.serialize_to_request(values, model)
    body = wire["body"]
    if isinstance(body, dict):
        from urllib.parse import urlencode

        body = urlencode(body).encode()
    headers = (("Authorization", f"Credential=AK/20260101/us-east-1/{signing or service}/aws4_request"), *wire.get("headers", {}).items())
    return Exchange(1, Operation(service, operation), True, 1, wire["method"], wire["url_path"], headers, body or b"", None, b"", False, None)


NODEGROUP = {
    "clusterName": "demo", "nodegroupName": "worker", "subnets": ["subnet-1"], "nodeRole": "arn:aws:iam::123456789012:role/r",
    "clientRequestToken": "t", "taints": [{"key": "howso.com/nodetype", "value": "worker", "effect": "NO_SCHEDULE"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("service", "operation", "values"),
    [
        ("ec2", "CreateVpc", {"CidrBlock": "10.42.0.0/16", "TagSpecifications": tagged("vpc", "vpc:demo")}),
        ("ec2", "DescribeSubnets", {"Filters": [{"Name": "vpc-id", "Values": ["a", "b"]}], "MaxResults": 50}),
        ("iam", "CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": TRUST, "Tags": [{"Key": "a", "Value": ""}]}),
        ("eks", "CreateNodegroup", NODEGROUP),
        ("autoscaling", "CreateOrUpdateTags", {"Tags": [{"ResourceId": "g", "ResourceType": "auto-scaling-group", "Key": "k", "PropagateAtLaunch": False}]}),
    ],
)
def test_right_requests_pass_the_model_check(service: str, operation: str, values: dict[str, Any]) -> None:
    assert request(service, operation, values).model_faults() == []


@pytest.mark.parametrize(
    ("service", "operation", "values", "complaint"),
    [
        ("eks", "CreateNodegroup", {key: value for key, value in NODEGROUP.items() if key != "subnets"}, "required subnets is missing"),
        ("eks", "CreateNodegroup", NODEGROUP | {"taints": [{"key": "a", "effect": "NoSchedule"}]}, "'NoSchedule' is not one of"),
        ("eks", "CreateNodegroup", NODEGROUP | {"labels": {"a": ""}}, "below the least allowed"),
        ("eks", "CreateNodegroup", NODEGROUP | {"scalingConfig": {"minSize": 0, "maxSize": 0, "desiredSize": 0}}, "below the least allowed"),
        ("iam", "CreateRole", {"RoleName": "r" * 65, "AssumeRolePolicyDocument": TRUST}, "above the most allowed"),
        ("iam", "CreateRole", {"RoleName": "no spaces", "AssumeRolePolicyDocument": TRUST}, "does not match"),
        ("iam", "CreateRole", {"RoleName": "r"}, "required AssumeRolePolicyDocument is missing"),
        ("ec2", "CreateSubnet", {"CidrBlock": "10.0.0.0/24"}, "required VpcId is missing"),
        ("ec2", "CreateNatGateway", {"SubnetId": "subnet-1", "ConnectivityType": "secret"}, "'secret' is not one of"),
        ("ec2", "DescribeSubnets", {"MaxResults": "many"}, "is not a integer"),
    ],
)
def test_broken_requests_fail_the_model_check(service: str, operation: str, values: dict[str, Any], complaint: str) -> None:
    faults = request(service, operation, values).model_faults()
    assert any(complaint in fault for fault in faults), faults


def raw(service: str, operation: str, method: str, target: str, body: bytes) -> list[str]:
    return model_check.check_request(Operation(service, operation), target, [], body)


def test_fields_that_the_model_does_not_have_fail_the_check() -> None:
    assert raw("ec2", "CreateVpc", "POST", "/", b"Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16&Colour=red") == [
        "ec2:CreateVpc: unknown parameter Colour"
    ]
    assert raw("ec2", "CreateVpc", "POST", "/", b"Action=CreateVpc&TagSpecification.1.Tag.1.Label=x") == [
        "ec2:CreateVpc: unknown parameter TagSpecifications[0].Tags[0].Label"
    ]
    faults = raw("eks", "UpdateNodegroupConfig", "POST", "/clusters/demo/node-groups/worker/update-config?force=1", b'{"labels": {"add": {}}, "size": 3}')
    assert faults == [
        "eks:UpdateNodegroupConfig: unknown parameter query parameter force",
        "eks:UpdateNodegroupConfig: unknown parameter labels.add",
        "eks:UpdateNodegroupConfig: unknown parameter size",
    ]
    assert raw("ec2", "FrobnicateVpc", "POST", "/", b"Action=FrobnicateVpc") == ["ec2:FrobnicateVpc: the model has no such operation"]


def test_the_check_runs_on_what_was_recorded(ministack: Rig) -> None:
    ec2 = through(ministack, "ec2", parameter_validation=False)
    ec2.describe_vpcs()
    assert ministack.proxy.model_faults() == []
    with pytest.raises(ClientError):
        ec2.create_nat_gateway(ConnectivityType="secret", SubnetId="")
    faults = ministack.proxy.model_faults()
    assert any("'secret' is not one of" in fault for fault in faults)
    ministack.proxy.reset()  # What was broken on purpose is not held against this test.


# ---------------------------------------------------------------- the inventory


def small_account(rig: Rig, deployment: str, extra_subnet: bool = False) -> account.Inventory:
    rig.reset()
    ec2, iam = rig.client("ec2"), rig.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16", TagSpecifications=tagged("vpc", "vpc:demo", deployment))["Vpc"]["VpcId"]
    for index in range(2 if extra_subnet else 1):
        subnet = ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.42.{index}.0/24", AvailabilityZone="us-east-1a", TagSpecifications=tagged("subnet", "subnet:a", deployment)
        )["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table", "table:a", deployment))["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    tags = {account.DEPLOYMENT_TAG: deployment, account.RESOURCE_TAG: "role:a", account.CLUSTER_TAG: "demo"}
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    return account.inventory(rig.client)


def test_equal_accounts_compare_equal_whatever_their_ids(rig: Rig) -> None:
    first, second = small_account(rig, "0" * 32), small_account(rig, "a1" * 16)
    assert account.differences(first, second) == []
    assert set(first) == {"vpc/vpc:demo", "subnet/subnet:a", "route-table/table:a", "role/role:a"}
    assert first["subnet/subnet:a"]["VpcId"] == "vpc/vpc:demo"


def test_a_duplicate_shows(ministack: Rig) -> None:
    calm, doubled = small_account(ministack, "0" * 32), small_account(ministack, "0" * 32, extra_subnet=True)
    assert any("subnet/subnet:a#2" in line for line in account.differences(calm, doubled))


def test_a_missing_tag_and_a_changed_attribute_show(ministack: Rig) -> None:
    calm = small_account(ministack, "0" * 32)
    small_account(ministack, "0" * 32)
    vpc = next(vpc for vpc in ministack.client("ec2").describe_vpcs()["Vpcs"] if not vpc["IsDefault"])["VpcId"]
    ministack.client("ec2").modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    ministack.client("ec2").delete_tags(Resources=[vpc], Tags=[{"Key": account.CLUSTER_TAG}])
    lines = account.differences(calm, account.inventory(ministack.client))
    assert "vpc/vpc:demo: enableDnsHostnames is True, expected False" in lines
    assert any(account.CLUSTER_TAG in line for line in lines)
