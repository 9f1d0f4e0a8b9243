"""What the nodes of a cluster are, as kubectl tells it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conftest import Cli

CORE_LABEL = "howso.com/allowWorkers"
WORKER_TAINT = {"key": "howso.com/nodetype", "value": "worker", "effect": "NoSchedule"}


@dataclass(frozen=True)
class Nodes:
    core: list[str]
    workers: list[str]


def nodes(cli: Cli) -> Nodes:
    """The nodes; each is core or worker, ready, and nothing in between."""
    core, workers = [], []
    for node in json.loads(cli.kubectl("get", "nodes", "--output", "json"))["items"]:
        name, labels = node["metadata"]["name"], node["metadata"]["labels"]
        taints = [taint for taint in node["spec"].get("taints", []) if not taint["key"].startswith("node.kubernetes.io/")]
        ready = {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}["Ready"]
        assert ready == "True", f"{name} is not ready: {node['status']['conditions']}"
        if CORE_LABEL in labels:
            assert labels[CORE_LABEL] == "False", f"{name}: {labels[CORE_LABEL]!r}"
            assert taints == [], f"{name} is a core node with taints {taints}"
            core.append(name)
        else:
            assert taints == [WORKER_TAINT], f"{name} is no core node and has the taints {taints}"
            workers.append(name)
    return Nodes(sorted(core), sorted(workers))


def joined_nodes(cli: Cli) -> Nodes:
    """The nodes after `up --until cloud`, which ends once they are registered: a moment before the last one is ready."""
    cli.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
    return nodes(cli)


def wait_for(what: str, condition: Callable[[], Any], timeout: float = 120.0) -> Any:
    """Waits until something holds, and returns it."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come about within {timeout:.0f} s")
