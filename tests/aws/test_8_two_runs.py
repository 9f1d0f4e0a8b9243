"""Line 8: two runs at once, and interruption."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import pytest

import account
from conftest import Rig, up_arguments


@pytest.fixture
def calm(cli_for: Any, ministack: Rig) -> account.Inventory:
    cli_for(ministack, "calm").up().expect(0)
    found = account.inventory(ministack.client)
    ministack.reset()
    return found


def second_key(rig: Rig) -> dict[str, str]:
    """Another access key of the same user: the same caller to AWS, tellable apart in the recording."""
    key = rig.client("iam").create_access_key(UserName="operator")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def reached(rig: Rig, process: subprocess.Popen) -> None:
    while rig.proxy.reached(0.25) is None:
        assert process.poll() is None, process.communicate()


def test_the_second_of_two_runs_exits_8_and_changes_nothing(cli_for: Any, ministack: Rig, calm: account.Inventory) -> None:
    cli = cli_for(ministack)
    ministack.proxy.arm({"match": {"mutating": 5}, "kind": "delay", "seconds": 4})
    first = cli.start(*up_arguments())
    reached(ministack, first)
    other = second_key(ministack)
    second = cli.up(env=other).expect(8)
    assert first.poll() is None, "the first run was over before the second: the test shows nothing"
    assert "hint" in second.stderr
    cli.finish(first, up_arguments()).expect(0)
    by_second = [exchange for exchange in ministack.proxy.mutations() if exchange.access_key == other["AWS_ACCESS_KEY_ID"]]
    assert by_second == []
    assert account.differences(calm, account.inventory(ministack.client)) == []


def test_of_two_runs_started_together_one_wins(cli_for: Any, ministack: Rig, calm: account.Inventory) -> None:
    cli = cli_for(ministack)
    # The winner waits at its first change, so that the runs surely overlap.
    ministack.proxy.arm({"match": {"mutating": 1}, "kind": "delay", "seconds": 3})
    both = [cli.start(*up_arguments()) for _ in range(2)]
    results = [cli.finish(process, up_arguments()) for process in both]
    assert sorted(result.code for result in results) == [0, 8], [str(result) for result in results]
    assert account.differences(calm, account.inventory(ministack.client)) == []


def test_down_during_up_exits_8(cli_for: Any, ministack: Rig, calm: account.Inventory) -> None:
    cli = cli_for(ministack)
    ministack.proxy.arm({"match": {"mutating": 5}, "kind": "delay", "seconds": 4})
    first = cli.start(*up_arguments())
    reached(ministack, first)
    cli.down().expect(8)
    cli.finish(first, up_arguments()).expect(0)
    assert account.differences(calm, account.inventory(ministack.client)) == []


@pytest.mark.parametrize("nth", [1, 8, 20, 40])
def test_an_interrupt_waits_for_what_is_in_flight_and_is_resumable(cli_for: Any, ministack: Rig, calm: account.Inventory, nth: int) -> None:
    cli = cli_for(ministack)
    # Few calls at a time, each of them slow from here on, so that those in flight can be told from a run that goes on, also where
    # the signal comes late because the machine is busy.
    ministack.proxy.arm({"match": {"mutating_from": nth}, "kind": "delay", "seconds": 2, "times": 0})
    process = cli.start(*up_arguments(), env={"HOWSO_INFRA_ENGINE__PARALLELISM": "4"})
    reached(ministack, process)
    sent = len(ministack.proxy.mutations())
    process.send_signal(signal.SIGINT)
    result = cli.finish(process, up_arguments()).expect(130)
    assert "howso-infra up" in result.stderr, "no word on how to resume"
    mutations = ministack.proxy.mutations()
    assert all(exchange.status is not None for exchange in mutations), "an answer in flight was not waited for"
    assert len(mutations) - sent <= 8, "it went on as if nothing had happened"
    ministack.proxy.reset()
    cli.up().expect(0)
    assert account.differences(calm, account.inventory(ministack.client)) == []


def test_a_second_interrupt_stops_waiting(cli_for: Any, ministack: Rig, calm: account.Inventory) -> None:
    cli = cli_for(ministack)
    ministack.proxy.arm({"match": {"mutating": 8}, "kind": "hold-after-commit"})
    process = cli.start(*up_arguments(), env={"HOWSO_INFRA_ENGINE__REQUEST_TIMEOUT": "60s"})
    reached(ministack, process)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)  # The first one waits for the call in flight, which is never answered.
    process.send_signal(signal.SIGINT)
    cli.finish(process, up_arguments(), timeout=10).expect(130)
    ministack.proxy.reset()
    cli.up().expect(0)
    assert account.differences(calm, account.inventory(ministack.client)) == []


def test_a_dead_run_is_taken_over(cli_for: Any, ministack: Rig, calm: account.Inventory) -> None:
    cli = cli_for(ministack)
    ministack.proxy.arm({"match": {"mutating": 12}, "kind": "hold-before"})
    process = cli.start(*up_arguments())
    reached(ministack, process)
    cli.kill(process)
    ministack.proxy.wait_idle()
    ministack.proxy.reset()
    cli.up().expect(0)
    assert account.differences(calm, account.inventory(ministack.client)) == []
