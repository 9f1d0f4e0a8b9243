"""Docker's own client: what is there, and the removal of what a failed test leaves."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Inventory:
    """Everything that a cluster could leave behind, by name; containers with their ids, so that a new one is another one."""

    containers: frozenset[tuple[str, str]]
    networks: frozenset[str]
    volumes: frozenset[str]


def output(*command: str, env: dict[str, str] | None = None, check: bool = True) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env or dict(os.environ))
    assert done.returncode == 0 or not check, f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def inventory() -> Inventory:
    containers = output("docker", "ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}}").splitlines()
    return Inventory(
        frozenset((name, identifier) for name, identifier in (line.split() for line in containers)),
        frozenset(output("docker", "network", "ls", "--format", "{{.Name}}").split()),
        frozenset(output("docker", "volume", "ls", "--quiet").split()),
    )


def inspect(name: str) -> dict[str, Any]:
    return json.loads(output("docker", "inspect", name))[0]


def remove(cluster: str) -> None:
    """Removes everything of one cluster of k3d, also after a failure in the middle, and nothing else."""
    listed = output("docker", "ps", "--all", "--quiet", "--filter", f"label=k3d.cluster={cluster}")
    for identifier in listed.split():
        output("docker", "rm", "--force", "--volumes", identifier, check=False)
    output("docker", "network", "rm", f"k3d-{cluster}", check=False)
    output("docker", "volume", "rm", "--force", f"k3d-{cluster}-images", check=False)
