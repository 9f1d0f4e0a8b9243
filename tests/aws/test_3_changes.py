"""Line 3: changes. Each plan names exactly the change, `up` makes exactly those calls, and then all is quiet.

On ministack with the supplement: no third-party server has UpdateNodegroupVersion, UpdateClusterVersion or DescribeUpdate.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

import account
from conftest import CLUSTER, Cli, Rig


@pytest.fixture
def cli(cli_for: Any, supplemented: Rig) -> Cli:
    return cli_for(supplemented)


@dataclass(frozen=True)
class Change:
    """A change of the configuration, the resources its plan names, and the calls that make it."""

    name: str
    toml: str
    named: frozenset[str]
    calls: dict[str, int]
    before: str = ""


def named(*names: str) -> frozenset[str]:
    return frozenset(names)


LABELS = '[workers.default.labels]\nteam = "blue"\n'
ALL_CORE = ("nodegroup:core-a", "nodegroup:core-b", "nodegroup:core-c")

CHANGES = [
    Change("worker max", "[workers.default]\nmax = 12\n", named("nodegroup:worker"), {"eks:UpdateNodegroupConfig": 1}),
    Change("worker min and max", "[workers.default]\nmin = 1\nmax = 30\n", named("nodegroup:worker"), {"eks:UpdateNodegroupConfig": 1}),
    Change(
        "one more worker pool",
        '[workers.big]\nmin = 0\nmax = 4\nmachine = { cpu = 32, memory = "128Gi" }\n',
        named("nodegroup:big", "launch-template:big", "tags:big"),
        {"ec2:CreateLaunchTemplate": 1, "eks:CreateNodegroup": 1, "autoscaling:CreateOrUpdateTags": 1},
    ),
    Change("a label", LABELS, named("nodegroup:worker", "tags:worker"), {"eks:UpdateNodegroupConfig": 1, "autoscaling:CreateOrUpdateTags": 1}),
    Change(
        "a label's value", LABELS.replace("blue", "red"), named("nodegroup:worker", "tags:worker"),
        {"eks:UpdateNodegroupConfig": 1, "autoscaling:CreateOrUpdateTags": 1}, before=LABELS,
    ),
    Change(
        "one more taint", '[workers.default]\ntaints = ["team=blue:NoSchedule"]\n', named("nodegroup:worker", "tags:worker"),
        {"eks:UpdateNodegroupConfig": 1, "autoscaling:CreateOrUpdateTags": 1},
    ),
    Change(
        "worker disk", '[workers.default.machine]\ndisk = "300Gi"\n', named("launch-template:worker", "nodegroup:worker"),
        {"ec2:CreateLaunchTemplateVersion": 1, "eks:UpdateNodegroupVersion": 1},
    ),
    Change(
        "worker instance type", '[workers.default.machine]\ntypes = ["m6i.8xlarge"]\n', named("launch-template:worker", "nodegroup:worker"),
        {"ec2:CreateLaunchTemplateVersion": 1, "eks:UpdateNodegroupVersion": 1},
    ),
    Change(
        "core instance type", '[core.machine]\ntypes = ["m6i.4xlarge"]\n', named("launch-template:core", *ALL_CORE),
        {"ec2:CreateLaunchTemplateVersion": 1, "eks:UpdateNodegroupVersion": 3},
    ),
    Change("endpoint access", '[kubernetes]\napi_access = ["198.51.100.0/24"]\n', named("cluster:demo"), {"eks:UpdateClusterConfig": 1}),
    Change("fewer logs", '[kubernetes]\ncontrol_plane_logs = ["api"]\n', named("cluster:demo"), {"eks:UpdateClusterConfig": 1}),
    Change(
        "endpoint access and logs, one update at a time", '[kubernetes]\napi_access = ["198.51.100.0/24"]\ncontrol_plane_logs = ["api"]\n',
        named("cluster:demo"), {"eks:UpdateClusterConfig": 2},
    ),
]  # fmt: skip

# Calls that belong to a change without being it: a template's default version follows the newest, tags of generations.
COMPANIONS = {"ec2:ModifyLaunchTemplate", "ec2:CreateTags"}


def changed_resources(plan: dict[str, Any]) -> set[str]:
    """The resources that a saved plan would touch, without the provider's prefix."""
    return {step["resource"].rpartition("/")[2] for step in plan["steps"]}


def quiet_afterwards(cli: Cli, rig: Rig) -> None:
    rig.proxy.reset()
    cli.plan().expect(0)
    cli.up().expect(0)
    assert [str(exchange) for exchange in rig.proxy.mutations()] == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_exactly_the_change_is_planned_and_made(cli: Cli, supplemented: Rig, change: Change) -> None:
    if change.before:
        cli.configure(change.before)
    cli.up().expect(0)
    before = account.inventory(supplemented.client)
    cli.configure(change.toml)
    saved = cli.home / "plan.json"
    result = cli.plan("--out", str(saved)).expect(3)
    assert changed_resources(json.loads(saved.read_text())) == change.named, result
    supplemented.proxy.reset()
    cli.up().expect(0)
    made = Counter(exchange.key for exchange in supplemented.proxy.mutations() if exchange.key not in COMPANIONS)
    assert made == change.calls
    assert [str(exchange) for exchange in supplemented.proxy.mutations() if not exchange.succeeded()] == []
    assert account.differences(before, account.inventory(supplemented.client)) != [], "nothing changed in the account"
    quiet_afterwards(cli, supplemented)


def test_a_change_and_its_reverse_leave_the_account_as_it_was(cli: Cli, supplemented: Rig) -> None:
    cli.up().expect(0)
    before = account.inventory(supplemented.client)
    cli.configure("[workers.default]\nmax = 12\n" + LABELS)
    cli.up().expect(0)
    assert account.inventory(supplemented.client) != before
    (cli.home / "howso-infra.toml").unlink()
    cli.up().expect(0)
    assert account.differences(before, account.inventory(supplemented.client)) == []


def test_what_the_autoscaler_set_is_never_written_again(cli: Cli, supplemented: Rig) -> None:
    cli.up().expect(0)
    eks = supplemented.client("eks")
    key = {"clusterName": CLUSTER, "nodegroupName": "worker"}
    eks.update_nodegroup_config(**key, scalingConfig={"desiredSize": 7})
    while eks.describe_nodegroup(**key)["nodegroup"]["status"] != "ACTIVE":
        pass
    quiet_afterwards(cli, supplemented)
    cli.configure("[workers.default]\nmax = 12\n")
    supplemented.proxy.reset()
    cli.up().expect(0)
    (call,) = [exchange.parameters for exchange in supplemented.proxy.mutations() if exchange.key == "eks:UpdateNodegroupConfig"]
    assert "desiredSize" not in call["scalingConfig"]
    assert eks.describe_nodegroup(**key)["nodegroup"]["scalingConfig"] == {"minSize": 0, "maxSize": 12, "desiredSize": 7}


def test_a_removed_pool_is_deleted_with_what_belongs_to_it(cli: Cli, supplemented: Rig) -> None:
    cli.up().expect(0)
    before = account.inventory(supplemented.client)
    cli.configure('[workers.big]\nmin = 0\nmax = 4\nmachine = { cpu = 32, memory = "128Gi" }\n')
    cli.up().expect(0)
    (cli.home / "howso-infra.toml").unlink()
    cli.up().expect(0)
    quiet_afterwards(cli, supplemented)
    left = account.inventory(supplemented.client)
    # An autoscaling group's tags go with the group on AWS; ministack keeps them.
    left = {name: item for name, item in left.items() if not name.startswith("autoscaling-group/") or name in before}
    assert account.differences(before, left) == []


def test_tags_change_everywhere_and_ownership_stays(cli: Cli, supplemented: Rig) -> None:
    cli.up().expect(0)
    cli.configure('[tags]\nteam = "ml-platform"\n')
    cli.plan().expect(3)
    cli.up().expect(0)
    found = account.inventory(supplemented.client)
    for name in ("cluster", "vpc", "role"):
        items = [item for key, item in found.items() if key.startswith(f"{name}/")]
        assert items and all(account.tags_of(item).get("team") == "ml-platform" for item in items), name
    assert account.foreign(found, CLUSTER) == {}
    quiet_afterwards(cli, supplemented)


def test_kubernetes_moves_one_minor_at_a_time_and_in_order(cli: Cli, supplemented: Rig) -> None:
    cli.configure('[kubernetes]\nversion = "1.34"\n')
    cli.up().expect(0)
    cli.configure('[kubernetes]\nversion = "1.35"\n')
    supplemented.proxy.reset()
    cli.up().expect(0)
    made = [exchange for exchange in supplemented.proxy.mutations() if exchange.succeeded()]
    order = [exchange.key for exchange in made if exchange.key in ("eks:UpdateClusterVersion", "eks:UpdateAddon", "eks:UpdateNodegroupVersion")]
    assert order[0] == "eks:UpdateClusterVersion"
    assert Counter(order)["eks:UpdateNodegroupVersion"] == 4
    assert order == sorted(order, key=["eks:UpdateClusterVersion", "eks:UpdateAddon", "eks:UpdateNodegroupVersion"].index)
    eks = supplemented.client("eks")
    assert eks.describe_cluster(name=CLUSTER)["cluster"]["version"] == "1.35"
    for name in eks.list_nodegroups(clusterName=CLUSTER)["nodegroups"]:
        assert eks.describe_nodegroup(clusterName=CLUSTER, nodegroupName=name)["nodegroup"]["version"] == "1.35"
    quiet_afterwards(cli, supplemented)


def test_an_older_kubernetes_is_refused_without_a_call(cli: Cli, supplemented: Rig) -> None:
    cli.configure('[kubernetes]\nversion = "1.35"\n')
    cli.up().expect(0)
    cli.configure('[kubernetes]\nversion = "1.34"\n')
    supplemented.proxy.reset()
    result = cli.up()
    assert result.code not in (0, 3), result
    assert supplemented.proxy.mutations() == []


def test_a_saved_plan_is_carried_out_and_refused_when_stale(cli: Cli, supplemented: Rig) -> None:
    saved = cli.home / "plan.json"
    cli.plan("--out", str(saved)).expect(3)
    cli.run("up", str(saved), "--yes").expect(0)
    supplemented.proxy.reset()
    assert cli.run("up", str(saved), "--yes").code != 0
    assert supplemented.proxy.mutations() == []
