"""Line 9: what a user can get wrong that takes EKS or a server to notice. What needs neither is in `crates/cli/tests/wiring`.

Every case is compared as a whole: exit code, standard output, standard error. Nothing is ever changed, and nothing is asked where the
specification alone tells.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import snapshots
from conftest import CLUSTER, SPEC, Cli, Result, Rig
from snapshots import FOLDER, Compare, rendered

UP = ("up", "--until", "cloud", "--yes")
# Without the plan, which is not what these tests are about.
QUIETLY = (*UP, "--quiet")
GOOD = f'name = "{CLUSTER}"\nprovider = "eks"\nregion = "us-east-1"\nprofile = "large"\n'


@pytest.fixture
def cli_for(cli_for: Any) -> Any:
    """Patient programs: the first call of a service takes a server long on a busy machine, and here that must not show."""
    return lambda rig, name="home", **settings: cli_for(rig, name, **{"HOWSO_INFRA_ENGINE__REQUEST_TIMEOUT": "60s"} | settings)


def snapshot_of(cli: Cli, rig: Rig, result: Result) -> str:
    return rendered(result, {str(cli.home): "HOME", rig.proxy.endpoint: "ENDPOINT"})


def is_told_well(result: Result) -> None:
    """Whatever the words: data and news apart, what failed first, and what to do."""
    assert result.stdout == "", "standard output is for data"
    assert "error: " in result.stderr, result
    assert "hint: " in result.stderr or "such as" in result.stderr, result


# ---------------------------------------------------------------- what the specification alone tells

WITHOUT_A_CALL = {
    # Machines.
    "an_unknown_instance_type": '[core.machine]\ntypes = ["m6i.2xlarg"]\n',
    "an_instance_type_of_another_architecture": '[core.machine]\ntypes = ["m7g.2xlarge"]\n',
    "a_shape_that_no_machine_has": '[workers.default.machine]\ncpu = 1000\nmemory = "64Gi"\n',
    # Networks.
    "a_service_network_inside_of_the_network": '[eks.network]\nservice_cidr = "10.42.128.0/20"\n',
    "a_network_inside_of_the_service_network": '[eks.network]\ncidr = "172.20.0.0/20"\nservice_cidr = "172.20.0.0/16"\n',
    "a_network_of_public_addresses": '[eks.network]\ncidr = "203.0.113.0/20"\n',
    "a_network_that_is_too_small": '[eks.network]\ncidr = "10.42.0.0/26"\n',
    "a_network_that_is_an_address": '[eks.network]\ncidr = "10.42.1.1/16"\n',
    "a_network_that_is_no_block": '[eks.network]\ncidr = "10.42.0.0"\n',
    "a_vpc_that_is_no_id": '[eks.network]\nvpc = "my-network"\nprivate_subnets = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]\n',
    "a_subnet_that_is_no_id": '[eks.network]\nvpc = "vpc-0123456789abcdef0"\nprivate_subnets = ["private-a", "subnet-0123456789abcdef1"]\n',
    "subnets_without_their_network": '[eks.network]\nprivate_subnets = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]\n',
    "a_network_with_one_subnet": '[eks.network]\nvpc = "vpc-0123456789abcdef0"\nprivate_subnets = ["subnet-0123456789abcdef0"]\n',
    "a_subnet_twice": '[eks.network]\nvpc = "vpc-0123456789abcdef0"\nprivate_subnets = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef0"]\n',
    "an_existing_network_with_addresses": '[eks.network]\nvpc = "vpc-0123456789abcdef0"\ncidr = "10.42.0.0/16"\n'
    'private_subnets = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]\n',
    # Zones.
    "one_zone": "zones = 1\n",
    "one_named_zone": '[eks]\nzones = ["us-east-1a"]\n',
    "a_zone_of_another_region": '[eks]\nzones = ["us-east-1a", "us-east-1b", "eu-west-1a"]\n',
    "fewer_zones_than_wanted": '[eks]\nzones = ["us-east-1a", "us-east-1b"]\n',
    # Identities.
    "an_administrator_that_is_a_name": '[eks]\nadmins = ["ann"]\n',
    "an_administrator_that_is_a_session": '[eks]\nadmins = ["arn:aws:sts::123456789012:assumed-role/Deployer/ann"]\n',
    "an_administrator_in_an_account_of_eleven_digits": '[eks]\nadmins = ["arn:aws:iam::12345678901:role/Deployer"]\n',
    "an_administrator_twice": '[eks]\nadmins = ["arn:aws:iam::123456789012:role/Deployer", "arn:aws:iam::123456789012:role/Deployer"]\n',
    "a_role_that_is_a_name": '[eks.iam]\ncluster_role = "ClusterRole"\n',
    "a_role_that_is_a_policy": '[eks.iam]\nnode_role = "arn:aws:iam::123456789012:policy/Nodes"\n',
    "a_boundary_that_is_a_role": '[eks.iam]\npermissions_boundary = "arn:aws:iam::123456789012:role/Boundary"\n',
    "a_path_without_slashes": '[eks.iam]\npath = "howso"\n',
    "a_key_that_is_an_alias": '[eks]\nkms_key = "alias/howso"\n',
    "a_key_of_another_region": '[eks]\nkms_key = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"\n',
    # The rest of the table.
    "an_unknown_key_of_eks": "[eks]\nzone = 3\n",
    "an_unknown_addon": "[eks.addons]\nmetric_server = false\n",
    "an_address_of_another_protocol": '[kubernetes]\napi_access = ["2001:db8::/32"]\n',
    "several_mistakes_of_eks_at_once": '[core.machine]\ntypes = ["m6i.2xlarg"]\n[eks]\nadmins = ["ann"]\nkms_key = "alias/howso"\n[eks.network]\ncidr = "8.8.0.0/16"\n',
}  # fmt: skip


@pytest.mark.parametrize("name", WITHOUT_A_CALL)
def test_a_wrong_specification_is_told_without_a_call(cli: Cli, ministack: Rig, compare_snapshot: Compare, name: str) -> None:
    more = WITHOUT_A_CALL[name]
    cli.configure(GOOD + more if not more.startswith("zones") else more + GOOD)
    result = cli.run(*UP)
    assert ministack.proxy.exchanges() == []
    is_told_well(result)
    assert "howso-infra.toml:" in result.stderr, "it does not say where"
    compare_snapshot(f"bad_input/{name}", snapshot_of(cli, ministack, result))
    result.expect(2)


def test_a_removal_of_another_cluster_is_refused_without_a_call(cli: Cli, ministack: Rig, compare_snapshot: Compare) -> None:
    result = cli.run("down", "--profile", "large", *SPEC, "--yes", "other")
    assert ministack.proxy.exchanges() == []
    is_told_well(result)
    compare_snapshot("bad_input/a_removal_of_another_cluster", snapshot_of(cli, ministack, result))
    result.expect(2)


# ---------------------------------------------------------------- credentials


def no_credentials(cli: Cli) -> dict[str, str]:
    return {}


def a_profile_that_is_not_there(cli: Cli) -> dict[str, str]:
    return {"AWS_PROFILE": "work"}


def a_configuration_that_is_no_configuration(cli: Cli) -> dict[str, str]:
    (cli.home / ".aws").mkdir()
    (cli.home / ".aws" / "config").write_text("this is not a configuration\n")
    return {"AWS_PROFILE": "work"}


def half_a_key(cli: Cli) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}


def a_helper_that_is_not_there(cli: Cli) -> dict[str, str]:
    (cli.home / ".aws").mkdir()
    (cli.home / ".aws" / "config").write_text("[profile work]\ncredential_process = /nowhere/helper\n")
    return {"AWS_PROFILE": "work"}


def a_sign_on_that_never_was(cli: Cli) -> dict[str, str]:
    (cli.home / ".aws").mkdir()
    (cli.home / ".aws" / "config").write_text(
        "[profile work]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = admin\n"
        "[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"
    )
    return {"AWS_PROFILE": "work"}


SOURCES = [no_credentials, a_profile_that_is_not_there, a_configuration_that_is_no_configuration, half_a_key, a_helper_that_is_not_there, a_sign_on_that_never_was]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_credentials_that_cannot_be_had_are_told_without_a_call(
    cli: Cli, ministack: Rig, compare_snapshot: Compare, source: Callable[[Cli], dict[str, str]]
) -> None:
    cli.credentials = {}
    cli.configure(GOOD)
    result = cli.run(*UP, env=source(cli))
    assert ministack.proxy.exchanges() == []
    is_told_well(result)
    compare_snapshot(f"bad_input/{source.__name__}", snapshot_of(cli, ministack, result))
    result.expect(5)


@pytest.mark.parametrize("verb", ["plan", "status", "down", "doctor"])
def test_every_verb_tells_that_there_are_no_credentials(cli: Cli, ministack: Rig, compare_snapshot: Compare, verb: str) -> None:
    cli.credentials = {}
    cli.configure(GOOD)
    result = cli.run(verb)
    assert ministack.proxy.exchanges() == []
    compare_snapshot(f"bad_input/no_credentials_for_{verb}", snapshot_of(cli, ministack, result))
    result.expect(5)


# ---------------------------------------------------------------- what the account refuses to be asked


@dataclass(frozen=True)
class Refused:
    fault: dict[str, Any]
    code: int
    more: dict[str, str] = field(default_factory=dict)


def every_time(operation: str | None, kind: str, **more: Any) -> dict[str, Any]:
    match = {"operation": operation} if operation else {"any": "call"}
    return {"match": match, "kind": kind, "times": 0, **more}


REFUSED = {
    "credentials_that_have_expired": Refused(every_time(None, "expired-token"), 5),
    "a_key_that_nobody_knows": Refused(every_time(None, "error", status=403, code="InvalidClientTokenId", message="The security token included in the request is invalid."), 5),
    "a_permission_for_nothing": Refused(every_time(None, "access-denied"), 5),
    "a_permission_that_lacks_networks": Refused(every_time("ec2:DescribeVpcs", "access-denied"), 5),
    "a_permission_that_lacks_clusters": Refused(every_time("eks:DescribeCluster", "access-denied"), 5),
    "a_permission_that_lacks_roles": Refused(every_time("iam:GetRole", "access-denied"), 5),
    "a_permission_that_lacks_zones": Refused(every_time("ec2:DescribeAvailabilityZones", "access-denied"), 5),
    "a_region_that_is_not_turned_on": Refused(
        every_time(None, "error", status=401, code="AuthFailure", message="AWS was not able to validate the provided access credentials"), 5
    ),
    "a_server_that_is_silent": Refused(every_time(None, "silence", seconds=30), 1, {"HOWSO_INFRA_ENGINE__REQUEST_TIMEOUT": "1s"}),
    "a_server_that_hangs_up": Refused(every_time(None, "reset"), 1),
    "a_server_that_is_broken": Refused(every_time(None, "error-500-before"), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_account_refuses_is_told(cli: Cli, ministack: Rig, compare_snapshot: Compare, name: str) -> None:
    refused = REFUSED[name]
    cli.configure(GOOD)
    ministack.proxy.arm(refused.fault)
    result = cli.run(*QUIETLY, env=refused.more)
    assert ministack.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot(f"bad_input/{name}", snapshot_of(cli, ministack, result))
    result.expect(refused.code)


# ---------------------------------------------------------------- endpoints


@pytest.fixture
def answering() -> Iterator[Callable[[int, str, bytes], str]]:
    """Starts servers that answer everything alike."""
    servers: list[HTTPServer] = []

    def start(status: int, kind: str, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_an_endpoint_where_nobody_listens_is_told(cli: Cli, ministack: Rig, compare_snapshot: Compare) -> None:
    cli.configure(GOOD)
    result = cli.run(*QUIETLY, env={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port()}"})
    is_told_well(result)
    compare_snapshot("bad_input/an_endpoint_where_nobody_listens", snapshot_of(cli, ministack, result))
    result.expect(1)


@pytest.mark.parametrize(
    ("name", "status", "kind", "body"),
    [
        ("an_endpoint_that_answers_nothing", 200, "text/plain", b""),
        ("an_endpoint_that_is_a_web_site", 200, "text/html", b"<html><body><h1>It works!</h1></body></html>"),
        ("an_endpoint_that_is_another_service", 404, "application/json", b'{"detail": "Not Found"}'),
    ],
    ids=lambda part: part if isinstance(part, str) and part.startswith("an_") else "",
)
def test_an_endpoint_that_is_not_aws_is_told(
    cli: Cli, ministack: Rig, compare_snapshot: Compare, answering: Callable[[int, str, bytes], str], name: str, status: int, kind: str, body: bytes
) -> None:
    cli.configure(GOOD)
    result = cli.run(*QUIETLY, env={"AWS_ENDPOINT_URL": answering(status, kind, body)})
    is_told_well(result)
    compare_snapshot(f"bad_input/{name}", snapshot_of(cli, ministack, result))
    result.expect(1)


def test_an_endpoint_that_is_no_address_is_told(cli: Cli, ministack: Rig, compare_snapshot: Compare) -> None:
    cli.configure(GOOD)
    result = cli.run(*QUIETLY, env={"AWS_ENDPOINT_URL": "localhost/aws"})
    assert ministack.proxy.exchanges() == []
    is_told_well(result)
    compare_snapshot("bad_input/an_endpoint_that_is_no_address", snapshot_of(cli, ministack, result))


# ---------------------------------------------------------------- networks that exist


@dataclass
class Network:
    vpc: str
    subnets: list[str]


def network(rig: Rig, zones: tuple[str, ...], cidr: str = "10.7", prefix: int = 24, with_names: bool = True) -> Network:
    """Made by somebody else, with boto3."""
    ec2 = rig.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=f"{cidr}.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": with_names})
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"{cidr}.{index}.0/{prefix}", AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
        for index, zone in enumerate(zones)
    ]
    return Network(vpc, subnets)


def use(cli: Cli, vpc: str, private: list[str], public: list[str] | None = None) -> None:
    lines = f'[eks.network]\nvpc = "{vpc}"\nprivate_subnets = {json.dumps(private)}\n'
    cli.configure(GOOD + lines + (f"public_subnets = {json.dumps(public)}\n" if public else ""))


def a_foreign_vpc(cli: Cli, rig: Rig) -> None:
    use(cli, "vpc-0123456789abcdef0", network(rig, ("a", "b")).subnets)


def a_subnet_that_is_not_there(cli: Cli, rig: Rig) -> None:
    there = network(rig, ("a", "b"))
    use(cli, there.vpc, [there.subnets[0], "subnet-0123456789abcdef0"])


def a_subnet_of_another_network(cli: Cli, rig: Rig) -> None:
    ours, other = network(rig, ("a", "b")), network(rig, ("c",), cidr="10.8")
    use(cli, ours.vpc, [*ours.subnets, *other.subnets])


def subnets_in_one_zone_only(cli: Cli, rig: Rig) -> None:
    there = network(rig, ("a", "a"))
    use(cli, there.vpc, there.subnets)


def a_public_subnet_that_is_not_there(cli: Cli, rig: Rig) -> None:
    there = network(rig, ("a", "b"))
    use(cli, there.vpc, there.subnets, ["subnet-0123456789abcdef0"])


def a_network_without_host_names(cli: Cli, rig: Rig) -> None:
    there = network(rig, ("a", "b"), with_names=False)
    use(cli, there.vpc, there.subnets)


def a_subnet_that_is_nearly_full(cli: Cli, rig: Rig) -> None:
    there = network(rig, ("a", "b"), prefix=29)
    use(cli, there.vpc, there.subnets)


NETWORKS = [
    a_foreign_vpc,
    a_subnet_that_is_not_there,
    a_subnet_of_another_network,
    subnets_in_one_zone_only,
    a_public_subnet_that_is_not_there,
    a_network_without_host_names,
    a_subnet_that_is_nearly_full,
]


UNFIT_FOR = {
    # It says of every subnet that it has plenty of addresses.
    "ministack": [a_subnet_that_is_nearly_full],
    # It names any of the subnets that were asked for, also one that is there, and another one in every process.
    "moto": [a_subnet_that_is_not_there],
}


@pytest.mark.parametrize(
    ("server", "made"),
    [(server, made) for server in ("ministack", "moto") for made in NETWORKS if made not in UNFIT_FOR[server]],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_a_network_that_is_not_fit_is_told(
    cli_for: Any, request: pytest.FixtureRequest, compare_snapshot: Compare, server: str, made: Callable[[Cli, Rig], None]
) -> None:
    rig: Rig = request.getfixturevalue(server)
    cli: Cli = cli_for(rig)
    made(cli, rig)
    off = OFF if server == "moto" else {}
    result = cli.run(*QUIETLY, env=off)
    assert rig.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot(f"bad_input/{made.__name__}_on_{server}", snapshot_of(cli, rig, result))
    result.expect(2)


# ---------------------------------------------------------------- what the region and the account have


OFF = {"HOWSO_INFRA_ADDONS": "false", "HOWSO_INFRA_AUTOSCALER__ENABLED": "false"}


def test_a_region_without_the_type_is_told(cli_for: Any, moto: Rig, compare_snapshot: Compare) -> None:
    cli: Cli = cli_for(moto, **OFF)
    cli.configure(GOOD.replace("us-east-1", "ap-southeast-4") + '[core.machine]\ntypes = ["m6a.2xlarge"]\n')
    result = cli.run(*QUIETLY)
    assert moto.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/a_region_without_the_type", snapshot_of(cli, moto, result))
    result.expect(6)


def test_a_region_with_too_few_zones_is_told(cli_for: Any, moto: Rig, compare_snapshot: Compare) -> None:
    cli: Cli = cli_for(moto, **OFF)
    cli.configure(GOOD.replace("us-east-1", "us-west-1"))
    result = cli.run(*QUIETLY)
    assert moto.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/a_region_with_too_few_zones", snapshot_of(cli, moto, result))
    result.expect(2)


def test_zones_that_the_account_does_not_have_are_told(cli: Cli, ministack: Rig, compare_snapshot: Compare) -> None:
    cli.configure(GOOD + '[eks]\nzones = ["us-east-1a", "us-east-1b", "us-east-1f"]\n')
    result = cli.run(*QUIETLY)
    assert ministack.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/zones_that_the_account_does_not_have", snapshot_of(cli, ministack, result))
    result.expect(2)


def test_more_workers_than_the_quota_allows_are_told(cli_for: Any, supplemented: Rig, compare_snapshot: Compare) -> None:
    cli: Cli = cli_for(supplemented)
    cli.configure(GOOD)
    result = cli.run(*QUIETLY, "--worker-max", "100")
    assert supplemented.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/more_workers_than_the_quota_allows", snapshot_of(cli, supplemented, result))
    result.expect(6)


def test_a_kubernetes_version_that_eks_does_not_have_is_told(cli_for: Any, supplemented: Rig, compare_snapshot: Compare) -> None:
    cli: Cli = cli_for(supplemented)
    cli.configure(GOOD)
    result = cli.run(*QUIETLY, "--kubernetes-version", "1.99")
    assert supplemented.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/a_kubernetes_version_that_eks_does_not_have", snapshot_of(cli, supplemented, result))
    result.expect(2)


def test_a_kubernetes_version_going_back_is_told(cli_for: Any, supplemented: Rig, compare_snapshot: Compare) -> None:
    cli: Cli = cli_for(supplemented)
    cli.configure(GOOD)
    cli.run(*QUIETLY, "--kubernetes-version", "1.35").expect(0)
    supplemented.proxy.reset()
    result = cli.run(*QUIETLY, "--kubernetes-version", "1.34")
    assert supplemented.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/a_kubernetes_version_going_back", snapshot_of(cli, supplemented, result))
    result.expect(2)


# ---------------------------------------------------------------- what is there already


ROLE_TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


def test_a_cluster_of_somebody_else_with_the_name_is_told(cli: Cli, ministack: Rig, compare_snapshot: Compare) -> None:
    role = ministack.client("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument=ROLE_TRUST)["Role"]["Arn"]
    there = network(ministack, ("a", "b"))
    ministack.client("eks").create_cluster(name=CLUSTER, roleArn=role, resourcesVpcConfig={"subnetIds": there.subnets})
    cli.configure(GOOD)
    result = cli.run(*QUIETLY)
    assert ministack.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/a_cluster_of_somebody_else", snapshot_of(cli, ministack, result))
    result.expect(7)


def test_a_saved_plan_whose_cloud_has_changed_is_told(cli: Cli, ministack: Rig, compare_snapshot: Compare) -> None:
    cli.configure(GOOD)
    cli.run("plan", "--until", "cloud", "--out", "plan.json").expect(0)
    cli.run(*QUIETLY).expect(0)
    ministack.proxy.reset()
    result = cli.run(*QUIETLY, "plan.json")
    assert ministack.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/a_saved_plan_whose_cloud_has_changed", snapshot_of(cli, ministack, result))


def test_a_saved_plan_of_another_specification_is_told(cli: Cli, ministack: Rig, compare_snapshot: Compare) -> None:
    cli.configure(GOOD)
    cli.run("plan", "--until", "cloud", "--out", "plan.json").expect(0)
    ministack.proxy.reset()
    result = cli.run(*QUIETLY, "plan.json", "--worker-max", "7")
    assert ministack.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/a_saved_plan_of_another_specification", snapshot_of(cli, ministack, result))


def test_access_to_a_cluster_that_is_not_there_is_told(cli: Cli, ministack: Rig, compare_snapshot: Compare) -> None:
    cli.configure(GOOD)
    result = cli.run("kubeconfig")
    assert ministack.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/access_to_a_cluster_that_is_not_there", snapshot_of(cli, ministack, result))


def test_a_change_that_needs_a_replacement_is_told(cli: Cli, ministack: Rig, compare_snapshot: Compare) -> None:
    cli.configure(GOOD)
    cli.run(*QUIETLY).expect(0)
    ministack.proxy.reset()
    result = cli.run(*QUIETLY, "--set", "eks.network.service_cidr=172.20.0.0/16")
    assert ministack.proxy.mutations() == []
    is_told_well(result)
    compare_snapshot("bad_input/a_change_that_needs_a_replacement", snapshot_of(cli, ministack, result))


def test_another_text_than_the_snapshot_is_told_with_the_difference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(snapshots, "FOLDER", tmp_path)
    (tmp_path / "known.txt").write_text("error: one\nhint: two\n")
    snapshots.compare("known", "error: one\nhint: two\n")
    with pytest.raises(AssertionError, match=r"(?s)-hint: two.*\+hint: three"):
        snapshots.compare("known", "error: one\nhint: three\n")
    with pytest.raises(AssertionError, match="there is no snapshot unknown"):
        snapshots.compare("unknown", "error: one\n")


def test_ids_of_servers_are_numbered_and_examples_stay() -> None:
    text = "subnet-0a1b2c3d4e5f60718 is in vpc-0a1b2c3d, subnet-0a1b2c3d4e5f60718 is not in vpc-0123456789abcdef0, in 0.4 s"
    assert snapshots.normalised(text, {}) == "subnet-ID1 is in vpc-ID2, subnet-ID1 is not in vpc-0123456789abcdef0, in N s"


def test_every_snapshot_belongs_to_a_test() -> None:
    """A snapshot that nothing compares any more says nothing."""
    source = "\n".join(path.read_text() for path in FOLDER.parent.glob("test_*.py"))
    orphans = [path.stem for path in FOLDER.rglob("*.txt") if not any(part in source for part in parts(path.stem))]
    assert orphans == []


def parts(stem: str) -> list[str]:
    """The names by which a test may know a snapshot."""
    before, _, last = stem.rpartition("_")
    return [f'"{stem}"', f"/{stem}", f"def {stem}(", f"def {before.removesuffix('_on')}(", f"/{before}_{{"] if last else [stem]
