"""Line 2: a second `up` changes nothing, with and without the local state; counted at the proxy."""

from __future__ import annotations

import shutil

import pytest

import account
import expected
from conftest import CLUSTER, SPEC, Cli, Rig


def quiet(rig: Rig, what: str) -> None:
    mutations = rig.proxy.mutations()
    print(f"{what}: {len(rig.proxy.exchanges())} calls, {len(mutations)} mutating")
    assert [str(exchange) for exchange in mutations] == []
    assert rig.proxy.exchanges(), "it did not even look"


def test_a_second_up_changes_nothing(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    before = account.inventory(ministack.client)
    for run in range(5):
        ministack.proxy.reset()
        cli.up().expect(0)
        quiet(ministack, f"up number {run + 2}")
    assert account.differences(before, account.inventory(ministack.client)) == []


def test_without_local_state_nothing_changes_and_the_journal_comes_back(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    deployment = expected.check_tags(ministack)
    before = account.inventory(ministack.client)
    assert cli.state.is_dir(), "the state directory is not where the documentation says"
    shutil.rmtree(cli.state)
    ministack.proxy.reset()
    cli.up().expect(0)
    quiet(ministack, "up without state")
    assert account.differences(before, account.inventory(ministack.client)) == []
    journals = [path for path in cli.state.rglob("*") if path.is_file() and deployment in path.read_text(errors="replace")]
    assert journals, "no journal with the deployment's id was rebuilt from the tags"
    assert expected.check_tags(ministack) == deployment


def test_plan_drift_and_status_only_read(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    ministack.proxy.reset()
    cli.plan().expect(0)
    quiet(ministack, "plan")
    ministack.proxy.reset()
    cli.run("drift", "--profile", "large", *SPEC, "--until", "cloud").expect(0)
    quiet(ministack, "drift")
    ministack.proxy.reset()
    assert CLUSTER in cli.run("status", "--profile", "large", *SPEC, "--until", "cloud").expect(0).stdout
    quiet(ministack, "status")


@pytest.mark.parametrize("verb", [("autoscale",), ("up", "--yes", "--autoscale")], ids=" ".join)
def test_a_cluster_that_aws_scales_is_not_scaled_here_too(cli: Cli, ministack: Rig, verb: tuple[str, ...]) -> None:
    refused = cli.run(*verb, "--profile", "large", *SPEC).expect(2)
    assert "scaled by the cluster itself" in refused.stderr, refused.stderr
    quiet(ministack, " ".join(verb))


def test_a_plan_of_an_empty_account_only_reads(cli: Cli, ministack: Rig) -> None:
    cli.plan().expect(3)
    quiet(ministack, "plan from nothing")
    assert account.inventory(ministack.client) == {}


def test_what_was_deleted_by_hand_is_made_again_and_only_that(cli: Cli, ministack: Rig) -> None:
    cli.up().expect(0)
    before = account.inventory(ministack.client)
    ministack.client("eks").delete_addon(clusterName=CLUSTER, addonName="metrics-server")
    ministack.proxy.reset()
    cli.run("drift", "--profile", "large", *SPEC, "--until", "cloud").expect(3)
    quiet(ministack, "drift")
    ministack.proxy.reset()
    cli.up().expect(0)
    assert [exchange.key for exchange in ministack.proxy.mutations()] == ["eks:CreateAddon"]
    assert account.differences(before, account.inventory(ministack.client)) == []
