"""What AWS does around an EKS cluster and ministack does not: machines that boot and join, and the workings of add-ons.

ministack starts a Kubernetes container for the control plane and nothing else: its node groups have no machines and its add-ons
no pods. `Machines` watches one cluster of ministack and brings about what EKS would: for each node that a group wants, a
container of the same image that joins with the labels and taints of the group; the metrics server, when the add-on is there;
and the end of load balancers, which a cloud's controller reports by taking its finalizer off the Service.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).resolve().parent.parent / "images"
GROUP_LABEL = "eks.amazonaws.com/nodegroup"
EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}
BALANCER_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
CLUSTER_MARK = "howso-infra-test-machines"
LOOK_EVERY_SECS = 0.5
CONNECT_TIMEOUT_SECS = 5.0


def images() -> dict[str, str]:
    """Where everything is that `../images/build` made; it also starts a Docker engine when none answers."""
    built = subprocess.run([IMAGES / "build"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, f"{IMAGES / 'build'} failed:\n{built.stdout[-4000:]}\n{built.stderr[-8000:]}"
    return dict(line.split("=", 1) for line in built.stdout.splitlines() if "=" in line)


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"docker {' '.join(arguments)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def containers(label: str) -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label={label}").split()


def bridge_address() -> str:
    """The address of this machine for containers; nothing beyond it can reach it."""
    network = json.loads(docker("network", "inspect", "bridge"))[0]["IPAM"]["Config"][0]
    # Docker does not always say it, and takes the first address then.
    return network.get("Gateway") or str(next(ipaddress.ip_network(network["Subnet"]).hosts()))


class Forwarder:
    """Passes connections from containers on to a port of 127.0.0.1, where ministack listens."""

    def __init__(self, port: int, address: str) -> None:
        self.port = port
        self.listener = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                incoming, _ = self.listener.accept()
            except OSError:
                return
            try:
                outgoing = socket.create_connection(("127.0.0.1", self.port), timeout=CONNECT_TIMEOUT_SECS)
            except OSError:
                incoming.close()
                continue
            # The time-out was for connecting. API servers keep a connection while they have nothing to ask.
            outgoing.settimeout(None)
            for source, target in ((incoming, outgoing), (outgoing, incoming)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self.listener.close()


class Machines:
    """The machines of one cluster; a context manager that leaves no container."""

    def __init__(self, client: Callable[[str], Any], cluster: str, image: str, server_mark: str) -> None:
        self.eks = client("eks")
        self.cluster = cluster
        self.server_mark = server_mark
        self.image = image
        self.mark = f"{CLUSTER_MARK}={cluster}"
        self.stopping = threading.Event()
        self.failures: list[str] = []
        self.ended: list[str] = []
        self.is_cordoned = False
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Machines:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join(60)
        for identifier in containers(self.mark):
            docker("rm", "--force", "--volumes", identifier, check=False)

    def server(self) -> str | None:
        """The container of the control plane, once Kubernetes answers in it."""
        found = docker("ps", "--quiet", "--filter", f"label={self.server_mark}", "--filter", f"label=cluster_name={self.cluster}").split()
        return found[0] if found and self.kubectl("get", "--raw", "/readyz", server=found[0]) == "ok" else None

    def kubectl(self, *arguments: str, server: str | None = None) -> str:
        """kubectl as the administrator inside the control plane; nothing while there is none."""
        server = server or self.server()
        return docker("exec", server, "kubectl", *arguments, check=False).strip() if server else ""

    def _watch(self) -> None:
        while not self.stopping.wait(LOOK_EVERY_SECS):
            try:
                self._look()
            except self.eks.exceptions.ResourceNotFoundException:
                pass  # The cluster goes, or a group does, between two looks.
            except Exception as error:  # noqa: BLE001 (whatever it is, the test shows it)
                self.failures.append(repr(error))

    def _look(self) -> None:
        groups = self._groups()
        server = self.server()
        self._remove_surplus(groups, server)
        if server is None:
            return
        self._shape_control_plane(server)
        for group in groups:
            self._boot(group, server)
        self._run_add_ons(server)
        self._end_load_balancers(server)

    def _groups(self) -> list[dict[str, Any]]:
        try:
            names = self.eks.list_nodegroups(clusterName=self.cluster)["nodegroups"]
        except self.eks.exceptions.ResourceNotFoundException:
            return []
        return [self.eks.describe_nodegroup(clusterName=self.cluster, nodegroupName=name)["nodegroup"] for name in names]

    def _shape_control_plane(self, server: str) -> None:
        """The control plane of EKS takes no pods, and its clusters come with a storage class that is no default."""
        if not self.is_cordoned:
            name = docker("inspect", "--format", "{{.Config.Hostname}}", server).strip()
            self.is_cordoned = "cordoned" in self.kubectl("cordon", name, server=server)
        mark = "storageclass.kubernetes.io/is-default-class"
        found = json.loads(self.kubectl("get", "storageclass", "local-path", "--output", "json", server=server) or "{}")
        if found.get("metadata", {}).get("annotations", {}).get(mark) == "true":
            self.kubectl("annotate", "storageclass", "local-path", f"{mark}-", server=server)

    def _boot(self, group: dict[str, Any], server: str) -> None:
        name = group["nodegroupName"]
        there = {docker("inspect", "--format", "{{.Config.Hostname}}", identifier).strip() for identifier in containers(f"{GROUP_LABEL}={name}")}
        for index in range(group["scalingConfig"]["desiredSize"]):
            host = f"{name}-{index}"
            if host in there:
                continue
            labels = {GROUP_LABEL: name, **group["labels"]}
            taints = [f"{taint['key']}={taint['value']}:{EFFECTS[taint['effect']]}" for taint in group["taints"]]
            address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", server).strip()
            token = docker("exec", server, "cat", "/var/lib/rancher/k3s/server/token").strip()
            # As k3d starts its agents.
            docker(
                "run", "--detach", "--privileged", "--hostname", host, "--name", f"machine-{self.cluster}-{host}",
                "--label", self.mark, "--label", f"{GROUP_LABEL}={name}", "--tmpfs", "/run", "--tmpfs", "/var/run",
                "--env", f"K3S_URL=https://{address}:6443", "--env", f"K3S_TOKEN={token}", self.image, "agent",
                *(f"--node-label={key}={value}" for key, value in labels.items()), *(f"--node-taint={taint}" for taint in taints),
            )  # fmt: skip

    def _remove_surplus(self, groups: list[dict[str, Any]], server: str | None) -> None:
        """Machines of groups that are gone, and beyond what a group wants."""
        wanted = {f"{group['nodegroupName']}-{index}" for group in groups for index in range(group["scalingConfig"]["desiredSize"])}
        for identifier in containers(self.mark):
            host = docker("inspect", "--format", "{{.Config.Hostname}}", identifier, check=False).strip()
            if host not in wanted:
                docker("rm", "--force", "--volumes", identifier, check=False)
                if server is not None:
                    self.kubectl("delete", "node", host, "--wait=false", server=server)

    def _run_add_ons(self, server: str) -> None:
        manifests = "/var/lib/rancher/k3s/server/manifests"
        if "metrics-server" in self.eks.list_addons(clusterName=self.cluster)["addons"]:
            docker("exec", server, "sh", "-c", f"[ -e {manifests}/metrics-server.yaml ] || cp /usr/share/k3s/manifests/metrics-server.yaml {manifests}/")

    def _end_load_balancers(self, server: str) -> None:
        services = json.loads(self.kubectl("get", "services", "--all-namespaces", "--output", "json", server=server) or '{"items": []}')["items"]
        for service in services:
            metadata = service["metadata"]
            if BALANCER_FINALIZER in metadata.get("finalizers", []) and "deletionTimestamp" in metadata:
                # The cloud takes a while to delete one.
                time.sleep(1)
                patch = '{"metadata":{"finalizers":null}}'
                self.kubectl("patch", "service", metadata["name"], "--namespace", metadata["namespace"], "--type=merge", "--patch", patch, server=server)
                self.ended.append(f"{metadata['namespace']}/{metadata['name']}")
