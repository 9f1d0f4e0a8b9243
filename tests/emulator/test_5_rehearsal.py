"""Rehearsals, as a person types them, by the program as it is released (`HOWSO_TESTS_RELEASE`)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest


@pytest.fixture
def rehearse(tmp_path: Path):
    """Runs `rehearse` with an empty home and nothing else in its environment: no credentials, no endpoint."""

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [os.environ["HOWSO_TESTS_RELEASE"], "rehearse", *arguments]
        environment = {"HOME": str(tmp_path), "PATH": os.defpath}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=1200)
        assert done.returncode == code, done.stdout + done.stderr
        assert list(tmp_path.rglob("*")) == [], "a rehearsal leaves nothing behind"
        return done

    return run


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_large_cluster_ends_in_three_proofs(rehearse) -> None:
    told = events(rehearse("up", "--profile", "large", "--output", "json").stdout)
    proofs = {finding["subject"]: finding for event in told if event["type"] == "findings" for finding in event["findings"]}
    assert all(finding["severity"] == "good" for finding in proofs.values()), proofs
    assert proofs["core canary"]["message"].startswith("3 that keep apart run on the core nodes ip-")
    assert "made no worker appear" in proofs["core canary without room"]["message"]
    assert re.search(r"after \d+ s, from no worker node", proofs["worker canary"]["message"])
    summary = told[-1]
    assert summary["type"] == "rehearsal" and summary["emulated"] is True
    assert 8 * 60 < summary["virtual_secs"] < 40 * 60
    assert summary["calls"]["kubernetes"]["changes"] > 10
    # A quarter of an hour of what the plan calls $1.14/h, and of a worker for $0.69/h.
    [cost] = [event["cost"] for event in told if event["type"] == "plan"]
    hours = summary["virtual_secs"] / 3600
    assert cost["idle_millidollars_per_hour"] * hours < summary["cost_max_millidollars"] < 2 * cost["idle_millidollars_per_hour"] * hours
    # Its time is that of the emulated cloud.
    assert told[0]["time"].startswith("2026-01-01T00:00:00") and told[-1]["time"] > "2026-01-01T00:08"


@pytest.mark.parametrize("arguments", [("up",), ("down",), ("up", "--fault", "throttled@7", "--fault", "fails-later@eks:CreateNodegroup")])
def test_the_same_seed_is_the_same_to_the_byte(rehearse, arguments: tuple[str, ...]) -> None:
    command = (*arguments, "--profile", "small", "--output", "json", "--seed")
    told = (rehearse(*command, seed).stdout for seed in ("7", "7", "8"))
    # The cluster is served at a free port of this machine, with a certificate that is made anew; a digest covers both.
    own = r'https://127\.0\.0\.1:\d+|(?<="certificate_authority":\{"text":")[^"]+|(?<="observed_digest":")[^"]+'
    first, again, other = (re.sub(own, "OWN", text) for text in told)
    assert first == again
    assert first != other


class Page(HTMLParser):
    """The rows of tables, and which elements there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs), "the page needs nothing else"
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_a_page_shows_every_step_without_scripts(rehearse, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    command = ["up", "--profile", "large", "--fault", "fails-later@eks:CreateNodegroup", "--html", str(page), "--output", "json"]
    with pytest.raises(AssertionError, match="leaves nothing behind"):
        rehearse(*command)
    told = Page(page.read_text())
    assert told.elements["script"] == 0 and told.elements["svg"] == 1 and told.elements["rect"] > 10
    # The last run makes the node group that failed, and what follows it.
    groups = [row for row in told.rows if row[0].startswith("eks/nodegroup:")]
    assert [row[1] for row in groups].count("created") >= 1 and groups[-1][5] == "done"
    assert any(row[0] == "eks:CreateNodegroup" and int(row[1]) == 5 for row in told.rows)
    page.unlink()
    assert "these are many" in rehearse("up", "--runs", "2", "--html", str(page), code=2).stderr


def test_a_plan_needs_no_account(rehearse) -> None:
    plan = rehearse("plan", "--profile", "small", "--name", "mine", "--region", "eu-west-1").stdout
    assert plan.startswith("mine (eks, eu-west-1, profile small)")


def test_what_has_no_room_is_refused_before_anything_is_made(rehearse) -> None:
    small = ("--set", "core.machine.cpu=4", "--set", "core.machine.memory=16Gi")
    told = rehearse("up", "--profile", "large", *small, "--output", "json", code=2)
    plan = next(event for event in events(told.stdout) if event["type"] == "plan")
    assert plan["fit"]["core"]["all_nodes"] == {"answer": "lacking", "nodes": 5, "machine": {"name": "m6a.2xlarge", "cpu": 8, "memory_gibibytes": 32}}
    [summary] = [event for event in events(told.stdout) if event["type"] == "rehearsal"]
    assert sum(calls["changes"] for calls in summary["calls"].values()) == 0
    # With what was proposed, and with services of other sizes, it is made.
    assert events(rehearse("up", "--profile", "large", *small, "--core-nodes", "5", "--output", "json").stdout)[-1]["virtual_secs"] > 60
    rehearse("up", "--profile", "large", *small, "--set", "core.services=other")


def test_trainees_are_counted_on_the_nodes_of_the_plan(rehearse) -> None:
    told = rehearse("plan", "--profile", "large", "--set", "trainees.xx-large.count=20", "--set", "trainees.small.count=60", "--output", "json")
    fit = next(event for event in events(told.stdout) if event["type"] == "plan")["fit"]
    assert fit["trainees"]["nodes_at_peak"] == {"default": 20} and fit["trainees"]["too_few"] == {}
    refused = rehearse("plan", "--profile", "large", "--set", "trainees.xx-large.count=21", code=2).stderr
    assert "workers.default.max" in refused and "enough would be max = 21" in refused


def test_whoever_goes_on_after_a_death_ends_where_others_do(rehearse) -> None:
    told = events(rehearse("up", "--profile", "small", "--output", "json", "--fault", "dies-after@eks:CreateCluster").stdout)
    assert any(event["type"] == "note" and "has died" in event["message"] for event in told)
    assert told[-1]["repetitions"] == 1 and told[-1]["faults"] == ["dies-after@eks:CreateCluster#1"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("up", "--fault", "meteor@3"), "`meteor` is no fault"),
        (("up", "--fault", "throttled"), "does not say with which call"),
        (("up", "--fault", "throttled@0%"), "does not say with which call"),
        (("up", "--fault", "throttled@ec2:CreateVcp"), "no operation `CreateVcp` of ec2"),
        (("up", "--fault", "throttled@every-ec2:CreateVcp"), "no operation `CreateVcp` of ec2"),
        (("up", "--fault", "throttled@every-ec2:CreateVpc#2"), "does not say with which call"),
        (("up", "--fault", "out-of-date@every-ec2:CreateVpc"), "cannot happen to `ec2:CreateVpc`"),
        (("up", "--fault", "throttled@kubernetes:patch/nonsense"), "no call `patch/nonsense`"),
        (("up", "--provider", "k3d"), "k3d"),
        (("sideways",), "invalid value 'sideways'"),
        (("up", "--runs", "0"), "0 is not in 1..=1000000"),
    ],
)
def test_what_cannot_be_rehearsed_is_told(rehearse, arguments: tuple[str, ...], says: str) -> None:
    assert says in rehearse(*arguments, code=2).stderr


def test_what_can_go_wrong_is_explained(rehearse) -> None:
    catalogue = rehearse("up", "--fault", "list").stdout
    for fault in ["unavailable", "answer-lost", "dies-after"]:
        assert re.search(rf"^{fault} +\w", catalogue, re.MULTILINE)


FAULTS = [
    "unavailable", "throttled", "never-arrives", "fails-afterwards", "answer-lost", "fails-later", "leaves-interface", "quota-exceeded",
    "expired", "dies-before", "dies-after", "dies-answered", "loses-journal", "tears-journal", "out-of-date", "unfamiliar", "empty-page",
]  # fmt: skip
OF_READS = ["out-of-date", "unfamiliar", "empty-page"]
OF_SOME_CHANGES = ["fails-later", "leaves-interface", "quota-exceeded"]


def table(text: str) -> dict:
    """What many rehearsals came to, none of which may have ended otherwise than a calm one."""
    told = events(text)[-1]
    assert told["type"] == "rehearsals"
    assert told["violations"] == []
    assert sum(told["done_by_repetitions"].values()) == told["runs"]
    print(f"{told['runs']} rehearsals in {told['wall_secs']:.0f} s")
    assert set(told["done_by_repetitions"]) <= {"0", "1", "2", "3"}
    return told


def test_the_list_of_faults_is_complete(rehearse) -> None:
    catalogue = rehearse("up", "--fault", "list", "--output", "json").stdout
    assert [fault["name"] for fault in json.loads(catalogue)["faults"]] == FAULTS


# What a cluster has only when it is asked for.
MORE = ("--set", "client.parallel=8", "--set", "worker_image=registry.example.com/worker:1")
# A network that somebody else has made.
BROUGHT = (
    "--set", "eks.network.vpc=vpc-0123456789abcdef0",
    "--set", 'eks.network.private_subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]',
)  # fmt: skip
# What is rehearsed, and more than how many calls change something: making, removing, changing to a newer Kubernetes, and giving up the
# machine for clients.
COMMANDS = {
    "up": (["up", *MORE], 70),
    "down": (["down", *MORE], 40),
    "without-client": (["up", "--from", "client.parallel=8"], 10),
    "upgrade": (["up", "--from", "kubernetes.version=1.32", "--set", "kubernetes.version=1.33"], 5),
}


def test_an_upgrade_is_rehearsed_from_the_former_version(rehearse) -> None:
    upgrade, _ = COMMANDS["upgrade"]
    told = events(rehearse(*upgrade, "--profile", "small", "--output", "json").stdout)
    plans = [event for event in told if event["type"] == "plan"]
    assert [plan["create"] > 30 for plan in plans] == [True, False]
    assert plans[1]["change"] >= 2 and plans[1]["remove"] == 0
    assert "eks:CreateCluster" not in told[-1]["operations"] and told[-1]["operations"]["eks:UpdateClusterVersion"] == 1


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in [*OF_SOME_CHANGES, *OF_READS]])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_fault_at_every_call_that_changes_something(rehearse, command: str, fault: str) -> None:
    arguments, more_than = COMMANDS[command]
    told = table(rehearse(*arguments, "--profile", "small", "--fault", f"{fault}@every", "--output", "json").stdout)
    assert told["runs"] > more_than
    if fault.startswith("dies") or fault.endswith("-journal"):
        # After the last answer there is no next call at which the program could be found dead.
        assert told["done_by_repetitions"].get("0", 0) <= (fault == "dies-answered")


def test_whatever_fails_later_is_made_again(rehearse) -> None:
    told = table(rehearse("up", "--profile", "small", "--fault", "fails-later@every", "--output", "json").stdout)
    # A control plane, three node groups and six add-ons; the next run makes what failed again, and waits for nothing that is no more.
    assert told["done_by_repetitions"] == {"1": 10}


def test_a_quota_stops_the_run_and_the_next_one_goes_on(rehearse) -> None:
    told = table(rehearse("up", *MORE, "--profile", "small", "--fault", "quota-exceeded@every", "--output", "json").stdout)
    assert told["done_by_repetitions"] == {"1": told["runs"]} and told["runs"] > 20


def test_what_the_network_add_on_leaves_behind_goes_with_the_network(rehearse) -> None:
    told = table(rehearse("down", "--profile", "large", "--fault", "leaves-interface@every", "--output", "json").stdout)
    assert told["done_by_repetitions"] == {"0": 4}, "one for each node group, and none needs a second run"


def test_what_is_left_in_a_network_of_others_is_told_and_stays(rehearse) -> None:
    fault = ("--fault", "leaves-interface@eks:DeleteNodegroup")
    told = events(rehearse("down", "--profile", "small", *BROUGHT, *fault, "--output", "json", code=9).stdout)
    left = [event for event in told if event["type"] == "error"][-1]
    assert re.search(r"network interface eni-[0-9a-f]+", json.dumps(left))
    [summary] = [event for event in told if event["type"] == "rehearsal"]
    assert "ec2:DeleteNetworkInterface" not in summary["operations"]


def test_a_run_that_has_failed_does_not_wait_for_what_needs_what_failed(rehearse) -> None:
    fault = ("--fault", "quota-exceeded@ec2:CreateNatGateway")
    told = events(rehearse("up", "--profile", "small", *fault, "--output", "json").stdout)
    assert told[-1]["repetitions"] == 1
    [failed] = [event for event in told if event["type"] == "error"]
    assert "NatGatewayLimitExceeded" in json.dumps(failed) and "1 step is under way" in json.dumps(failed)
    # CoreDNS has no nodes before the private subnets have a way out; its own deadline is 40 minutes.
    assert told[-1]["virtual_secs"] < 30 * 60


def test_a_calm_run_stays_within_what_aws_allows_and_changes_nothing_else(rehearse) -> None:
    for command in ["up", "down"]:
        summary = events(rehearse(command, "--profile", "large", *MORE, "--output", "json").stdout)[-1]
        assert summary["throttled"] == 0 and summary["violations"] == []


@pytest.mark.parametrize("fault", ["unavailable", "throttled", "answer-lost", "expired", "dies-before", *OF_READS])
@pytest.mark.parametrize("command", ["up", "down"])
def test_a_fault_at_reads_of_every_operation(rehearse, command: str, fault: str) -> None:
    table(rehearse(command, "--profile", "small", *MORE, "--fault", f"{fault}@every-kind-of-read", "--output", "json").stdout)


@pytest.mark.parametrize("fault", OF_READS)
def test_a_fault_at_reads_of_an_upgrade(rehearse, fault: str) -> None:
    upgrade, _ = COMMANDS["upgrade"]
    table(rehearse(*upgrade, "--profile", "small", "--fault", f"{fault}@every-kind-of-read", "--output", "json").stdout)


# How many times the shortest possible time the steps may take, for the median and for 95 of 100 (latency facts, C6).
LIMITS = {"up": (1.015, 1.04), "down": (1.05, 1.05)}


@pytest.mark.parametrize("profile", ["small", "large"])
@pytest.mark.parametrize("command", ["up", "down"])
def test_the_steps_take_hardly_longer_than_the_cloud_itself(rehearse, command: str, profile: str) -> None:
    told = table(rehearse(command, "--profile", profile, "--fault", "none", "--runs", "40", "--output", "json").stdout)
    own, walker, waves = (told["times_the_shortest"][name] for name in ("own", "ten_at_a_time", "in_waves"))
    assert 1 <= own["p50"] <= LIMITS[command][0] and own["p95"] <= LIMITS[command][1], own
    assert own["p50"] < waves["p50"] and walker["p50"] < waves["p50"]
    # A removal is two long steps one after the other, where it hardly matters who takes them.
    assert command == "down" or own["p50"] < walker["p50"]


def test_throttling_makes_the_steps_hardly_longer(rehearse) -> None:
    told = table(rehearse("up", "--profile", "large", "--fault", "throttled@5%", "--runs", "40", "--output", "json").stdout)
    assert told["times_the_shortest"]["own"]["p95"] <= 1.10
    # It was throttled, and asked again.
    assert told["calls"]["p50"] > 1.04 * table(rehearse("up", "--profile", "large", "--fault", "none", "--runs", "2", "--output", "json").stdout)["calls"]["p50"]


@pytest.mark.parametrize("command", ["up", "down"])
def test_pairs_of_faults_at_any_two_calls(rehearse, command: str) -> None:
    told = table(rehearse(command, "--profile", "small", *["--fault", "random"] * 2, "--runs", "250", "--output", "json").stdout)
    assert told["runs"] == 250


# Where a team keeps its journals.
BUCKET = ("--set", "journal=s3://journals-of-the-team/howso")


def test_a_journal_in_a_bucket_is_rehearsed_there(rehearse) -> None:
    here, there = (events(rehearse("up", "--profile", "small", *where, "--output", "json").stdout)[-1] for where in ((), BUCKET))
    assert "s3" not in here["calls"]
    # One for every write to the journal, each of which is made before what it tells of; and the lease is given back.
    assert there["operations"]["s3:PutObject"] > 20 and there["operations"]["s3:GetObject"] >= 1
    changes = [{service: calls["changes"] for service, calls in summary["calls"].items() if service != "s3"} for summary in (here, there)]
    assert changes[0] == changes[1]


@pytest.mark.parametrize("fault", ["answer-lost", "fails-afterwards", "expired", "dies-after", "loses-journal"])
@pytest.mark.parametrize("command", ["up", "down"])
def test_a_fault_at_every_write_to_a_journal_in_a_bucket(rehearse, command: str, fault: str) -> None:
    told = table(rehearse(command, "--profile", "small", *BUCKET, "--fault", f"{fault}@every-s3:PutObject", "--output", "json").stdout)
    assert told["runs"] > 20
    # The store is asked again, and what it did unseen is looked up.
    assert told["done_by_repetitions"] == {"0" if fault in ["answer-lost", "fails-afterwards"] else "1": told["runs"]}


@pytest.mark.parametrize("command", ["up", "down"])
def test_random_faults_with_a_journal_in_a_bucket(rehearse, command: str) -> None:
    told = table(rehearse(command, "--profile", "small", *BUCKET, "--runs", "100", "--output", "json").stdout)
    assert told["runs"] == 100


@pytest.mark.parametrize(("command", "profile"), [("up", "small"), ("down", "large")])
def test_random_faults_of_500_seeds(rehearse, command: str, profile: str) -> None:
    told = table(rehearse(command, "--profile", profile, *MORE, "--runs", "250", "--output", "json").stdout)
    assert told["runs"] == 250
