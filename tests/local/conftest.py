"""Fixtures: a real Docker engine with real k3d and real Kubernetes, and the program under test.

`HOWSO_TESTS_BIN` names the program. `../images/build` makes what no registry gives here; with a registry at hand,
`HOWSO_TESTS_K3S_IMAGE=rancher/k3s:…` runs the same tests with k3s itself.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import docker
from program import Program, Result, binary
from snapshots import compare_snapshot, pytest_addoption

__all__ = ["Result", "binary", "compare_snapshot", "pytest_addoption"]

IMAGES = Path(__file__).resolve().parent.parent / "images"
UP_TIMEOUT_SECS = 300.0


@dataclass
class Cli(Program):
    """The program under test, with k3d on its path and images that are here."""

    images: dict[str, str] = field(default_factory=dict)
    cluster: str = "local"

    def variables(self) -> dict[str, str]:
        folders = [str(Path(self.images["K3D"]).parent), os.environ.get("PATH", os.defpath)]
        found = {
            "PATH": os.pathsep.join(folders),
            "HOWSO_INFRA_K3D__IMAGE": self.images["NODE_IMAGE"],
            # Nothing here takes minutes, so nothing is looked at as seldom as in a cloud.
            "HOWSO_INFRA_ENGINE__POLL_INTERVAL_MAX": "1s",
            **{name: value for name, value in self.images.items() if name.startswith("K3D_IMAGE_")},
        }
        if "REGISTRY_IMAGE" in self.images:
            found["HOWSO_INFRA_K3D__REGISTRY_IMAGE"] = self.images["REGISTRY_IMAGE"]
        if "DOCKER_HOST" in os.environ:
            found["DOCKER_HOST"] = os.environ["DOCKER_HOST"]
        return found

    def spec(self, *settings: str) -> list[str]:
        chosen = [word for setting in settings for word in ("--set", setting)]
        return ["--profile", "small", "--provider", "k3d", "--name", self.cluster, *chosen]

    def up_arguments(self, *settings: str) -> list[str]:
        return ["up", *self.spec(*settings), "--yes"]

    def down_arguments(self) -> list[str]:
        return ["down", *self.spec(), "--yes", self.cluster]

    def up(self, *settings: str, env: dict[str, str] | None = None) -> Result:
        return self.run(*self.up_arguments(*settings), env=env, timeout=UP_TIMEOUT_SECS)

    def plan(self, *settings: str) -> Result:
        return self.run("plan", *self.spec(*settings), "--detailed-exitcode")

    def down(self) -> Result:
        return self.run(*self.down_arguments(), timeout=UP_TIMEOUT_SECS)

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints with the kubeconfig that the program wrote."""
        kubeconfig = self.home / ".kube" / f"howso-{self.cluster}.yaml"
        return docker.output("kubectl", "--kubeconfig", str(kubeconfig), *arguments, env=self.environment())

    def k3d(self, *arguments: str) -> str:
        """What the real k3d prints: the user's own hand."""
        return docker.output("k3d", *arguments, env=self.environment())


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """Where everything is that `../images/build` made; it also starts a Docker engine when none answers."""
    built = subprocess.run([IMAGES / "build"], capture_output=True, text=True, check=False)
    if built.returncode != 0:
        pytest.fail(f"{IMAGES / 'build'} failed:\n{built.stdout[-4000:]}\n{built.stderr[-8000:]}", pytrace=False)
    lines = [line.split("=", 1) for line in built.stdout.splitlines() if "=" in line]
    return {name: value for name, value in lines}


@pytest.fixture
def before(images: dict[str, str]) -> docker.Inventory:
    """What Docker has before the test."""
    return docker.inventory()


@pytest.fixture
def cli_named(binary: str, images: dict[str, str], tmp_path: Path) -> Iterator[Callable[[str], Cli]]:
    """Makes programs under test, each with a home and a cluster of its own; what a failed test leaves is removed."""
    made: list[Cli] = []

    def make(cluster: str, home: str = "home") -> Cli:
        folder = tmp_path / home
        folder.mkdir(exist_ok=True)
        cli = Cli(binary, folder, images=images, cluster=cluster)
        made.append(cli)
        return cli

    yield make
    for cli in made:
        cli.stop_all()
        docker.remove(cli.cluster)


@pytest.fixture
def cli(cli_named: Callable[[str], Cli]) -> Cli:
    """The program with the cluster `local`."""
    return cli_named("local")
