"""Line 1: `up --profile large` on ministack, from an empty account to done, read back with boto3."""

from __future__ import annotations

import stat

import account
import expected
from conftest import CLUSTER, Cli, Rig


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
