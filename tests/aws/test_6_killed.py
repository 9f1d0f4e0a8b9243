"""Line 6: SIGKILL at every mutating call of `up` and of `down`, then the same command again.

Three moments: before the request leaves, after the server committed and before the answer arrives, and after the answer.
The account must then equal that of a calm run: nothing missing, nothing twice. Every call, not a sample.
"""

from __future__ import annotations

from typing import Any

import pytest

import account
from conftest import Cli, Rig, down_arguments, up_arguments
from matrix import SHARDS, Call, Calm, Tally, make_calm, share

PROFILE = "large"
MOMENTS = ["hold-before", "hold-after-commit", "after-answer"]
KILLED, ENDED = "killed", "ended before the kill"


@pytest.fixture(scope="session")
def calm_runs() -> dict[str, Calm]:
    return {}


@pytest.fixture
def cli(cli_for: Any, ministack: Rig) -> Cli:
    return cli_for(ministack)


def calm_up(cli: Cli, rig: Rig, known: dict[str, Calm]) -> Calm:
    if "up" not in known:
        known["up"] = make_calm(rig, cli, lambda: cli.up(profile=PROFILE).expect(0))
    return known["up"]


def calm_down(cli: Cli, rig: Rig, known: dict[str, Calm]) -> Calm:
    if "down" not in known:
        fresh(cli, rig)
        cli.up(profile=PROFILE).expect(0)
        known["down"] = make_calm(rig, cli, lambda: cli.down(profile=PROFILE).expect(0))
    return known["down"]


def fresh(cli: Cli, rig: Rig) -> None:
    rig.reset()
    cli.forget()
    cli.credentials = dict(rig.credentials)


def kill_at(cli: Cli, rig: Rig, call: Call, moment: str, arguments: tuple[str, ...]) -> str:
    """Runs the program and kills it there; says whether the kill met it alive."""
    rig.proxy.reset()
    rig.proxy.arm({"match": call.match(), "kind": moment})
    process = cli.start(*arguments)
    while (reached := rig.proxy.reached(0.25)) is None and process.poll() is None:
        pass
    if process.poll() is None:
        cli.kill(process)
        outcome = KILLED
    else:
        result = cli.finish(process, arguments)
        outcome = ENDED
        assert reached, f"{call} was never made\n{result}"
    rig.proxy.wait_idle()
    rig.proxy.arm()
    rig.model_faults += rig.proxy.model_faults()
    rig.proxy.reset()
    return outcome


def again(cli: Cli, rig: Rig, arguments: tuple[str, ...], wanted: account.Inventory) -> list[str]:
    """The same command once more; what is wrong afterwards."""
    result = cli.run(*arguments)
    problems = [] if result.code == 0 else [f"the second run ended with {result.code}: {result.stderr[-1500:]}"]
    return problems + account.differences(wanted, account.inventory(rig.client))


def idle(cli: Cli, rig: Rig, arguments: tuple[str, ...]) -> list[str]:
    rig.proxy.reset()
    cli.run(*arguments)
    return [f"the third run is not idle: {exchange}" for exchange in rig.proxy.mutations()]


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("moment", MOMENTS)
def test_up_again_after_a_kill_at_every_call(cli: Cli, ministack: Rig, calm_runs: dict[str, Calm], moment: str, shard: int, record_property: Any) -> None:
    calm = calm_up(cli, ministack, calm_runs)
    points = share(calm.mutations, shard)
    assert len(calm.mutations) > 40, "a calm run of `large` makes more than this"
    tally = Tally(f"up killed {moment}", shard, len(points), record_property)
    for index, call in enumerate(points):
        fresh(cli, ministack)
        outcome = kill_at(cli, ministack, call, moment, up_arguments(PROFILE))
        problems = again(cli, ministack, up_arguments(PROFILE), calm.account)
        if index % 4 == 0:
            problems += idle(cli, ministack, up_arguments(PROFILE))
        tally.note(str(call), outcome, problems)
    tally.finish()


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("moment", MOMENTS)
def test_down_again_after_a_kill_at_every_call(cli: Cli, ministack: Rig, calm_runs: dict[str, Calm], moment: str, shard: int, record_property: Any) -> None:
    calm = calm_down(cli, ministack, calm_runs)
    points = share(calm.mutations, shard)
    assert len(calm.mutations) > 30, "a calm removal of `large` makes more than this"
    tally = Tally(f"down killed {moment}", shard, len(points), record_property)
    for call in points:
        fresh(cli, ministack)
        cli.up(profile=PROFILE).expect(0)
        outcome = kill_at(cli, ministack, call, moment, down_arguments(PROFILE))
        problems = again(cli, ministack, down_arguments(PROFILE), calm.account)
        tally.note(str(call), outcome, problems)
    tally.finish()


@pytest.mark.parametrize("moment", MOMENTS)
def test_up_again_without_local_state_after_a_kill(cli: Cli, ministack: Rig, calm_runs: dict[str, Calm], moment: str, record_property: Any) -> None:
    """The same with the journal lost as well, at one call of each operation: tags alone must be enough."""
    calm = calm_up(cli, ministack, calm_runs)
    last_of_each = {call.key: call for call in calm.mutations}
    tally = Tally(f"up killed {moment}, journal lost", 0, len(last_of_each), record_property)
    for call in last_of_each.values():
        fresh(cli, ministack)
        outcome = kill_at(cli, ministack, call, moment, up_arguments(PROFILE))
        cli.forget()
        tally.note(str(call), outcome, again(cli, ministack, up_arguments(PROFILE), calm.account))
    tally.finish()


def test_up_after_a_killed_down_and_down_after_a_killed_up(cli: Cli, ministack: Rig, calm_runs: dict[str, Calm], record_property: Any) -> None:
    """Another command than the one that was killed: from whatever is there to what is wanted."""
    up, down = calm_up(cli, ministack, calm_runs), calm_down(cli, ministack, calm_runs)
    every = 5
    points = [("up", call) for call in up.mutations[::every]] + [("down", call) for call in down.mutations[::every]]
    tally = Tally("the other command after a kill", 0, len(points), record_property)
    for killed, call in points:
        fresh(cli, ministack)
        if killed == "down":
            cli.up(profile=PROFILE).expect(0)
        killed_arguments, other_arguments = (
            (up_arguments(PROFILE), down_arguments(PROFILE)) if killed == "up" else (down_arguments(PROFILE), up_arguments(PROFILE))
        )
        outcome = kill_at(cli, ministack, call, "hold-after-commit", killed_arguments)
        problems = again(cli, ministack, other_arguments, down.account if killed == "up" else up.account)
        tally.note(f"{killed} {call}", outcome, problems)
    tally.finish()
