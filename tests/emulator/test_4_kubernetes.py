"""The API inside an emulated cluster: the same requests to it and to a real API server, and kubectl on it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import REGION, Client
from kubernetes_api import Api, real, token_of_eks

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
MAPS = "/api/v1/namespaces/demo/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/demo/deployments"


def assume(service: str) -> str:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def emulated_api(emulated: Client, tmp_path: Path) -> Api:
    """The API of a cluster with two nodes."""
    ec2, eks, iam = emulated("ec2"), emulated("eks"), emulated("iam")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    places = [("10.1.0.0/24", "a"), ("10.1.1.0/24", "b")]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=REGION + zone)["Subnet"]["SubnetId"]
        for block, zone in places
    ]
    services = {"cluster": "eks.amazonaws.com", "node": "ec2.amazonaws.com"}
    roles = {
        name: iam.create_role(RoleName=name, AssumeRolePolicyDocument=assume(service))["Role"]["Arn"]
        for name, service in services.items()
    }
    eks.create_cluster(
        name="demo", roleArn=roles["cluster"], resourcesVpcConfig={"subnetIds": subnets},
        accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True},
    )
    eks.get_waiter("cluster_active").wait(name="demo", WaiterConfig={"Delay": 1})
    eks.create_nodegroup(
        clusterName="demo", nodegroupName="core", nodeRole=roles["node"], subnets=subnets, instanceTypes=["m6i.xlarge"],
        scalingConfig={"minSize": 2, "maxSize": 2, "desiredSize": 2}, labels={"pool": "core"},
    )
    eks.get_waiter("nodegroup_active").wait(clusterName="demo", nodegroupName="core", WaiterConfig={"Delay": 1})
    cluster = eks.describe_cluster(name="demo")["cluster"]
    authority = tmp_path / "emulated.pem"
    authority.write_bytes(base64.b64decode(cluster["certificateAuthority"]["data"]))
    return Api(cluster["endpoint"], authority, token_of_eks("demo", REGION))


@pytest.fixture(scope="module")
def real_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with real(tmp_path_factory.mktemp("real")) as api:
        yield api


def config_map(name: str, data: dict[str, str], **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data}


def deployment(name: str, replicas: int, container: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "a", **container}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def script(api: Api) -> list[tuple[str, int, Any]]:
    """Everything that is asked of both, with the answers."""
    seen: list[tuple[str, int, Any]] = []

    def ask(what: str, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        status, answer = api.ask(method, path, body, kind)
        seen.append((what, status, answer))
        return answer

    ask("a namespace that there is not", "GET", "/api/v1/namespaces/demo")
    ask("an object in it", "POST", MAPS, config_map("a", {"x": "1"}))
    ask("a namespace", "POST", "/api/v1/namespaces", {"metadata": {"name": "demo"}})
    ask("the same again", "POST", "/api/v1/namespaces", {"metadata": {"name": "demo"}})
    ask("a path that there is not", "GET", "/apis/nonsense.example.com/v1/things")
    begin = api.ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
    ask("an object", "POST", f"{MAPS}?fieldManager=first", config_map("a", {"x": "1"}, labels={"team": "one"}))
    ask("an object that there is not", "GET", f"{MAPS}/b")
    ask("another's field", "PATCH", f"{MAPS}/a?fieldManager=second", config_map("a", {"x": "2"}), APPLY)
    ask("another's field, by force", "PATCH", f"{MAPS}/a?fieldManager=second&force=true", config_map("a", {"x": "2"}), APPLY)
    ask("a field of one's own", "PATCH", f"{MAPS}/a?fieldManager=third", config_map("a", {"y": "3"}), APPLY)
    ask("no longer wanted", "PATCH", f"{MAPS}/a?fieldManager=third", config_map("a", {}), APPLY)
    ask("without a manager", "PATCH", f"{MAPS}/a", config_map("a", {"y": "3"}), APPLY)
    ask("must not be there yet", "PATCH", f"{MAPS}/c?fieldManager=first", config_map("c", {}, resourceVersion="1"), APPLY)
    ask("and now it is", "PATCH", f"{MAPS}/c?fieldManager=first", config_map("c", {}, resourceVersion="1"), APPLY)
    ask("a merge", "PATCH", f"{MAPS}/a?fieldManager=first", {"data": {"x": None, "z": "4"}}, MERGE)
    present = ask("as it is", "GET", f"{MAPS}/a")
    present["data"] = {"w": "5"}
    ask("replaced", "PUT", f"{MAPS}/a?fieldManager=first", present)
    ask("replaced, out of date", "PUT", f"{MAPS}/a?fieldManager=first", present)
    for name in "def":
        ask("one more", "POST", MAPS, config_map(name, {}, labels={"team": "two", "name": name}))
    page = ask("a page", "GET", f"{MAPS}?labelSelector=team%3Dtwo&limit=2")
    ask("the next", "GET", f"{MAPS}?labelSelector=team%3Dtwo&limit=2&continue={page['metadata']['continue']}")
    ask("by a set", "GET", f"{MAPS}?labelSelector=name+in+(d,f),team!%3Done")
    ask("by a field", "GET", f"{MAPS}?fieldSelector=metadata.name%3Dd")
    ask("another uid", "DELETE", f"{MAPS}/d", {"preconditions": {"uid": "not-it"}})
    ask("deleted", "DELETE", f"{MAPS}/d", {"propagationPolicy": "Background"})
    ask("deleted twice", "DELETE", f"{MAPS}/d")
    # Each ends by itself after a second.
    watch = f"{MAPS}?watch=1&timeoutSeconds=1"
    ask("what has happened", "GET", f"{watch}&resourceVersion={begin}")
    ask("to some of them", "GET", f"{watch}&resourceVersion={begin}&labelSelector=team%3Dtwo")
    ask("to one of them", "GET", f"{watch}&resourceVersion={begin}&fieldSelector=metadata.name%3Dd")
    ask("what is there", "GET", watch)
    ask("since no version", "GET", f"{watch}&resourceVersion=soon")
    own = deployment("web", 2, {"args": ["a"], "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}]})
    ask("a deployment", "PATCH", f"{DEPLOYMENTS}/web?fieldManager=first", own, APPLY)
    ask("a part of it", "PATCH", f"{DEPLOYMENTS}/web?fieldManager=second", deployment("web", 2, {"tty": True}), APPLY)
    ask("another number", "PATCH", f"{DEPLOYMENTS}/web?fieldManager=second", deployment("web", 3, {}), APPLY)
    ask("a field that there is not", "PATCH", f"{DEPLOYMENTS}/web?fieldManager=first&fieldValidation=Strict",
        deployment("web", 2, {"imagge": "b"}), APPLY)
    ask("the wrong type", "PATCH", f"{DEPLOYMENTS}/web?fieldManager=first",
        deployment("web", "two", {}), APPLY)  # type: ignore[arg-type]
    ask("another name than the path's", "PATCH", f"{DEPLOYMENTS}/other?fieldManager=first", own, APPLY)
    ask("a namespace with something in it", "DELETE", "/api/v1/namespaces/demo")
    ask("an object in what ends", "POST", MAPS, config_map("late", {}))
    return seen


# What is different in every cluster, or what a real API server adds that is the usual for what was not said.
OWN = {"uid", "resourceVersion", "creationTimestamp", "time", "deletionTimestamp", "remainingItemCount", "continue", "message", "causes"}


def missing(emulated: Any, real: Any, path: str = "") -> list[str]:
    """What the emulated answer says and the real one does not."""
    if isinstance(emulated, dict) and isinstance(real, dict):
        keys = [key for key in emulated if key not in OWN]
        return [found for key in keys for found in missing(emulated[key], real.get(key), f"{path}.{key}")]
    if isinstance(emulated, list) and isinstance(real, list) and len(emulated) == len(real):
        return [found for index, pair in enumerate(zip(emulated, real)) for found in missing(*pair, f"{path}[{index}]")]
    return [] if emulated == real else [f"{path}: {json.dumps(emulated)} is not {json.dumps(real)}"]


def without_controllers(answer: Any) -> Any:
    """An answer without what the controllers of a cluster that works have written into it."""
    if isinstance(answer, dict) and isinstance(answer.get("metadata"), dict):
        answer = {key: value for key, value in answer.items() if key != "status" or answer.get("kind") == "Status"}
    return answer


def test_a_real_api_server_says_the_same(emulated_api: Api, real_api: Api) -> None:
    found, compared = [], 0
    for (what, status, emulated), (_, expected, truth) in zip(script(emulated_api), script(real_api), strict=True):
        if status != expected:
            found.append(f"{what}: {status} {emulated} is not {expected} {truth}")
        found += [f"{what}{difference}" for difference in missing(without_controllers(emulated), truth)]
        compared += len(truth.get("metadata", {}).get("managedFields", [])) if isinstance(truth, dict) else 0
    assert not found, "\n".join(found)
    # Who wrote what was a part of it.
    assert compared > 20


class Kubectl:
    """The official client on the emulated cluster."""

    def __init__(self, api: Api) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "howso-infra/local-kubernetes/bin/kubectl"
        self._command = [
            str(cache), f"--server={api.url}", f"--certificate-authority={api.authority}", f"--token={api.token}",
            "--kubeconfig=/dev/null",
        ]

    def __call__(self, *arguments: str, given: Any = None) -> str:
        text = None if given is None else json.dumps(given)
        done = subprocess.run([*self._command, *arguments], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


    @contextmanager
    def watching(self, path: Path, *arguments: str) -> Iterator[None]:
        """Lets it print to a file for a while."""
        with path.open("w") as file, subprocess.Popen([*self._command, *arguments], stdout=file) as process:
            try:
                yield
            finally:
                process.terminate()


def eventually(look: Any) -> None:
    end = time.monotonic() + 20
    while not look():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_kubectl_reads_and_writes(emulated_api: Api) -> None:
    kubectl = Kubectl(emulated_api)
    nodes = kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.labels.pool}")
    assert nodes == "core core"
    ready = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
    assert kubectl("get", "nodes", "-o", ready) == "True True"
    assert "deployments" in kubectl("api-resources", "--api-group=apps")
    assert "v1.34" in kubectl("version")
    # Without `-f` kubectl would send it in a binary form; it would check fields by a document that is not served.
    kubectl("apply", "--server-side", "--validate=false", "-f", "-", given={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}})
    web = deployment("web", 2, {"resources": {"requests": {"cpu": "100m"}}})
    kubectl("apply", "--server-side", "--validate=false", "-n", "demo", "-f", "-", given=web)
    running = lambda: kubectl("get", "pods", "-n", "demo", "-l", "app=web", "-o", "jsonpath={.items[*].status.phase}")  # noqa: E731
    eventually(lambda: running() == "Running Running")
    # More than there is room for waits, and is told why.
    kubectl("apply", "--server-side", "--validate=false", "-n", "demo", "-f", "-", given=deployment("big", 1, {"resources": {"requests": {"cpu": "9"}}}))
    why = kubectl("get", "pods", "-n", "demo", "-l", "app=big", "-o", "jsonpath={.items[0].status.conditions[0].message}")
    assert why == "0/2 nodes are available: 2 Insufficient cpu."
    kubectl("label", "-n", "demo", "deployment", "web", "team=one")
    assert kubectl("get", "deployments", "-A", "-l", "team=one", "-o", "name") == "deployment.apps/web\n"
    kubectl("delete", "namespace", "demo", "--wait=false")
    eventually(lambda: "demo" not in kubectl("get", "namespaces", "-o", "name"))


def test_kubectl_waits_for_what_happens(emulated_api: Api, tmp_path: Path) -> None:
    kubectl = Kubectl(emulated_api)
    kubectl("apply", "--server-side", "--validate=false", "-f", "-", given={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}})
    kubectl("apply", "--server-side", "--validate=false", "-n", "demo", "-f", "-", given=deployment("first", 1, {}))
    printed = tmp_path / "watched"
    with kubectl.watching(printed, "get", "pods", "-n", "demo", "--watch", "--output-watch-events", "-o", "json"):
        eventually(lambda: "first-" in printed.read_text())
        kubectl("apply", "--server-side", "--validate=false", "-n", "demo", "-f", "-", given=deployment("web", 2, {}))
        kubectl("rollout", "status", "-n", "demo", "deployment/web", "--timeout=60s")
        kubectl("wait", "-n", "demo", "--for=condition=Available", "deployment/web", "--timeout=60s")
        kubectl("delete", "deployment", "-n", "demo", "web", "--wait=false")
        kubectl("wait", "-n", "demo", "--for=delete", "pod", "-l", "app=web", "--timeout=60s")
        kubectl("delete", "namespace", "demo")
    events = json.loads("[" + printed.read_text().replace("}\n{", "},\n{") + "]")
    seen: dict[str, list[str]] = {}
    for event in events:
        seen.setdefault(event["object"]["metadata"]["name"], []).append(event["type"])
    assert len([name for name in seen if name.startswith("web-")]) == 2 and len(seen) == 3, seen
    assert all(types[0] == "ADDED" and types[-1] == "DELETED" for types in seen.values()), seen
    assert all("MODIFIED" in types for name, types in seen.items() if name.startswith("web-")), seen
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(versions)


def test_the_interfaces_of_a_control_plane_say_whose_they_are(emulated_api: Api, emulated: Client) -> None:
    interfaces = emulated("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert {tag["Key"] for interface in interfaces for tag in interface["TagSet"]} == {"aws:eks:cluster-name"}


def test_who_has_no_access_entry_is_refused(emulated_api: Api, emulated: Client) -> None:
    assert emulated_api.ask("GET", "/api/v1/nodes")[0] == 200
    assert Api(emulated_api.url, emulated_api.authority, "nonsense").ask("GET", "/api/v1/nodes")[0] == 401
    eks = emulated("eks")
    for principal in eks.list_access_entries(clusterName="demo")["accessEntries"]:
        eks.delete_access_entry(clusterName="demo", principalArn=principal)
    assert emulated_api.ask("GET", "/api/v1/nodes")[0] == 401
