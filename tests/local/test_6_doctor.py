"""`doctor` on a real cluster: what is planted is found, alone, with what it matters for and the command that cures it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import docker
from cluster import nodes, wait_for
from conftest import Cli

SETTINGS = ("core.nodes=1", "workers.default.local=1", "k3d.registry=false")
LABEL, TAINT = "howso.com/allowWorkers", "howso.com/nodetype"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Defect:
    """What goes wrong in a cluster: how it is planted and taken back, which finding names it, and words of it."""

    plant: Commands
    undo: Commands
    subject: str
    says: str


def defects(core: str, worker: str, folder: Path) -> dict[str, Defect]:
    def apply(name: str, manifest: dict) -> Commands:
        file = folder / f"{name}.json"
        file.write_text(json.dumps(manifest))
        return (("apply", "--filename", str(file)),)

    def label(node: str, value: str) -> Commands:
        return (("label", "node", node, f"{LABEL}={value}", "--overwrite"),)

    def taint(*taints: str) -> Commands:
        """These and no other ones of the key."""
        return (("taint", "node", worker, f"{TAINT}-"), *(("taint", "node", worker, f"{TAINT}={each}") for each in taints))

    core_nodes = {
        "no label": (("label", "node", core, f"{LABEL}-"),),
        "a truth value for a label": label(core, "false"),
        "the other value": label(core, "True"),
    }
    worker_nodes = {
        "no taint": taint(),
        "a taint that only asks": taint("worker:PreferNoSchedule"),
        "a taint of another effect": taint("worker:NoExecute"),
        "a taint of another value": taint("trainee:NoSchedule"),
    }
    second = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "second", "annotations": {DEFAULT_CLASS: "true"}},
        "provisioner": "example.com/none",
    }
    container = {"name": "main", "image": "127.0.0.1:9/nothing:v0", "imagePullPolicy": "Never"}
    add_on = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "driver", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": {"app": "driver"}},
            "template": {"metadata": {"labels": {"app": "driver"}}, "spec": {"containers": [container]}},
        },
    }
    mark = ("annotate", "storageclass", "local-path", "--overwrite")
    return {
        **{name: Defect(plant, label(core, "False"), "core nodes", f"no label {LABEL}=False") for name, plant in core_nodes.items()},
        "a worker that counts as core": Defect(
            label(worker, "False"), (("label", "node", worker, f"{LABEL}-"),), "core nodes", "though not of the core pool"
        ),
        **{
            name: Defect(plant, taint("worker:NoSchedule") if plant != taint() else taint("worker:NoSchedule")[1:], "worker nodes", f"no taint {TAINT}=worker")
            for name, plant in worker_nodes.items()
        },
        "no default class": Defect(
            ((*mark, f"{DEFAULT_CLASS}=false"),), ((*mark, f"{DEFAULT_CLASS}=true"),), "storage class", "no storage class is the default"
        ),
        "two default classes": Defect(
            apply("second", second), (("delete", "storageclass", "second"),), "storage class", "several storage classes are the default"
        ),
        "an add-on that does not run": Defect(
            apply("driver", add_on), (("-n", "kube-system", "delete", "deployment", "driver"),), "add-ons", "0 of 1 pods of driver are available"
        ),
    }


def doctor(cli: Cli) -> tuple[int, dict[str, dict]]:
    """The exit code, and the findings about the cluster that are not good, by their subject."""
    told = cli.run("doctor", *cli.spec(*SETTINGS), "--output", "json")
    [report] = [event for event in map(json.loads, told.stdout.splitlines()) if event["type"] == "findings"]
    about = {finding["subject"]: finding for finding in report["findings"] if finding["subject"].startswith("cluster: ")}
    assert len(about) >= 4, f"every check is told: {list(about)}"
    return told.code, {subject: finding for subject, finding in about.items() if finding["severity"] != "good"}


def test_what_is_planted_is_found_alone(cli: Cli, before: docker.Inventory) -> None:
    cli.up(*SETTINGS).expect(0)
    found = nodes(cli)
    planted = defects(found.core[0], found.workers[0], cli.home)
    assert doctor(cli) == (0, {})
    for name, defect in planted.items():
        for command in defect.plant:
            cli.kubectl(*command)
        code, told = wait_for(f"a finding about {name}", lambda: (lambda seen: seen if seen[1] else None)(doctor(cli)), 30)
        for command in defect.undo:
            cli.kubectl(*command)
        assert (code, list(told)) == (1, [f"cluster: {defect.subject}"]), (name, told)
        [finding] = told.values()
        assert defect.says in finding["message"] and "until then" in finding["message"], (name, finding)
        assert "kubectl" in finding["cure"], (name, finding)
        wait_for(f"health after {name}", lambda: doctor(cli) == (0, {}), 30)
    cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)
    assert docker.inventory() == before
