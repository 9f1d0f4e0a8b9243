"""Line 2, second half: what people meet on their own machine, and what they are told. Each is a snapshot."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import docker
from conftest import Cli, Result
from snapshots import Compare, rendered


@pytest.fixture
def shown(compare_snapshot: Compare, request: pytest.FixtureRequest) -> Callable[[Result, Cli], None]:
    """Compares everything that a run said with the snapshot named like the test."""

    def show(result: Result, cli: Cli) -> None:
        name = request.node.name.removeprefix("test_")
        machine = machine_lines(result)
        places = {str(cli.home): "HOME", cli.images["NODE_IMAGE"]: "NODE-IMAGE", **machine}
        compare_snapshot(name, rendered(result, places))

    return show


def machine_lines(result: Result) -> dict[str, str]:
    """What was scaled down depends on the machine of the tests."""
    lines = (result.stdout + result.stderr).splitlines()
    return {line: "  scaled down to this machine" for line in lines if line.startswith("  scaled down to")}


@pytest.fixture
def taken() -> Iterator[Callable[[int], int]]:
    """Listens on ports of this machine; 0 for any that is free. Returns the port."""
    sockets: list[socket.socket] = []

    def take(port: int = 0) -> int:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()
        sockets.append(listening)
        return listening.getsockname()[1]

    yield take
    for listening in sockets:
        listening.close()


def stand_in_k3d(cli: Cli, script: str) -> dict[str, str]:
    """A program named k3d that is not k3d, first on the path."""
    folder = cli.home / "bin"
    folder.mkdir()
    program = folder / "k3d"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}{os.pathsep}{cli.environment()['PATH']}"}


def unchanged(before: docker.Inventory) -> None:
    assert docker.inventory() == before, "something was changed"


def test_no_k3d(cli: Cli, before: docker.Inventory, shown: Callable[[Result, Cli], None]) -> None:
    shown(cli.up(env={"PATH": "/usr/bin:/bin"}).expect(1), cli)
    unchanged(before)


def test_an_old_k3d(cli: Cli, before: docker.Inventory, shown: Callable[[Result, Cli], None]) -> None:
    shown(cli.up(env=stand_in_k3d(cli, "echo k3d version v5.4.9; echo 'k3s version v1.25.6-k3s1 (default)'")).expect(1), cli)
    unchanged(before)


def test_a_k3d_that_is_something_else(cli: Cli, before: docker.Inventory, shown: Callable[[Result, Cli], None]) -> None:
    shown(cli.up(env=stand_in_k3d(cli, "echo hello")).expect(1), cli)
    unchanged(before)


def test_no_docker(cli: Cli, shown: Callable[[Result, Cli], None]) -> None:
    shown(cli.up(env={"DOCKER_HOST": f"unix://{cli.home}/docker.sock"}).expect(1), cli)


def test_a_docker_that_refuses(cli: Cli, shown: Callable[[Result, Cli], None]) -> None:
    shown(cli.run("status", *cli.spec(), env={"DOCKER_HOST": "tcp://127.0.0.1:9"}).expect(1), cli)


def test_a_chosen_port_is_taken(
    cli: Cli, before: docker.Inventory, taken: Callable[[int], int], shown: Callable[[Result, Cli], None]
) -> None:
    port = taken(0)
    result = cli.up(f"k3d.http_port={port}").expect(7)
    shown(Result(*(text_of(part, port) for part in (result.arguments, result.code, result.stdout, result.stderr))), cli)
    unchanged(before)


def text_of(part: object, port: int) -> object:
    """The port was any that was free."""
    if isinstance(part, str):
        return part.replace(str(port), "PORT")
    return tuple(word.replace(str(port), "PORT") for word in part) if isinstance(part, tuple) else part


def test_the_usual_ports_are_taken(cli: Cli, taken: Callable[[int], int], shown: Callable[[Result, Cli], None]) -> None:
    for port in (80, 443, 5000, 8080):
        taken(port)
    shown(cli.plan().expect(3), cli)


def test_a_foreign_cluster_has_the_name(cli: Cli, images: dict[str, str], shown: Callable[[Result, Cli], None]) -> None:
    labels = ["app=k3d", "k3d.cluster=local", "k3d.role=server"]
    flags = [word for label in labels for word in ("--label", label)]
    docker.output("docker", "create", "--name", "k3d-local-server-0", *flags, images["NODE_IMAGE"], "server")
    before = docker.inventory()
    shown(cli.up().expect(7), cli)
    unchanged(before)
    cli.down().expect(0, 9)
    unchanged(before)


def test_a_foreign_network_has_the_name(cli: Cli, shown: Callable[[Result, Cli], None]) -> None:
    docker.output("docker", "network", "create", "k3d-local")
    before = docker.inventory()
    shown(cli.up().expect(7), cli)
    unchanged(before)


def labels(**more: str) -> list[str]:
    """Flags for labels of ownership, as this program sets them, and others."""
    ours = {"howso-infra/cluster": "local", "howso-infra/deployment": "0" * 32, "howso-infra/generation": "1"}
    return [word for key, value in {**ours, **more}.items() for word in ("--label", f"{key}={value}")]


def test_what_is_ours_is_found_without_local_state(cli: Cli, shown: Callable[[Result, Cli], None]) -> None:
    docker.output("docker", "network", "create", *labels(), "k3d-local")
    before = docker.inventory()
    shown(cli.plan().expect(3), cli)
    unchanged(before)


def test_an_image_that_is_nowhere(cli: Cli, before: docker.Inventory, shown: Callable[[Result, Cli], None]) -> None:
    result = cli.up("k3d.image=127.0.0.1:9/nothing:v0").expect(1, 2, 4)
    assert "hint" in result.stderr and "127.0.0.1:9/nothing:v0" in result.stderr
    cli.down().expect(0)
    unchanged(before)


def test_an_image_for_nodes_that_docker_does_not_have(
    cli: Cli, before: docker.Inventory, shown: Callable[[Result, Cli], None]
) -> None:
    shown(cli.up("k3d.images=['nothing:1']").expect(2), cli)
    unchanged(before)


def test_a_full_disk(cli: Cli, before: docker.Inventory, shown: Callable[[Result, Cli], None]) -> None:
    """Recorded from k3d 5.9.0 on a full disk; the real program tells the version."""
    words = 'ERRO[0003] failed Cluster Creation: failed setup of server/agent node k3d-local-server-0: failed to create node: '
    words += "runtime failed to create node 'k3d-local-server-0': write /var/lib/docker/image: no space left on device"
    script = f'[ "$1" = version ] && {{ echo k3d version v5.9.0; exit; }}; echo "{words}" >&2; echo "FATA[0003] Cluster creation FAILED, rollback deactivated." >&2; exit 1'
    shown(cli.up(env=stand_in_k3d(cli, script)).expect(6), cli)
    cli.down().expect(0)
    unchanged(before)


@pytest.mark.parametrize(
    "setting",
    ["k3d.imagge=x", "k3d.volumes=['data']", "workers.default.local=101", "k3d.listen=localhost", "k3d.http_port=0", "k3d.images=['No Image']"],
)
def test_wrong_options(cli: Cli, before: docker.Inventory, setting: str, compare_snapshot: Compare) -> None:
    result = cli.up(setting).expect(2)
    compare_snapshot(f"wrong_options/{setting.split('=')[0]}", rendered(result, {str(cli.home): "HOME"}))
    unchanged(before)


def test_one_port_for_two_things(cli: Cli, before: docker.Inventory, shown: Callable[[Result, Cli], None]) -> None:
    shown(cli.up("k3d.http_port=8080", "k3d.https_port=8080").expect(2), cli)
    unchanged(before)


def test_a_state_directory_that_cannot_be(cli: Cli, before: docker.Inventory, shown: Callable[[Result, Cli], None]) -> None:
    (cli.home / "state").write_text("a file")
    shown(cli.up(env={"HOWSO_INFRA_STATE_DIR": str(cli.home / "state")}).expect(1), cli)
    unchanged(before)


def test_k3d_is_at_work_for_an_earlier_run(cli: Cli, images: dict[str, str], shown: Callable[[Result, Cli], None]) -> None:
    docker.output("docker", "network", "create", *labels(), "k3d-local")
    of_k3d = {"app": "k3d", "k3d.cluster": "local", "k3d.role": "server"}
    docker.output("docker", "create", "--name", "k3d-local-server-0", *labels(**of_k3d), images["NODE_IMAGE"], "server")
    output = cli.state / "k3d" / "local.log"
    output.parent.mkdir(parents=True)
    with Path(output).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        shown(cli.plan().expect(3), cli)


def test_down_when_nothing_is_there(cli: Cli, before: docker.Inventory, shown: Callable[[Result, Cli], None]) -> None:
    shown(cli.down().expect(0), cli)
    unchanged(before)
