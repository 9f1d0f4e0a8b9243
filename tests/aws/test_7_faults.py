"""Line 7: one fault at a time, at every call of a calm run.

The run converges, or it stops with the right exit code, an error and a hint at how to resume; the next plain `up` converges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

import account
from conftest import Cli, Rig
from matrix import SHARDS, Call, Calm, Tally, make_calm, share
from operations import paginators

PROFILE = "small"
CONVERGED, STOPPED, UNCHANGED = "converged", "stopped and resumed", "nothing to disturb"
# A silence is as long as the issue says; the program's patience is shortened by its ordinary setting.
QUICK_TIMEOUT = {"HOWSO_INFRA_ENGINE__REQUEST_TIMEOUT": "400ms"}


@dataclass(frozen=True)
class Disturbance:
    """A fault, the calls it applies to, and the exit codes with which a run may stop because of it."""

    name: str
    kind: str
    applies: str  # "all", "mutating", "lists"
    stops: tuple[int, ...] = (1, 4)
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


DISTURBANCES = [
    Disturbance("500 before commit", "error-500-before", "all"),
    Disturbance("500 after commit", "error-500-after-commit", "mutating"),
    Disturbance("throttled 3 times", "throttle", "all", options={"times": 3}),
    Disturbance("connection reset", "reset", "all"),
    Disturbance("connection reset after commit", "reset-after-commit", "mutating"),
    Disturbance("silence of 30 s", "silence", "all", options={"seconds": 30}, settings=QUICK_TIMEOUT),
    Disturbance("silence of 30 s after commit", "silence-after-commit", "mutating", options={"seconds": 30}, settings=QUICK_TIMEOUT),
    Disturbance("unknown enum value", "unknown-enum", "all"),
    Disturbance("extra field", "extra-field", "all", stops=()),
    Disturbance("second page", "second-page", "lists", stops=()),
    Disturbance("answer lost and not yet visible", "reset-after-commit", "mutating", options={"hidden_secs": 0.15},
                settings={"HOWSO_INFRA_ENGINE__VISIBILITY_WINDOW": "300ms"}),
    Disturbance("not yet visible after creation", "stale-read", "mutating", options={"seconds": 0.15},
                settings={"HOWSO_INFRA_ENGINE__VISIBILITY_WINDOW": "300ms"}),
    Disturbance("access denied", "access-denied", "mutating", stops=(5,)),
    Disturbance("credentials expired", "expired-token", "mutating", stops=(5,)),
]  # fmt: skip


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


def applicable(calls: list[Call], disturbance: Disturbance) -> list[Call]:
    if disturbance.applies == "mutating":
        return [call for call in calls if call.mutating]
    if disturbance.applies == "lists":
        return [call for call in calls if call.key.partition(":")[2] in paginators(call.key.partition(":")[0])]
    return calls


def disturbed(cli: Cli, rig: Rig, calm: Calm, call: Call, disturbance: Disturbance) -> tuple[str, list[str]]:
    rig.reset()
    cli.forget()
    cli.credentials = dict(rig.credentials)
    rig.proxy.arm({"match": call.match(), "kind": disturbance.kind, **disturbance.options})
    result = cli.up(profile=PROFILE, env=disturbance.settings)
    (fault,) = rig.proxy.faults()
    problems, outcome = [], CONVERGED
    if not fault["fired"]:
        problems.append("the call was never made")
    if fault["skipped"]:
        outcome = UNCHANGED
    if result.code != 0:
        outcome = STOPPED
        if result.code not in disturbance.stops:
            problems.append(f"stopped with {result.code}: {result.stderr[-1500:]}")
        if "hint" not in result.stderr or "howso-infra up" not in result.stderr:
            problems.append(f"no hint at how to resume: {result.stderr[-800:]}")
        rig.proxy.arm()
        second = cli.up(profile=PROFILE)
        if second.code != 0:
            problems.append(f"the plain run afterwards ended with {second.code}: {second.stderr[-1500:]}")
    elif disturbance.stops == (5,):
        problems.append("a refusal of credentials or permission went unnoticed")
    problems += account.differences(calm.account, account.inventory(rig.client))
    return outcome, problems


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda disturbance: disturbance.name.replace(" ", "-"))
def test_up_converges_or_stops_resumably(
    cli: Cli, ministack: Rig, calm_runs: dict[str, Calm], disturbance: Disturbance, shard: int, record_property: Any
) -> None:
    calm = calm_up(cli, ministack, calm_runs)
    points = share(applicable(calm.calls, disturbance), shard)
    tally = Tally(f"up with {disturbance.name}", shard, len(points), record_property)
    for call in points:
        outcome, problems = disturbed(cli, ministack, calm, call, disturbance)
        tally.note(f"{call}", outcome, problems)
    tally.finish()


@pytest.mark.parametrize("kind", ["second-page", "extra-field"])
def test_a_server_that_always_does_it_changes_nothing(cli: Cli, ministack: Rig, calm_runs: dict[str, Calm], kind: str) -> None:
    calm = calm_up(cli, ministack, calm_runs)
    ministack.reset()
    cli.forget()
    cli.credentials = dict(ministack.credentials)
    ministack.proxy.arm({"match": {"any": "list" if kind == "second-page" else "call"}, "kind": kind, "times": 0})
    cli.up(profile=PROFILE).expect(0)
    assert ministack.proxy.faults()[0]["fired"]
    assert account.differences(calm.account, account.inventory(ministack.client)) == []
    before = len(ministack.proxy.mutations())
    cli.up(profile=PROFILE).expect(0)
    assert len(ministack.proxy.mutations()) == before
    cli.down(profile=PROFILE).expect(0)
    left = account.inventory(ministack.client)
    assert {name for name in left if not name.startswith("autoscaling-group/")} == set()


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("ec2:CreateVpc", "VpcLimitExceeded"),
        ("ec2:AllocateAddress", "AddressLimitExceeded"),
        ("ec2:CreateNatGateway", "NatGatewayLimitExceeded"),
        ("eks:CreateCluster", "ResourceLimitExceededException"),
        ("eks:CreateNodegroup", "ResourceLimitExceededException"),
        ("iam:CreateRole", "LimitExceeded"),
    ],
)
def test_a_quota_stops_with_its_own_code_and_nothing_is_lost(cli: Cli, ministack: Rig, calm_runs: dict[str, Calm], operation: str, code: str) -> None:
    calm = calm_up(cli, ministack, calm_runs)
    ministack.reset()
    cli.forget()
    cli.credentials = dict(ministack.credentials)
    status = 409 if operation.startswith("iam") else 400
    ministack.proxy.arm({"match": {"operation": operation}, "kind": "quota", "code": code, "status": status, "message": "The limit has been reached."})
    result = cli.up(profile=PROFILE).expect(6)
    assert "hint" in result.stderr
    ministack.proxy.arm()
    cli.up(profile=PROFILE).expect(0)
    assert account.differences(calm.account, account.inventory(ministack.client)) == []


def test_a_permission_missing_for_a_read_is_not_taken_for_absence(cli: Cli, ministack: Rig, calm_runs: dict[str, Calm]) -> None:
    """A listing that is refused is a gap: nothing may be made or deleted on the strength of it."""
    calm = calm_up(cli, ministack, calm_runs)
    ministack.reset()
    cli.forget()
    cli.credentials = dict(ministack.credentials)
    cli.up(profile=PROFILE).expect(0)
    for call in {call.key: call for call in calm.calls if not call.mutating}.values():
        ministack.proxy.reset()
        ministack.proxy.arm({"match": {"operation": call.key}, "kind": "access-denied", "times": 0})
        cli.up(profile=PROFILE)
        assert [str(exchange) for exchange in ministack.proxy.mutations()] == [], f"{call.key} was refused"
    assert account.differences(calm.account, account.inventory(ministack.client)) == []


def test_a_node_group_that_fails_is_told_with_the_clouds_own_words(cli_for: Any) -> None:
    import servers
    from recording import Proxy

    with servers.SupplementedMinistack(fail_nodegroups="worker") as server, Proxy(server.endpoint) as proxy:
        rig = Rig(server, proxy)
        rig.reset()
        result = cli_for(rig).up(profile=PROFILE)
        assert result.code in (1, 4, 6), result
        assert "NodeCreationFailure" in result.stderr and "failed to join" in result.stderr
