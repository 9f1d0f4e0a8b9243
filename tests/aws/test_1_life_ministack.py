"""Line 1: `up --profile large` on ministack, from an empty account to done, read back with boto3."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

import account
import expected
from conftest import CLUSTER, SPEC, Cli, Rig


def test_large_makes_all_of_it_and_nothing_else(cli: Cli, ministack: Rig) -> None:
    before = account.inventory(ministack.client)
    assert before == {}
    cli.up().expect(0)
    exchanges = ministack.proxy.exchanges()
    caller = ministack.client("iam").get_user(UserName="operator")["User"]["Arn"]

    _, private = expected.check_network(ministack)
    expected.check_roles(ministack)
    expected.check_cluster(ministack, private)
    expected.check_create_cluster_call(exchanges)
    expected.check_node_groups(ministack, private)
    expected.check_launch_templates(ministack, exchanges)
    expected.check_autoscaling_tags(ministack)
    expected.check_addons_and_access(ministack, caller)
    expected.check_order(exchanges)
    expected.check_tags(ministack)

    kinds = sorted(name.split("/")[0] for name in account.inventory(ministack.client))
    surplus = set(kinds) - expected.EC2_KINDS - {"role", "cluster", "nodegroup", "addon", "access-entry", "pod-identity", "autoscaling-group"}
    assert not surplus, f"things that no graph asks for: {surplus}"


def test_tags_go_in_the_create_call_itself(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    late = [str(exchange) for exchange in ministack.proxy.mutations() if exchange.key in ("ec2:CreateTags", "iam:TagRole", "eks:TagResource")]
    assert late == []


def test_nothing_is_refused_or_repeated_on_a_calm_server(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    mutations = ministack.proxy.mutations()
    assert [str(exchange) for exchange in mutations if not exchange.succeeded()] == []
    sent = [(exchange.key, exchange.target, exchange.body) for exchange in mutations]
    assert len(set(sent)) == len(sent), "the same call twice"


def test_a_kubeconfig_is_written_for_its_owner_only(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    path = cli.home / ".kube" / f"howso-{CLUSTER}.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    endpoint = ministack.client("eks").describe_cluster(name=CLUSTER)["cluster"]["endpoint"]
    assert endpoint in path.read_text()


@pytest.fixture
def address_service() -> Iterator[Callable[[str], dict[str, str]]]:
    """A page that tells visitors an address. Called with one it returns the setting that names the page; `asked` has the headers
    of those who asked since."""
    asked: list[dict[str, str]] = []
    told = ""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 (the name that the library wants)
            asked.append({name.lower(): value for name, value in self.headers.items()})
            body = f"{told}\n".encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, daemon=True).start()

    def tell(address: str) -> dict[str, str]:
        nonlocal told
        told = address
        asked.clear()
        return {"HOWSO_INFRA_EKS__ADDRESS_SERVICE": f"http://127.0.0.1:{server.server_port}"}

    tell.asked = asked
    yield tell
    server.shutdown()
    server.server_close()


def endpoint(rig: Rig) -> tuple[bool, bool, list[str]]:
    access = rig.client("eks").describe_cluster(name=CLUSTER)["cluster"]["resourcesVpcConfig"]
    return access["endpointPrivateAccess"], access["endpointPublicAccess"], access.get("publicAccessCidrs", [])


def test_the_api_is_reachable_from_where_the_cluster_was_made(cli: Cli, ministack: Rig, address_service: Callable) -> None:
    env = address_service("198.51.100.7")
    cli.up(env=env).expect(0)
    assert endpoint(ministack) == (True, True, ["198.51.100.7/32"])
    assert len(address_service.asked) == 1, "one plan, one question"
    assert not {"authorization", "x-amz-security-token", "x-amz-date"} & set(address_service.asked[0])
    # From another place the same cluster is as wanted, and nobody is asked.
    ministack.proxy.reset()
    for verb in (cli.up, cli.plan):
        verb(env=address_service("192.0.2.1")).expect(0)
    cli.run("drift", "--profile", "large", *SPEC, "--until", "cloud", env=env).expect(0)
    assert ministack.proxy.mutations() == [] and address_service.asked == []
    # Whoever names networks gets these.
    changed = cli.plan("--set", 'kubernetes.api_access=["203.0.113.0/24"]', env=env).expect(3)
    assert "public_access_cidrs: [198.51.100.7/32] -> [203.0.113.0/24]" in changed.stdout + changed.stderr


def test_without_an_address_the_api_stays_private_and_that_is_said(cli: Cli, ministack: Rig) -> None:
    result = cli.up().expect(0)
    assert endpoint(ministack)[:2] == (True, False)
    assert "did not tell this machine's address" in result.stderr
    assert "kubernetes.api_access" in result.stderr
