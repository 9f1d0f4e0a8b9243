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


def defects(core: str, worker: str, image: str, folder: Path) -> dict[str, Defect]:
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
    broken = {
        "no image": ({"image": "127.0.0.1:9/nothing:v0"}, "has no image"),
        "a program that ends": ({"command": ["false"]}, "does not stay up"),
        "no secret": ({"envFrom": [{"secretRef": {"name": "platform-redis"}}]}, "cannot be started"),
        "more CPUs than any node has": ({"resources": {"requests": {"cpu": "1000"}}}, "has no node"),
    }

    def service(what: dict) -> dict:
        container = {"name": "main", "image": image, "imagePullPolicy": "Never", "command": ["sleep", "100000"], **what}
        spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
        template = {"metadata": {"labels": {"app": "service"}}, "spec": spec}
        metadata = {"name": "service", "namespace": "howso"}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"selector": {"matchLabels": {"app": "service"}}, "template": template}}

    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "howso"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "16Mi"}}},
    }
    gone = ("-n", "howso", "delete", "--ignore-not-found")
    mark = ("annotate", "storageclass", "local-path", "--overwrite")
    return {
        **{name: Defect(plant, label(core, "False"), "cluster: core nodes", f"no label {LABEL}=False") for name, plant in core_nodes.items()},
        "a worker that counts as core": Defect(
            label(worker, "False"), (("label", "node", worker, f"{LABEL}-"),), "cluster: core nodes", "though not of the core pool"
        ),
        **{
            name: Defect(plant, taint("worker:NoSchedule") if plant != taint() else taint("worker:NoSchedule")[1:], "cluster: worker nodes", f"no taint {TAINT}=worker")
            for name, plant in worker_nodes.items()
        },
        "no default class": Defect(
            ((*mark, f"{DEFAULT_CLASS}=false"),), ((*mark, f"{DEFAULT_CLASS}=true"),), "cluster: storage class", "no storage class is the default"
        ),
        "two default classes": Defect(
            apply("second", second), (("delete", "storageclass", "second"),), "cluster: storage class", "several storage classes are the default"
        ),
        "an add-on that does not run": Defect(
            apply("driver", add_on), (("-n", "kube-system", "delete", "deployment", "driver"),), "cluster: add-ons", "0 of 1 pods of driver are available"
        ),
        **{
            f"a service with {name}": Defect(apply(name.replace(" ", "-"), service(what)), ((*gone, "deployment", "service"),), "platform: pod service-", says)
            for name, (what, says) in broken.items()
        },
        "a claim that nobody fulfils": Defect(apply("claim", claim), ((*gone, "pvc", "data"),), "platform: volume claim data", "is Pending"),
    }


def doctor(cli: Cli) -> tuple[int, dict[str, dict]]:
    """The exit code, and the findings about the cluster that are not good, by their subject."""
    told = cli.run("doctor", *cli.spec(*SETTINGS), "--output", "json")
    [report] = [event for event in map(json.loads, told.stdout.splitlines()) if event["type"] == "findings"]
    about = {finding["subject"]: finding for finding in report["findings"] if finding["subject"].startswith(("cluster: ", "platform", "specification", "client"))}
    assert len(about) >= 4, f"every check is told: {list(about)}"
    return told.code, {subject: finding for subject, finding in about.items() if finding["severity"] != "good"}


def notice(cli: Cli) -> None:
    """What is in nobody's way, and is told all the same: a client that gives up too soon, and an object that somebody changed."""
    cli.kubectl("label", "namespace", "howso", "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    code, told = doctor(cli)
    assert (code, list(told)) == (0, ["specification"]) and "kubernetes/namespace:howso" in told["specification"]["message"], told
    cli.up(*SETTINGS).expect(0)
    assert doctor(cli) == (0, {})
    for configuration, waits in [("howso:\n  options: {create_max_wait_time: 20}\n", "waits 20 s"), ("a: [", "not YAML")]:
        file = cli.home / "howso.yml"
        file.write_text(configuration)
        code, told = doctor(cli)
        [(subject, finding)] = told.items()
        assert (code, finding["severity"]) == (0, "warning") and subject == f"client: {file}" and waits in finding["message"], told
        assert finding["cure"] == f"howso-infra client --merge {file}"
    file.write_text("howso:\n  debug: true\n")
    assert doctor(cli) == (0, {}), "30 s, which a client waits by itself, are enough on one's own machine"
    file.write_text("# mine\nhowso:\n  options: {create_max_wait_time: 20}\n")
    cli.run("client", "--merge", str(file), "--provider", "k3d").expect(0)
    assert doctor(cli) == (0, {}) and file.read_text().startswith("# mine\n")
    file.unlink()


def test_what_is_safe_to_cure_is_cured_and_nothing_else(cli: Cli, before: docker.Inventory) -> None:
    cli.up(*SETTINGS).expect(0)
    made = docker.inventory()
    cli.kubectl("label", "namespace", "howso", "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    cli.kubectl("delete", "priorityclass", "howso-core")
    file = cli.home / "howso.yml"
    file.write_text("# mine\nhowso:\n  options: {create_max_wait_time: 20}\n")
    # Another worker is no matter of safety, and together with it nothing is done to the cluster.
    more = cli.run("doctor", "--fix", *cli.spec(*SETTINGS[:1], "workers.default.local=2", *SETTINGS[2:]))
    assert "would change more than what is fixed without a question" in more.stderr and docker.inventory() == made, more
    assert "privileged" in cli.kubectl("get", "namespace", "howso", "--output", "yaml")
    fixed = cli.run("doctor", "--fix", *cli.spec(*SETTINGS)).expect(0)
    assert "fixes kubernetes/namespace:howso" in fixed.stderr and "fixes kubernetes/priority-class:howso-core" in fixed.stderr, fixed
    assert file.read_text().startswith("# mine\n") and "create_max_wait_time: 20" not in file.read_text()
    assert doctor(cli) == (0, {}) and docker.inventory() == made
    assert "fixes" not in cli.run("doctor", "--fix", *cli.spec(*SETTINGS)).expect(0).stderr
    # What somebody else would have to do is not waited for.
    worker = nodes(cli).workers[0]
    cli.kubectl("taint", "node", worker, f"{TAINT}-")
    left = cli.run("doctor", "--fix", *cli.spec(*SETTINGS), timeout=120).expect(1)
    assert "cluster: worker nodes" in left.stdout and "fixes" not in left.stderr, left
    cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)
    assert docker.inventory() == before


def test_what_is_planted_is_found_alone(cli: Cli, before: docker.Inventory) -> None:
    cli.up(*SETTINGS).expect(0)
    found = nodes(cli)
    planted = defects(found.core[0], found.workers[0], cli.images.get("BUSYBOX_IMAGE", "busybox:1.36"), cli.home)
    assert doctor(cli) == (0, {})
    for name, defect in planted.items():
        for command in defect.plant:
            cli.kubectl(*command)
        code, told = wait_for(f"a finding about {name}", lambda: (lambda seen: seen if seen[1] else None)(doctor(cli)), 30)
        for command in defect.undo:
            cli.kubectl(*command)
        assert code == 1, (name, told)
        [(subject, finding)] = told.items()
        assert subject.startswith(defect.subject), (name, told)
        assert defect.says in finding["message"] and "kubectl" in finding["cure"], (name, finding)
        wait_for(f"health after {name}", lambda: doctor(cli) == (0, {}), 30)
    notice(cli)
    cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)
    assert docker.inventory() == before
