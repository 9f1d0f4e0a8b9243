"""The values that the program prints: rendered by Helm, taken by a real API, and pods that land on core nodes.

The charts are our own (`../charts`), with the value paths of the real ones. What pods request is made small, because the nodes are those of
this machine; nothing else of the values is changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import docker
import pytest
from cluster import nodes, wait_for
from conftest import Cli

CHARTS = Path(__file__).resolve().parent.parent / "charts"
SETTINGS = ("core.nodes=3", "workers.default.local=1", "k3d.registry=false")
# Each release: its chart, and where its requests are.
RELEASES = {
    "platform-nats": ("nats", "container.merge.resources"),
    "platform-redis": ("redis", "master.resources"),
    "platform-postgres": ("postgresql", "primary.resources"),
    "platform-minio": ("minio", "resources"),
    "howso-platform": ("howso-platform", ""),
}
SECRETS = {
    "platform-minio": ("rootUser", "rootPassword"),
    "platform-postgres-postgresql": ("postgres-password",),
    "platform-redis": ("redis-password",),
}


def write_values(cli: Cli, name: str, *more: str) -> Path:
    folder = cli.home / name
    cli.run("values", "--directory", str(folder), *more).expect(0)
    assert sorted(file.stem for file in folder.iterdir()) == sorted(RELEASES)
    return folder


def helm(cli: Cli, *arguments: str) -> str:
    kubeconfig = cli.home / ".kube" / f"howso-{cli.cluster}.yaml"
    return docker.output(cli.images["HELM"], "--kubeconfig", str(kubeconfig), "--namespace", "howso", *arguments, env=cli.environment())


def rendered(cli: Cli, release: str, values: Path) -> list[dict[str, Any]]:
    """The objects of a release, as Helm makes them of its values and a real API completes them, which makes none of them."""
    manifest = helm(cli, "template", release, str(CHARTS / RELEASES[release][0]), "--values", str(values / f"{release}.yaml"))
    file = cli.home / "rendered.yaml"
    file.write_text(manifest)
    told = json.loads(cli.kubectl("--namespace", "howso", "apply", "--dry-run=server", "--output", "json", "--filename", str(file)))
    return told.get("items", [told])


def the(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    [found] = [each["spec"] for each in objects if each["kind"] == kind]
    return found


def small(release: str) -> list[str]:
    """Makes what its pods request small."""
    _, path = RELEASES[release]
    return [word for part in ("cpu=10m", "memory=16Mi") for word in ("--set", f"{path}.requests.{part}")] if path else []


@pytest.fixture
def cluster(cli: Cli, before: docker.Inventory) -> Any:
    cli.up(*SETTINGS).expect(0)
    yield cli
    cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)
    assert docker.inventory() == before


def test_values_are_taken_and_pods_land_on_core_nodes(cluster: Cli) -> None:
    cli = cluster
    core, workers = nodes(cli).core, nodes(cli).workers
    values = write_values(cli, "values", "--core-nodes", "3")
    for provider in ("k3d", "openshift"):
        folder = write_values(cli, provider, "--provider", provider, "--core-nodes", "3", "--storage-class", "local-path", "--domain", "howso.example.com")
        objects = {release: rendered(cli, release, folder) for release in RELEASES}
        nats = the(objects["platform-nats"], "StatefulSet")
        assert nats["replicas"] == 3
        [container] = nats["template"]["spec"]["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"] == {"cpu": "2", "memory": "8Gi"}
        assert {"name": "GOMEMLIMIT", "value": "7GiB"} in container["env"]
        [spread] = nats["template"]["spec"]["topologySpreadConstraints"]
        assert (spread["topologyKey"], spread["maxSkew"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", 1, "DoNotSchedule")
        for release, kind in [("platform-nats", "StatefulSet"), ("platform-redis", "StatefulSet"), ("platform-postgres", "StatefulSet"), ("platform-minio", "Deployment")]:
            spec = the(objects[release], kind)
            assert spec["template"]["spec"]["nodeSelector"] == {"howso.com/allowWorkers": "False"}, release
            claims = spec.get("volumeClaimTemplates") or [{"spec": the(objects[release], "PersistentVolumeClaim")}]
            assert [claim["spec"]["storageClassName"] for claim in claims] == ["local-path"], release
        [redis] = the(objects["platform-redis"], "StatefulSet")["template"]["spec"]["containers"]
        assert redis["resources"]["requests"] == {"cpu": "1", "memory": "3Gi"}
        # A chart's own user is taken out with a null, which only Helm does.
        assert redis["securityContext"].get("runAsUser") == (1001 if provider == "k3d" else None)
        scaled = [each["spec"] for each in objects["howso-platform"] if each["kind"] == "HorizontalPodAutoscaler"]
        assert [(each["minReplicas"], each["maxReplicas"]) for each in scaled] == [(3, 10)] * 3

    for secret, keys in SECRETS.items():
        cli.kubectl("--namespace", "howso", "create", "secret", "generic", secret, *(f"--from-literal={key}=made-up" for key in keys))
    image = cli.images.get("BUSYBOX_IMAGE", "busybox:1.36")
    for release, (chart, _) in RELEASES.items():
        helm(cli, "install", release, str(CHARTS / chart), "--values", str(values / f"{release}.yaml"), "--set", f"image={image}", *small(release))

    def placed() -> dict[str, list[str]] | None:
        pods = json.loads(cli.kubectl("--namespace", "howso", "get", "pods", "--output", "json"))["items"]
        found: dict[str, list[str]] = {}
        for pod in pods:
            if pod["status"]["phase"] == "Running":
                found.setdefault(pod["metadata"]["labels"]["app"], []).append(pod["spec"]["nodeName"])
        return found if len(found) == 7 and len(found["nats"]) == 3 else None

    where = wait_for("pods of every release", placed, 180)
    assert sorted(where["nats"]) == core, "each replica of NATS is on another core node"
    for name, places in where.items():
        assert set(places) <= set(core), f"{name} is on {places}, and the workers are {workers}"
