"""Line 3: changes. Each plan names exactly the change, `up` makes exactly those calls, and then all is quiet.

On ministack with the supplement: no third-party server has UpdateNodegroupVersion, UpdateClusterVersion or DescribeUpdate.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

import account
from conftest import CLUSTER, Cli, Result, Rig, up_arguments
from recording import Exchange


@pytest.fixture
def cli(cli_for: Any, supplemented: Rig) -> Cli:
    return cli_for(supplemented)


Named = dict[str, set[str]]


@dataclass(frozen=True)
class Change:
    """A change of the configuration, the resources and fields that its plan names, and the calls that make it."""

    name: str
    toml: str
    named: Named
    calls: dict[str, int]
    before: str = ""


def every(names: tuple[str, ...], *fields: str) -> Named:
    return {name: set(fields) for name in names}


LABELS = '[workers.default.labels]\nteam = "blue"\n'
TAINT = '[workers.default]\ntaints = ["team=blue:NoSchedule"]\n'
BIG = '[workers.big]\nmin = 0\nmax = 4\nmachine = { cpu = 32, memory = "128Gi" }\n'
PUBLIC = '[kubernetes]\napi_access = ["198.51.100.0/24"]\n'
PRIVATE = '[kubernetes]\napi_access = "private"\n'
CORE = ("nodegroup:core-a", "nodegroup:core-b", "nodegroup:core-c")
WORKER = "nodegroup:worker"
LABEL_CHANGE = {WORKER: {"labels"}, "tags:worker": {"tags"}}
TAINT_CHANGE = {WORKER: {"taints"}, "tags:worker": {"tags"}}
SIZES = {"min_size", "max_size"}
AUTOSCALER = {
    "role:autoscaler": set(), "role-policy:autoscaler": set(), "pod-identity-association:autoscaler": set(), "tags:worker": set(),
}  # fmt: skip

CHANGES = [
    Change("worker max", "[workers.default]\nmax = 12\n", {WORKER: {"max_size"}}, {"eks:UpdateNodegroupConfig": 1}),
    Change("worker min and max", "[workers.default]\nmin = 1\nmax = 19\n", {WORKER: SIZES}, {"eks:UpdateNodegroupConfig": 1}),
    Change(
        "one more worker pool", BIG, every(("nodegroup:big", "launch-template:big", "tags:big")),
        {"ec2:CreateLaunchTemplate": 1, "eks:CreateNodegroup": 1, "autoscaling:CreateOrUpdateTags": 1},
    ),
    Change(
        "one worker pool less", "", every(("nodegroup:big", "launch-template:big", "tags:big")),
        {"eks:DeleteNodegroup": 1, "ec2:DeleteLaunchTemplate": 1}, before=BIG,
    ),
    Change("a label", LABELS, LABEL_CHANGE, {"eks:UpdateNodegroupConfig": 1, "autoscaling:CreateOrUpdateTags": 1}),
    Change(
        "a label's value", LABELS.replace("blue", "red"), LABEL_CHANGE,
        {"eks:UpdateNodegroupConfig": 1, "autoscaling:CreateOrUpdateTags": 1}, before=LABELS,
    ),
    Change("one label less", "", LABEL_CHANGE, {"eks:UpdateNodegroupConfig": 1, "autoscaling:DeleteTags": 1}, before=LABELS),
    Change("a label of the core pool", '[core.labels]\nteam = "blue"\n', every(CORE, "labels"), {"eks:UpdateNodegroupConfig": 3}),
    Change("one more taint", TAINT, TAINT_CHANGE, {"eks:UpdateNodegroupConfig": 1, "autoscaling:CreateOrUpdateTags": 1}),
    Change(
        "a taint's value", TAINT.replace("blue", "red"), TAINT_CHANGE,
        {"eks:UpdateNodegroupConfig": 1, "autoscaling:CreateOrUpdateTags": 1}, before=TAINT,
    ),
    Change(
        "a taint's effect", TAINT.replace("NoSchedule", "NoExecute"), TAINT_CHANGE,
        {"eks:UpdateNodegroupConfig": 1, "autoscaling:CreateOrUpdateTags": 1}, before=TAINT,
    ),
    Change("one taint less", "", TAINT_CHANGE, {"eks:UpdateNodegroupConfig": 1, "autoscaling:DeleteTags": 1}, before=TAINT),
    # The autoscaler is told how much disk a node of an empty group would have.
    Change(
        "worker disk", '[workers.default.machine]\ndisk = "300Gi"\n',
        {"launch-template:worker": {"disk_gib"}, WORKER: {"launch_template_version"}, "tags:worker": {"tags"}},
        {"ec2:CreateLaunchTemplateVersion": 1, "eks:UpdateNodegroupVersion": 1, "autoscaling:CreateOrUpdateTags": 1},
    ),
    Change(
        "core disk", '[core.machine]\ndisk = "300Gi"\n', {"launch-template:core": {"disk_gib"}} | every(CORE, "launch_template_version"),
        {"ec2:CreateLaunchTemplateVersion": 1, "eks:UpdateNodegroupVersion": 3},
    ),
    Change(
        "worker instance type", '[workers.default.machine]\ntypes = ["m6i.4xlarge"]\n',
        {"launch-template:worker": {"instance_type"}, WORKER: {"launch_template_version"}},
        {"ec2:CreateLaunchTemplateVersion": 1, "eks:UpdateNodegroupVersion": 1},
    ),
    Change(
        "core instance type", '[core.machine]\ntypes = ["m6i.4xlarge"]\n',
        {"launch-template:core": {"instance_type"}} | every(CORE, "launch_template_version"),
        {"ec2:CreateLaunchTemplateVersion": 1, "eks:UpdateNodegroupVersion": 3},
    ),
    Change("one core node more", "[core]\nnodes = 4\n", {CORE[0]: SIZES}, {"eks:UpdateNodegroupConfig": 1}),
    Change("twice the core nodes", "[core]\nnodes = 6\n", every(CORE, *SIZES), {"eks:UpdateNodegroupConfig": 3}),
    Change("half the core nodes", "", every(CORE, *SIZES), {"eks:UpdateNodegroupConfig": 3}, before="[core]\nnodes = 6\n"),
    Change("a core pool that may grow", "[core]\nmax = 6\n", every(CORE, "max_size"), {"eks:UpdateNodegroupConfig": 3}),
    Change("core nodes in two zones only", "[core]\nnodes = 2\n", every(CORE[2:]), {"eks:DeleteNodegroup": 1}),
    Change("core nodes in all zones again", "", every(CORE[2:]), {"eks:CreateNodegroup": 1}, before="[core]\nnodes = 2\n"),
    Change(
        "endpoint access", PUBLIC, {"cluster:main": {"endpoint_public", "public_access_cidrs"}}, {"eks:UpdateClusterConfig": 1},
    ),
    Change(
        "other endpoint access", PUBLIC.replace("198.51.100", "203.0.113"), {"cluster:main": {"public_access_cidrs"}},
        {"eks:UpdateClusterConfig": 1}, before=PUBLIC,
    ),
    Change("no endpoint access", PRIVATE, {"cluster:main": {"endpoint_public"}}, {"eks:UpdateClusterConfig": 1}, before=PUBLIC),
    Change("fewer logs", '[kubernetes]\ncontrol_plane_logs = ["api"]\n', {"cluster:main": {"logging"}}, {"eks:UpdateClusterConfig": 1}),
    Change(
        "more logs", "", {"cluster:main": {"logging"}}, {"eks:UpdateClusterConfig": 1}, before='[kubernetes]\ncontrol_plane_logs = "none"\n',
    ),
    Change(
        "endpoint access and logs, one update at a time", PUBLIC + 'control_plane_logs = ["api"]\n',
        {"cluster:main": {"endpoint_public", "public_access_cidrs", "logging"}}, {"eks:UpdateClusterConfig": 2},
    ),
    Change("deletion protection", "deletion_protection = false\n", {"cluster:main": {"deletion_protection"}}, {"eks:UpdateClusterConfig": 1}),
    Change(
        "autoscaler off", "[autoscaler]\nenabled = false\n", AUTOSCALER,
        {"iam:DeleteRolePolicy": 1, "iam:DeleteRole": 1, "eks:DeletePodIdentityAssociation": 1, "autoscaling:DeleteTags": 1},
    ),
    Change(
        "autoscaler on", "", AUTOSCALER,
        {"iam:PutRolePolicy": 1, "iam:CreateRole": 1, "eks:CreatePodIdentityAssociation": 1, "autoscaling:CreateOrUpdateTags": 1},
        before="[autoscaler]\nenabled = false\n",
    ),
    Change("an add-on off", "[eks.addons]\nmetrics_server = false\n", every(("addon:metrics-server",)), {"eks:DeleteAddon": 1}),
    Change("an add-on on", "", every(("addon:metrics-server",)), {"eks:CreateAddon": 1}, before="[eks.addons]\nmetrics_server = false\n"),
]  # fmt: skip


def short(resource: str) -> str:
    """A resource of a plan without the provider's prefix."""
    return resource.rpartition("/")[2]


def planned(cli: Cli) -> tuple[Named, set[str], Result]:
    """The resources that a saved plan names with the fields that differ, and those that it has steps for."""
    saved = cli.home / "plan.json"
    result = cli.plan("--out", str(saved)).expect(3)
    plan = json.loads(saved.read_text())
    named = {short(item["resource"]): {change["field"] for change in item["changes"]} for item in plan["report"] if item["change"] != "none"}
    return named, {short(step["resource"]) for step in plan["steps"]}, result


def made(rig: Rig) -> Counter[str]:
    """The mutating calls since the last reset, all of which must have succeeded at once."""
    assert [str(exchange) for exchange in rig.proxy.mutations() if not exchange.succeeded()] == []
    return Counter(exchange.key for exchange in rig.proxy.mutations())


def calls(rig: Rig, key: str) -> list[Exchange]:
    return [exchange for exchange in rig.proxy.mutations() if exchange.key == key]


def quiet_afterwards(cli: Cli, rig: Rig) -> None:
    """Nothing is left to do, and without the local state nothing either."""
    rig.proxy.reset()
    cli.plan().expect(0)
    cli.up().expect(0)
    shutil.rmtree(cli.state)
    cli.plan().expect(0)
    cli.up().expect(0)
    assert made(rig) == {}
    assert rig.proxy.exchanges(), "it did not even look"


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_exactly_the_change_is_planned_and_made(cli: Cli, supplemented: Rig, change: Change) -> None:
    cli.configure(change.before)
    cli.up().expect(0)
    before = account.inventory(supplemented.client)
    cli.configure(change.toml)
    named, steps, result = planned(cli)
    assert named == change.named, result
    assert steps <= set(named), "a step of a resource that the plan does not name"
    supplemented.proxy.reset()
    cli.up().expect(0)
    assert made(supplemented) == change.calls
    assert account.differences(before, account.inventory(supplemented.client)) != [], "nothing changed in the account"
    quiet_afterwards(cli, supplemented)


@pytest.mark.parametrize("toml", [LABELS + "[workers.default]\nmax = 12\n", BIG, TAINT, "[core]\nnodes = 6\n", "[core]\nnodes = 2\n"])
def test_a_change_and_its_reverse_leave_the_account_as_it_was(cli: Cli, supplemented: Rig, toml: str) -> None:
    cli.up().expect(0)
    before = account.inventory(supplemented.client)
    cli.configure(toml)
    cli.up().expect(0)
    assert account.inventory(supplemented.client) != before
    cli.configure("")
    cli.up().expect(0)
    assert account.differences(before, account.inventory(supplemented.client)) == []
    quiet_afterwards(cli, supplemented)


def test_changed_settings_of_an_add_on_are_set_back(cli: Cli, supplemented: Rig) -> None:
    cli.up().expect(0)
    before = account.inventory(supplemented.client)
    key = {"clusterName": CLUSTER, "addonName": "vpc-cni"}
    supplemented.client("eks").update_addon(**key, configurationValues='{"enableNetworkPolicy": "false"}')
    while supplemented.client("eks").describe_addon(**key)["addon"]["status"] != "ACTIVE":
        pass
    named, _, _ = planned(cli)
    assert named == {"addon:vpc-cni": {"configuration"}}
    supplemented.proxy.reset()
    cli.up().expect(0)
    assert made(supplemented) == {"eks:UpdateAddon": 1}
    assert account.differences(before, account.inventory(supplemented.client)) == []
    quiet_afterwards(cli, supplemented)


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
    (call,) = [exchange.parameters for exchange in calls(supplemented, "eks:UpdateNodegroupConfig")]
    assert "desiredSize" not in call["scalingConfig"]
    assert eks.describe_nodegroup(**key)["nodegroup"]["scalingConfig"] == {"minSize": 0, "maxSize": 12, "desiredSize": 7}


TEAM = '[tags]\nteam = "ml-platform"\n'


@dataclass
class Tagged:
    """What carries tags, and what of nodes does."""

    found: account.Inventory
    groups: dict[str, str] = field(default_factory=dict)
    templates: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def everything_has(self, key: str, value: str) -> None:
        owned = {name: item for name, item in self.found.items() if account.is_ours(item, CLUSTER)}
        assert [name for name, item in owned.items() if account.tags_of(item).get(key) != value] == []
        assert len(owned) == 38, "that is not everything that has tags"


def tagged(rig: Rig) -> Tagged:
    """Reads the tags, the template version that each group runs, and each version's tags of nodes."""
    result = Tagged(account.inventory(rig.client))
    eks, ec2 = rig.client("eks"), rig.client("ec2")
    for name in eks.list_nodegroups(clusterName=CLUSTER)["nodegroups"]:
        result.groups[name] = eks.describe_nodegroup(clusterName=CLUSTER, nodegroupName=name)["nodegroup"]["launchTemplate"]["version"]
    for template in ec2.describe_launch_templates()["LaunchTemplates"]:
        versions = ec2.describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"])["LaunchTemplateVersions"]
        result.templates[template["LaunchTemplateName"]] = [
            {tag["Key"]: tag["Value"] for specification in version["LaunchTemplateData"]["TagSpecifications"] for tag in specification["Tags"]}
            for version in sorted(versions, key=lambda version: version["VersionNumber"])
        ]
    return result


def test_tags_change_everywhere_and_no_node_is_replaced(cli: Cli, supplemented: Rig) -> None:
    cli.up().expect(0)
    cli.configure(TEAM)
    named, _, result = planned(cli)
    assert {field for fields in named.values() for field in fields} == {"tags", "node_tags"}, result
    supplemented.proxy.reset()
    cli.up().expect(0)
    assert set(made(supplemented)) == {"ec2:CreateTags", "ec2:CreateLaunchTemplateVersion", "iam:TagRole", "eks:TagResource"}
    assert made(supplemented)["ec2:CreateLaunchTemplateVersion"] == 2
    now = tagged(supplemented)
    now.everything_has("team", "ml-platform")
    assert account.foreign(now.found, CLUSTER) == {}
    assert set(now.groups.values()) == {"1"}
    for name, versions in now.templates.items():
        assert [version.get("team") for version in versions] == [None, "ml-platform"], name
    quiet_afterwards(cli, supplemented)
    cli.configure(TEAM.replace("ml-platform", "ml"))
    cli.up().expect(0)
    tagged(supplemented).everything_has("team", "ml")
    quiet_afterwards(cli, supplemented)


def test_new_tags_reach_nodes_with_the_next_change_that_replaces_them(cli: Cli, supplemented: Rig) -> None:
    cli.up().expect(0)
    cli.configure(TEAM)
    cli.up().expect(0)
    cli.configure(TEAM + '[workers.default.machine]\ndisk = "300Gi"\n')
    named, _, result = planned(cli)
    assert named == {"launch-template:worker": {"disk_gib"}, WORKER: {"launch_template_version"}, "tags:worker": {"tags"}}, result
    cli.up().expect(0)
    now = tagged(supplemented)
    assert now.groups == {"core-a": "1", "core-b": "1", "core-c": "1", "worker": "3"}
    assert now.templates[f"{CLUSTER}-worker"][2]["team"] == "ml-platform"
    quiet_afterwards(cli, supplemented)


@pytest.mark.parametrize("together", [False, True], ids=["tags before", "tags at once"])
def test_new_tags_reach_nodes_with_a_new_kubernetes_by_one_replacement(cli: Cli, supplemented: Rig, together: bool) -> None:
    old, new = '[kubernetes]\nversion = "1.34"\n', '[kubernetes]\nversion = "1.35"\n'
    cli.configure(old)
    cli.up().expect(0)
    if not together:
        cli.configure(TEAM + old)
        cli.up().expect(0)
    cli.configure(TEAM + new)
    supplemented.proxy.reset()
    cli.up().expect(0)
    assert made(supplemented)["eks:UpdateNodegroupVersion"] == 4
    assert set(tagged(supplemented).groups.values()) == {"2"}
    quiet_afterwards(cli, supplemented)


def test_a_new_disk_and_new_tags_are_one_version_of_the_template(cli: Cli, supplemented: Rig) -> None:
    cli.up().expect(0)
    cli.configure(TEAM + '[workers.default.machine]\ndisk = "300Gi"\n')
    supplemented.proxy.reset()
    cli.up().expect(0)
    assert made(supplemented)["ec2:CreateLaunchTemplateVersion"] == 2, "one for each pool"
    assert made(supplemented)["eks:UpdateNodegroupVersion"] == 1
    assert tagged(supplemented).groups == {"core-a": "1", "core-b": "1", "core-c": "1", "worker": "2"}
    quiet_afterwards(cli, supplemented)


def test_kubernetes_moves_one_minor_at_a_time_and_in_order(cli: Cli, supplemented: Rig) -> None:
    eks = supplemented.client("eks")
    cli.configure('[kubernetes]\nversion = "1.33"\n')
    cli.up().expect(0)
    for version in ("1.34", "1.35"):
        cli.configure(f'[kubernetes]\nversion = "{version}"\n')
        named, _, result = planned(cli)
        groups, addons = {name for name in named if name.startswith("nodegroup:")}, {name for name in named if name.startswith("addon:")}
        assert named == {"cluster:main": {"version"}} | every((*CORE, WORKER), "version") | every(tuple(addons), "version"), result
        assert (len(groups), len(addons)) == (4, 6)
        supplemented.proxy.reset()
        cli.up().expect(0)
        assert made(supplemented) == {"eks:UpdateClusterVersion": 1, "eks:UpdateAddon": 6, "eks:UpdateNodegroupVersion": 4}
        order = [exchange.key for exchange in supplemented.proxy.mutations()]
        assert order == sorted(order, key=["eks:UpdateClusterVersion", "eks:UpdateAddon", "eks:UpdateNodegroupVersion"].index)
        assert eks.describe_cluster(name=CLUSTER)["cluster"]["version"] == version
        for name in eks.list_nodegroups(clusterName=CLUSTER)["nodegroups"]:
            assert eks.describe_nodegroup(clusterName=CLUSTER, nodegroupName=name)["nodegroup"]["version"] == version
        for name in eks.list_addons(clusterName=CLUSTER)["addons"]:
            (fitting,) = eks.describe_addon_versions(addonName=name, kubernetesVersion=version)["addons"][0]["addonVersions"]
            assert eks.describe_addon(clusterName=CLUSTER, addonName=name)["addon"]["addonVersion"] == fitting["addonVersion"]
        quiet_afterwards(cli, supplemented)


@pytest.mark.parametrize(
    "wanted, hint",
    [("1.35", "set kubernetes.version to 1.34, run `howso-infra up`, and only then go on to 1.35"), ("1.32", "set kubernetes.version to 1.33 or later")],
    ids=["two minors at once", "an older one"],
)
def test_another_kubernetes_than_the_next_is_refused_without_a_call(cli: Cli, supplemented: Rig, wanted: str, hint: str) -> None:
    cli.configure('[kubernetes]\nversion = "1.33"\n')
    cli.up().expect(0)
    cli.configure(f'[kubernetes]\nversion = "{wanted}"\n[workers.default]\nmax = 12\n')
    supplemented.proxy.reset()
    result = cli.up().expect(2)
    assert f"hint: {hint}" in result.stderr, result
    assert made(supplemented) == {}


def test_a_saved_plan_is_carried_out_and_refused_when_stale(cli: Cli, supplemented: Rig) -> None:
    saved = cli.home / "plan.json"
    cli.plan("--out", str(saved)).expect(3)
    cli.run(*up_arguments(), str(saved)).expect(0)
    supplemented.proxy.reset()
    result = cli.run(*up_arguments(), str(saved))
    assert result.code not in (0, 3), result
    assert made(supplemented) == {}
