"""Local autoscaling on real Docker: workers come with the trainees that need them, and go when nothing runs on them."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import time

import pytest

import docker
from cluster import nodes, wait_for
from conftest import Cli

SETTINGS = ("core.nodes=1", "k3d.registry=false")
IDLE_SECS = 5


def pods(cli: Cli, name: str, replicas: int, cpu: str, *, trainee: bool) -> None:
    """Makes a set of pods, or changes how many there are."""
    image = cli.images.get("BUSYBOX_IMAGE", "busybox:1.36")
    resources = {"requests": {"cpu": cpu, "memory": "32Mi"}}
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "100000"], "resources": resources}
    spec: dict = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    if trainee:
        toleration = {"key": "howso.com/nodetype", "operator": "Equal", "value": "worker", "effect": "NoSchedule"}
        not_core = {"key": "howso.com/allowWorkers", "operator": "NotIn", "values": ["False"]}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [not_core]}]}
        spec |= {"tolerations": [toleration], "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    stateful_set = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": "howso"},
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {"app": name}},
            "template": template,
        },
    }
    file = cli.home / f"{name}.json"
    file.write_text(json.dumps(stateful_set))
    cli.kubectl("apply", "--filename", str(file))


def running(cli: Cli, name: str) -> dict[str, str]:
    """The node of each pod of a set that runs."""
    found = json.loads(cli.kubectl("--namespace", "howso", "get", "pods", "--selector", f"app={name}", "--output", "json"))["items"]
    return {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in found if pod["status"]["phase"] == "Running"}


def events(cli: Cli, reason: str) -> list[str]:
    """What is said of pods, as whoever describes one reads it."""
    found = json.loads(cli.kubectl("--namespace", "howso", "get", "events", "--field-selector", f"reason={reason}", "--output", "json"))["items"]
    return [f"{event['involvedObject']['name']}: {event['message']}" for event in found]


def workers(cli: Cli) -> list[str] | None:
    """The workers, once each node is ready."""
    try:
        return nodes(cli).workers
    except AssertionError:
        return None


def is_settled_without_worker(cli: Cli) -> bool:
    """Whether the last worker's container is gone, and with it the run that removed it: nobody holds the journal."""
    if any("-worker-" in name for name, _ in docker.inventory().containers):
        return False
    with (cli.state / "k3d-local-local.journal").open() as journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def offered_cpu(cli: Cli) -> int:
    """How many CPUs a node offers: as many as the machine has, up to what the profile wants."""
    return int(json.loads(cli.kubectl("get", "node", "k3d-local-server-0", "--output", "json"))["status"]["allocatable"]["cpu"])


def watch(cli: Cli, *settings: str) -> subprocess.Popen:
    return cli.start("autoscale", *cli.spec(*SETTINGS, *settings), "--idle-for", f"{IDLE_SECS}s")


def test_workers_come_and_go_with_the_trainees_that_need_them(cli: Cli, before: docker.Inventory) -> None:
    cli.up(*SETTINGS).expect(0)
    assert nodes(cli).workers == []
    process = watch(cli)

    # What no worker could hold, and what is not for workers, makes none appear and is told why.
    pods(cli, "service", 1, "64", trainee=False)
    pods(cli, "giant", 1, "64", trainee=True)
    told = wait_for("reasons", lambda: len(events(cli, "NotTriggerScaleUp")) >= 2 and events(cli, "NotTriggerScaleUp"))
    assert any("service-0: pod didn't trigger scale-up: worker: had untolerated taint" in line and "not for workers" in line for line in told), told
    assert any("giant-0: pod didn't trigger scale-up: worker: Insufficient cpu (64 wanted," in line for line in told), told
    time.sleep(10)
    assert nodes(cli).workers == []
    assert len(events(cli, "NotTriggerScaleUp")) == 2, "a reason is told once"
    pods(cli, "giant", 0, "64", trainee=True)

    # Each trainee takes more than half of a worker: 0 -> 1 -> 2, and not beyond the maximum.
    each = f"{offered_cpu(cli) * 600}m"
    pods(cli, "trainee", 1, each, trainee=True)
    where = wait_for("a trainee that runs", lambda: running(cli, "trainee"))
    assert list(where.values()) == nodes(cli).workers == ["k3d-local-worker-0"]
    pods(cli, "trainee", 3, each, trainee=True)
    where = wait_for("two trainees that run", lambda: len(running(cli, "trainee")) == 2 and running(cli, "trainee"))
    assert sorted(where.values()) == nodes(cli).workers == ["k3d-local-worker-0", "k3d-local-worker-1"]
    full = wait_for("a reason", lambda: [line for line in events(cli, "NotTriggerScaleUp") if line.startswith("trainee")])
    assert "worker: max node group size reached" in full[0], full
    triggered = events(cli, "TriggeredScaleUp")
    assert "trainee-0: pod triggered scale-up: [{worker 0->1 (max: 2)}]" in triggered, triggered
    assert any("[{worker 1->2 (max: 2)}]" in line for line in triggered), triggered

    # The worker that is empty goes, and the one with a trainee stays.
    keeping = where["trainee-0"]
    pods(cli, "trainee", 1, each, trainee=True)
    wait_for("a worker that goes", lambda: workers(cli) == [keeping])
    assert running(cli, "trainee") == {"trainee-0": keeping}
    pods(cli, "trainee", 0, each, trainee=True)
    wait_for("no workers", lambda: workers(cli) == [] and is_settled_without_worker(cli))
    process.send_signal(signal.SIGINT)
    ended = cli.finish(process, ("autoscale",)).expect(0)
    for line in ("pod triggered scale-up: [{worker 0->1 (max: 2)}] (howso/trainee-0)", f"removing empty node {keeping}"):
        assert line in ended.stderr, ended.stderr
    assert "not watching any more" in ended.stderr, ended.stderr
    cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)
    assert docker.inventory() == before


def test_an_autoscaler_that_was_killed_is_started_again_and_keeps_the_least_number(cli: Cli, before: docker.Inventory) -> None:
    bounds = ("workers.default.min=1", "workers.default.max=3")
    cli.up(*SETTINGS, *bounds).expect(0)
    first = nodes(cli).workers
    assert len(first) == 1
    process = watch(cli, *bounds)
    # Two small ones fill so much of the first worker that the large one needs another.
    small, large = (f"{offered_cpu(cli) * share}m" for share in (300, 550))
    pods(cli, "trainee", 2, small, trainee=True)
    pods(cli, "large", 1, large, trainee=True)
    made = wait_for("a container", lambda: any("worker-1" in name for name, _ in docker.inventory().containers))
    assert made
    cli.kill(process)

    # A cluster that somebody changed in other ways is not scaled.
    wider = cli.run("autoscale", *cli.spec(*SETTINGS, *bounds, "workers.default.labels.team=ml")).expect(3)
    assert "not as its specification wants it" in wider.stderr and "howso-infra up" in wider.stderr, wider.stderr

    process = watch(cli, *bounds)
    wait_for("all trainees", lambda: len(running(cli, "trainee")) == 2 and len(running(cli, "large")) == 1)
    assert len(nodes(cli).workers) == 2
    pods(cli, "trainee", 0, small, trainee=True)
    pods(cli, "large", 0, large, trainee=True)
    wait_for("the least number of workers", lambda: len(workers(cli) or []) == 1)
    time.sleep(IDLE_SECS + 5)
    assert len(nodes(cli).workers) == 1
    process.send_signal(signal.SIGTERM)
    cli.finish(process, ("autoscale",)).expect(0)
    cli.down().expect(0)
    assert docker.inventory() == before


def test_up_goes_on_with_scaling_and_verify_makes_a_worker_appear_from_none(cli: Cli, before: docker.Inventory) -> None:
    process = cli.start(*cli.up_arguments(*SETTINGS), "--autoscale", "--idle-for", f"{IDLE_SECS}s")
    wait_for("access", lambda: (cli.home / ".kube" / "howso-local.yaml").exists(), timeout=180)
    image = cli.images.get("PAUSE_IMAGE", "registry.k8s.io/pause:3.10")
    unmeasured = cli.run("client", *cli.spec(*SETTINGS), "--measured").expect(2)
    assert "verify --scale" in unmeasured.stderr, unmeasured.stderr
    proved = cli.run("verify", *cli.spec(*SETTINGS), "--scale", "--image", image, timeout=300).expect(0)
    assert "made no worker appear" in proved.stdout, proved.stdout
    assert "worker canary: runs on the worker node k3d-local-worker-0 after" in proved.stdout, proved.stdout
    assert "from no worker node" in proved.stdout, proved.stdout
    told = json.loads(cli.run("client", *cli.spec(*SETTINGS), "--measured", "--output", "json").expect(0).stdout.splitlines()[-1])
    assert f"k3d-local-worker-0 after {told['measured_secs']} s" in proved.stdout, (told, proved.stdout)
    # Another cluster, on which it took longer than a client waits by itself.
    cli.kubectl("annotate", "namespace", "howso", "howso-infra/worker-wait-secs=251", "--overwrite")
    slow = json.loads(cli.run("client", *cli.spec(*SETTINGS), "--measured", "--output", "json").expect(0).stdout.splitlines()[-1])
    assert (slow["measured_secs"], slow["create_max_wait_secs"]) == (251, 600), slow
    (cli.home / "howso.yml").write_text("howso:\n  options:\n    create_max_wait_time: 200\n")
    assert "251 s on this cluster" in cli.run("doctor", *cli.spec(*SETTINGS)).stdout
    wait_for("no workers", lambda: workers(cli) == [] and is_settled_without_worker(cli))
    process.send_signal(signal.SIGINT)
    cli.finish(process, ("up",)).expect(0)
    cli.down().expect(0)
    assert docker.inventory() == before


@pytest.mark.parametrize("duration", ["soon", "-1s"])
def test_a_duration_that_is_none_is_refused(cli: Cli, duration: str) -> None:
    refused = cli.run("autoscale", *cli.spec(), f"--idle-for={duration}").expect(2)
    assert "--idle-for" in refused.stderr, refused.stderr
