"""Line 2: the program dies at every stage of k3d's work, alone or together with k3d, and the next run converges.

The stages are what Docker shows: each is a moment that an observer can tell from the one before. The program alone: k3d goes on
and the next run waits for it. Together with k3d, as when the machine loses power: the next run finishes, or begins again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import docker
from cluster import joined_nodes, wait_for
from conftest import UP_TIMEOUT_SECS, Cli, Result

# The smallest cluster with a node of each kind.
SETTINGS = ("core.nodes=1", "workers.default.local=1")
SERVER, WORKER, BALANCER, REGISTRY = (f"k3d-local-{name}" for name in ("server-0", "agent-0", "serverlb", "registry"))


def states() -> dict[str, str]:
    """The state of each container of the cluster, and what else there is of it."""
    listed = docker.output("docker", "ps", "--all", "--filter", "label=k3d.cluster=local", "--format", "{{.Names}} {{.State}}")
    found = dict(line.split() for line in listed.splitlines())
    found |= {name: "network" for name in docker.output("docker", "network", "ls", "--format", "{{.Name}}").split() if name == "k3d-local"}
    return found | {name: "volume" for name in docker.output("docker", "volume", "ls", "--quiet").split() if name == "k3d-local-images"}


# When each stage of `up` has begun.
UP: dict[str, Callable[[dict[str, str]], bool]] = {
    "network": lambda found: "k3d-local" in found,
    "volume": lambda found: "k3d-local-images" in found,
    "registry": lambda found: REGISTRY in found,
    "server made": lambda found: SERVER in found,
    "all made": lambda found: BALANCER in found,
    "server started": lambda found: found.get(SERVER) == "running",
    "worker started": lambda found: found.get(WORKER) == "running",
    "balancer started": lambda found: found.get(BALANCER) == "running",
}
# When each stage of `down` has begun.
DOWN: dict[str, Callable[[dict[str, str]], bool]] = {
    "first container gone": lambda found: len({SERVER, WORKER, BALANCER, REGISTRY} & set(found)) < 4,
    "server gone": lambda found: SERVER not in found,
    "volume gone": lambda found: "k3d-local-images" not in found,
}


# Stages that differ in what must be done afterwards; all of them, with and without k3d, with `HOWSO_TESTS_ALL=1`, which takes
# ten minutes more.
ALL = "HOWSO_TESTS_ALL" in os.environ
SOME_UP = [("volume", True), ("all made", True), ("server started", True), ("all made", False), ("balancer started", False)]
SOME_DOWN = [("server gone", True), ("first container gone", False)]
UP_CASES = [(stage, also_k3d) for stage in UP for also_k3d in (False, True)] if ALL else SOME_UP
DOWN_CASES = [(stage, also_k3d) for stage in DOWN for also_k3d in (False, True)] if ALL else SOME_DOWN


def case_name(value: str | bool) -> str:
    return value if isinstance(value, str) else ("with k3d" if value else "alone")


def up_arguments(cli: Cli, settings: tuple[str, ...] = SETTINGS) -> list[str]:
    """Only what k3d makes: what is inside has tests of its own."""
    return [*cli.up_arguments(*settings), "--until", "cloud"]


def up(cli: Cli, settings: tuple[str, ...] = SETTINGS) -> Result:
    return cli.run(*up_arguments(cli, settings), timeout=UP_TIMEOUT_SECS)


def kill_at(cli: Cli, arguments: list[str], stage: Callable[[dict[str, str]], bool], also_k3d: bool) -> None:
    """Starts a run and kills it once the stage has begun."""
    process = cli.start(*arguments)
    while not stage(states()):
        assert process.poll() is None, f"it ended before the stage was seen: {process.communicate()}"
        time.sleep(0.02)
    cli.kill(process)
    if also_k3d:
        for worker in k3d_processes(cli):
            os.kill(worker, signal.SIGKILL)


def k3d_processes(cli: Cli) -> list[int]:
    """The processes of k3d that this program started: those with its home."""
    mark = f"HOME={cli.home}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() == "k3d" and mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def converges(cli: Cli, before: docker.Inventory) -> None:
    """A second `up` completes, a third has nothing to do, `down` leaves nothing."""
    up(cli).expect(0)
    found = joined_nodes(cli)
    assert (len(found.core), len(found.workers)) == (1, 1)
    assert "nothing was changed" in up(cli).expect(0).stderr
    cli.down().expect(0)
    assert docker.inventory() == before


@pytest.mark.parametrize(("stage", "also_k3d"), UP_CASES, ids=case_name)
def test_killed_on_the_way_up(cli: Cli, before: docker.Inventory, stage: str, also_k3d: bool) -> None:
    kill_at(cli, up_arguments(cli), UP[stage], also_k3d)
    converges(cli, before)


@pytest.mark.parametrize("stage", ["volume", "all made", "server started"] if ALL else ["volume", "all made"])
def test_killed_on_the_way_up_then_removed(cli: Cli, before: docker.Inventory, stage: str) -> None:
    kill_at(cli, up_arguments(cli), UP[stage], also_k3d=True)
    cli.forget()
    cli.down().expect(0)
    assert docker.inventory() == before


@pytest.fixture
def there(cli: Cli, before: docker.Inventory) -> Cli:
    """A cluster; Docker was looked at before."""
    up(cli).expect(0)
    return cli


@pytest.mark.parametrize(("stage", "also_k3d"), DOWN_CASES, ids=case_name)
def test_killed_on_the_way_down(there: Cli, before: docker.Inventory, stage: str, also_k3d: bool) -> None:
    kill_at(there, there.down_arguments(), DOWN[stage], also_k3d)
    there.down().expect(0)
    assert docker.inventory() == before


def occupy(cli: Cli) -> None:
    """Puts a pod on a worker that takes its time to leave, so that emptying the node takes a while."""
    image = cli.images.get("BUSYBOX_IMAGE", "busybox:1.36")
    stubborn = ["sh", "-c", "trap '' TERM; while true; do sleep 1; done"]
    toleration = {"key": "howso.com/nodetype", "operator": "Exists"}
    spec = {
        "nodeSelector": {"howso-infra/pool": "worker"},
        "tolerations": [toleration],
        "terminationGracePeriodSeconds": 10,
        "containers": [{"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": stubborn}],
    }
    labels = {"app": "stubborn"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    deployment = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    file = cli.home / "stubborn.json"
    file.write_text(json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "stubborn"}, "spec": deployment}))
    cli.kubectl("apply", "--filename", str(file))
    cli.kubectl("rollout", "status", "deployment/stubborn", "--timeout=60s")


def test_killed_while_workers_come_and_go(there: Cli, before: docker.Inventory) -> None:
    more, fewer = ("core.nodes=1", "workers.default.local=2"), ("core.nodes=1", "workers.default.local=0")
    kill_at(there, up_arguments(there, more), lambda found: "k3d-local-worker-1" in found, also_k3d=True)
    up(there, more).expect(0)
    # The machines are there, which is all that this stage promises: one whose k3d was killed registers in its own time.
    wait_for("a second worker", lambda: len(joined_nodes(there).workers) == 2)
    occupy(there)
    cordoned = lambda _: '"unschedulable": true' in there.kubectl("get", "nodes", "--output", "json")  # noqa: E731
    kill_at(there, up_arguments(there, fewer), cordoned, also_k3d=True)
    up(there, fewer).expect(0)
    assert joined_nodes(there).workers == []
    there.kubectl("delete", "deployment", "stubborn")
    kill_at(there, up_arguments(there), lambda found: "k3d-local-worker-0" in found, also_k3d=True)
    up(there, fewer).expect(0)
    assert joined_nodes(there).workers == []
    there.down().expect(0)
    assert docker.inventory() == before


def test_ctrl_c_stops_in_order_and_k3d_goes_on(cli: Cli, before: docker.Inventory) -> None:
    process = cli.start(*up_arguments(cli))
    while not UP["server made"](states()):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    interrupted = cli.finish(process, ("up",)).expect(130)
    assert "howso-infra up" in interrupted.stderr, "it does not say how to resume"
    converges(cli, before)


def test_docker_stops_in_the_middle(cli: Cli, before: docker.Inventory, images: dict[str, str]) -> None:
    """Seen from the program, an engine that was stopped is one whose socket refuses: a relay before the real one does that."""
    with Relay(cli.home / "docker.sock") as relay:
        process = cli.start(*up_arguments(cli), env={"DOCKER_HOST": f"unix://{relay.path}"})
        while not UP["server made"](states()):
            assert process.poll() is None
            time.sleep(0.02)
        relay.stop()
        failed = cli.finish(process, ("up",), timeout=120).expect(1, 4)
    assert "Docker" in failed.stderr and "hint" in failed.stderr and "howso-infra up" in failed.stderr, failed.stderr
    converges(cli, before)


class Relay:
    """A socket that leads to the Docker engine, until it is stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
        self.open: list[socket.socket] = []
        self.listening = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Relay:
        self.listening.bind(str(self.path))
        self.listening.listen()
        self.open.append(self.listening)
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listening.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.engine)
                self.open += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self.copy, args=(source, target), daemon=True).start()

    @staticmethod
    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        self.path.unlink(missing_ok=True)
        for end in self.open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def __exit__(self, *_: object) -> None:
        self.stop()


def test_json_is_one_event_a_line(cli: Cli, before: docker.Inventory) -> None:
    done = cli.run(*cli.up_arguments(*SETTINGS, "k3d.registry=false"), "--output", "json", timeout=UP_TIMEOUT_SECS).expect(0)
    assert [json.loads(line) for line in done.stdout.splitlines()]
    cli.down().expect(0)
    assert docker.inventory() == before
