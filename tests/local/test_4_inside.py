"""What is inside the cluster: pods land where they should, what others run is not stopped by accident, and what is ours comes back."""

from __future__ import annotations

import json
import signal
import time

import docker
from cluster import nodes, wait_for
from conftest import Cli

SETTINGS = ("core.nodes=1", "workers.default.local=1", "k3d.registry=false")


def manifest(cli: Cli) -> str:
    """A trainee as the operator makes it, a service of the platform, a volume and a load balancer."""
    image = {"image": cli.images.get("BUSYBOX_IMAGE", "busybox:1.36"), "imagePullPolicy": "IfNotPresent", "command": ["sleep", "100000"]}
    container = {"name": "main", "resources": {"requests": {"cpu": "100m", "memory": "32Mi"}}, **image}
    toleration = {"key": "howso.com/nodetype", "operator": "Equal", "value": "worker", "effect": "NoSchedule"}
    not_core = {"key": "howso.com/allowWorkers", "operator": "NotIn", "values": ["False"]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [not_core]}]}}}
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}

    def set_of(kind: str, name: str, spec: dict, **more: object) -> dict:
        template = {"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 1, **spec}}
        return {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": "howso"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template, **more},
        }

    trainee = {"containers": [container], "tolerations": [toleration], "affinity": affinity, "priorityClassName": "howso-trainee"}
    mounted = {**container, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    service = {"containers": [mounted], "volumes": [volume], "priorityClassName": "howso-core"}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "howso"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}},
    }
    balancer = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "howso"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "service"}, "ports": [{"port": 8000}]},
    }
    items = [set_of("StatefulSet", "trainee", trainee, serviceName="trainee"), set_of("Deployment", "service", service), claim, balancer]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def places(cli: Cli) -> dict[str, str] | None:
    """The node of each pod of the namespace, once all run."""
    pods = json.loads(cli.kubectl("--namespace", "howso", "get", "pods", "--output", "json"))["items"]
    if len(pods) != 2 or any(pod["status"]["phase"] != "Running" for pod in pods):
        return None
    return {pod["metadata"]["labels"]["app"]: pod["spec"]["nodeName"] for pod in pods}


def test_pods_land_where_they_should_and_a_removal_does_not_stop_them_by_accident(cli: Cli, before: docker.Inventory) -> None:
    cli.up(*SETTINGS).expect(0)
    found = nodes(cli)
    file = cli.home / "manifest.json"
    file.write_text(manifest(cli))
    cli.kubectl("apply", "--filename", str(file))
    where = wait_for("pods that run", lambda: places(cli))
    assert where["trainee"] in found.workers and where["service"] in found.core, where

    # What is ours comes back; what somebody else added stays.
    cli.kubectl("label", "namespace", "howso", "team=ml")
    cli.kubectl("label", "namespace", "howso", "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    cli.kubectl("delete", "priorityclass", "howso-core")
    drift = cli.run("drift", *cli.spec(*SETTINGS)).expect(3)
    assert "namespace:howso" in drift.stdout and "priority-class:howso-core" in drift.stdout
    cli.up(*SETTINGS).expect(0)
    labels = json.loads(cli.kubectl("get", "namespace", "howso", "--output", "json"))["metadata"]["labels"]
    assert labels["team"] == "ml" and labels["pod-security.kubernetes.io/enforce"] == "baseline"
    assert "nothing was changed" in cli.up(*SETTINGS).expect(0).stderr

    # A worker with a trainee leaves only when the trainee can: its set would make it again, so it is moved, here to nowhere.
    made = docker.inventory()
    refused = cli.down().expect(7)
    assert "howso/StatefulSet trainee (1 pod)" in refused.stderr and "--force-workloads" in refused.stderr, refused.stderr
    assert docker.inventory() == made
    cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)
    assert docker.inventory() == before


def test_a_pod_that_nobody_would_make_again_keeps_its_worker(cli: Cli, before: docker.Inventory) -> None:
    cli.up(*SETTINGS).expect(0)
    worker = nodes(cli).workers[0]
    image = cli.images.get("BUSYBOX_IMAGE", "busybox:1.36")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lone"},
        "spec": {
            "nodeName": worker,
            "containers": [{"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "100000"]}],
        },
    }
    file = cli.home / "pod.json"
    file.write_text(json.dumps(pod))
    cli.kubectl("apply", "--filename", str(file))
    fewer = (*SETTINGS[:1], "workers.default.local=0", *SETTINGS[2:])
    failed = cli.up(*fewer).expect(1, 4)
    assert "default/lone" in failed.stderr and "hint" in failed.stderr, failed.stderr
    assert nodes(cli).workers == [worker]
    cli.kubectl("delete", "pod", "lone", "--grace-period=1")
    cli.up(*fewer).expect(0)
    assert nodes(cli).workers == []
    cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)
    assert docker.inventory() == before


def loaders(cli: Cli) -> list[str]:
    """The nodes on which the image of trainees is there, because something of it runs."""
    pods = json.loads(cli.kubectl("--namespace", "kube-system", "get", "pods", "--selector", "app=howso-image-loader", "--output", "json"))["items"]
    return sorted(pod["spec"]["nodeName"] for pod in pods if pod["status"]["phase"] == "Running")


def test_every_new_worker_fetches_the_image_of_trainees(cli: Cli, before: docker.Inventory) -> None:
    image = f"worker_image={cli.images.get('BUSYBOX_IMAGE', 'busybox:1.36')}"
    cli.up(*SETTINGS, image).expect(0)
    wait_for("the image on the worker", lambda: loaders(cli) == nodes(cli).workers, 60)
    more = (*SETTINGS[:1], "workers.default.local=2", *SETTINGS[2:])
    cli.up(*more, image).expect(0)
    found = nodes(cli)
    assert len(found.workers) == 2
    wait_for("the image on both workers", lambda: loaders(cli) == found.workers, 60)
    # It stands in the way of nothing: a worker with nothing else on it goes, and so does the cluster.
    cli.up(*SETTINGS, image).expect(0)
    # Kubernetes remembers a pod of a node that is gone for a minute or so (`pod-garbage-collector`: 40 s, looked at every 20 s).
    wait_for("one worker", lambda: loaders(cli) == nodes(cli).workers, 180)
    cli.up(*SETTINGS).expect(0)
    assert "howso-image-loader" not in cli.kubectl("--namespace", "kube-system", "get", "daemonsets", "--output", "name")
    cli.up(*SETTINGS, image).expect(0)
    cli.run(*cli.down_arguments(), timeout=300).expect(0)
    assert docker.inventory() == before


def canaries(cli: Cli) -> str:
    return cli.kubectl("--namespace", "howso", "get", "pods", "--output", "name")


def test_verify_proves_where_pods_land_and_sees_when_they_do_not(cli: Cli, before: docker.Inventory) -> None:
    none = (*SETTINGS[:1], "workers.default.local=0", *SETTINGS[2:])
    cli.up(*none).expect(0)
    image = ("--image", cli.images.get("PAUSE_IMAGE", "registry.k8s.io/pause:3.10"))
    verify = ("verify", *cli.spec(*SETTINGS), *image)
    without = cli.run(*verify).expect(0)
    assert "core canary: runs on the core node k3d-local-server-0" in without.stdout and "--scale" in without.stdout, without.stdout

    cli.up(*SETTINGS).expect(0)
    worker = nodes(cli).workers[0]
    proved = cli.run(*verify, "--scale").expect(0)
    assert f"worker canary: runs on the worker node {worker}" in proved.stdout, proved.stdout
    assert "made no worker appear" in proved.stdout and canaries(cli) == ""

    process = cli.start("verify", *cli.spec(*SETTINGS), "--image", "127.0.0.1:9/nothing:v0")
    wait_for("a canary", lambda: "canary-core" in canaries(cli))
    process.send_signal(signal.SIGINT)
    cli.finish(process, ("verify",)).expect(130)
    assert canaries(cli) == "", "canaries were left behind"

    # A worker without its taint takes what should stay on core nodes.
    cli.kubectl("taint", "node", worker, "howso.com/nodetype-")
    cli.kubectl("cordon", "k3d-local-server-0")
    time.sleep(1)
    broken = cli.run(*verify).expect(1)
    assert f"core canary: runs on {worker}, which is no core node" in broken.stdout and canaries(cli) == "", broken.stdout
    cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)
    assert docker.inventory() == before
