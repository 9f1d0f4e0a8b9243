"""Line 5: EKS on ministack with a real Kubernetes behind it: both stages, with real tokens."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import account
import servers
from conftest import CLUSTER, SPEC, Cli, Rig, _fresh, _rig
from machines import BALANCER_FINALIZER, Machines, containers, images

WHOLE = ("--profile", "small", *SPEC, "--worker-min", "1")
WITH_AUTOSCALER = (*WHOLE, "--set", "engine.step_deadline_max=40s")
SETTINGS = (*WHOLE, "--set", "autoscaler.enabled=false")
SLOWER = {"HOWSO_INFRA_ENGINE__POLL_INTERVAL_MAX": "1s", "HOWSO_INFRA_ENGINE__REQUEST_TIMEOUT": "20s"}
UP_TIMEOUT_SECS = 300.0


@pytest.fixture(scope="module")
def built() -> dict[str, str]:
    return images()


@pytest.fixture(scope="module")
def inhabited_server(built: dict[str, str]) -> Iterator[Rig]:
    yield from _rig(servers.MinistackWithKubernetes(built["NODE_IMAGE"]))


@pytest.fixture
def inhabited(inhabited_server: Rig, binary: str, tmp_path: Path) -> Iterator[Rig]:
    """An empty account that enforces IAM; its caller may do the actions that `plan --policy` writes, and nothing else.

    Without conditions, because ministack does not know the tags of resources, nor those that a call to EC2 gives; and of EC2
    and Auto Scaling it knows no resources, nor instance profiles.
    """
    for rig in _fresh(inhabited_server):
        command = [binary, "plan", "--policy", str(tmp_path / "policies"), *WHOLE]
        subprocess.run(command, env={"HOME": str(tmp_path), "PATH": os.defpath}, check=True, capture_output=True, timeout=120)
        iam = rig.client("iam")
        for path in sorted((tmp_path / "policies").iterdir()):
            document = json.loads(path.read_text())
            for statement in document["Statement"]:
                statement.pop("Condition", None)
                if any(action.startswith(("ec2:", "autoscaling:")) or action.endswith("InstanceProfile") for action in statement["Action"]):
                    statement["Resource"] = "*"
            policy = iam.create_policy(PolicyName=path.stem, PolicyDocument=json.dumps(document))["Policy"]
            iam.attach_user_policy(UserName="operator", PolicyArn=policy["Arn"])
        yield rig


@pytest.fixture
def machines(inhabited: Rig, built: dict[str, str]) -> Iterator[Machines]:
    with Machines(inhabited.client, CLUSTER, built["NODE_IMAGE"], inhabited.server.mark) as machines:
        yield machines
    assert not machines.failures, machines.failures


def objects(machines: Machines, kind: str) -> list[dict]:
    return json.loads(machines.kubectl("get", kind, "--all-namespaces", "--output", "json"))["items"]


def create(machines: Machines, *items: dict) -> None:
    """Makes objects as somebody with access to the cluster would."""
    server = machines.server()
    assert server is not None
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})
    done = subprocess.run(["docker", "exec", "--interactive", server, "kubectl", "apply", "--filename", "-"], input=manifest, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def service(name: str) -> dict:
    """A load balancer as the cloud's controller has taken it over."""
    metadata = {"name": name, "namespace": "howso", "finalizers": [BALANCER_FINALIZER]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 8000}]}}


def claim(name: str, **more: object) -> dict:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}, **more}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": "howso"}, "spec": spec}


def workload(name: str, image: str, volume: str) -> dict:
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "100000"]}
    container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    pod = {"terminationGracePeriodSeconds": 1, "containers": [container], "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": volume}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "howso"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}, "spec": pod}},
    }


def retained(name: str) -> dict:
    """A volume whose data somebody wants to keep."""
    spec = {
        "capacity": {"storage": "16Mi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "by-hand",
        "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0123456789abcdef0"},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def test_both_stages_what_is_in_the_way_and_back(inhabited: Rig, machines: Machines, cli_for, built: dict[str, str]) -> None:
    cli: Cli = cli_for(inhabited, **SLOWER)
    # The autoscaler's image cannot be had: that is said, and whoever does without it goes on from there.
    waited = cli.run("up", *WITH_AUTOSCALER, "--yes", timeout=UP_TIMEOUT_SECS).expect(4)
    assert "kubernetes/check:autoscaler could not be created" in waited.stderr, waited.stderr
    assert "describe deploy/cluster-autoscaler" in waited.stderr, waited.stderr
    # One that lost a flag would not see a pool, and says so nowhere: the doctor does.
    autoscaler = json.loads(machines.kubectl("--namespace", "kube-system", "get", "deployment", "cluster-autoscaler", "--output", "json"))
    flags = autoscaler["spec"]["template"]["spec"]["containers"][0]["args"]
    without = [flag for flag in flags if "node-group-auto-discovery" not in flag]
    assert len(without) == len(flags) - 1
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": without}]
    machines.kubectl("--namespace", "kube-system", "patch", "deployment", "cluster-autoscaler", "--type=json", f"--patch={json.dumps(patch)}")
    found = cli.run("doctor", *WITH_AUTOSCALER)
    assert "specification: not as it wants them: kubernetes/deployment:cluster-autoscaler\n" in found.stdout, found
    made = cli.run("up", *SETTINGS, "--yes", timeout=UP_TIMEOUT_SECS).expect(0)
    assert "kubernetes/deployment:cluster-autoscaler removed" in made.stderr, made.stderr
    assert "(stage cluster)" in made.stderr, made.stderr

    # What Kubernetes shows of it.
    nodes = {node["metadata"]["name"]: node for node in objects(machines, "nodes")}
    for name in ("core-a-0", "core-b-0"):
        assert nodes[name]["metadata"]["labels"]["howso.com/allowWorkers"] == "False"
        assert "taints" not in nodes[name]["spec"]
    taints = [(taint["key"], taint["value"], taint["effect"]) for taint in nodes["worker-0"]["spec"]["taints"]]
    assert taints == [("howso.com/nodetype", "worker", "NoSchedule")]
    classes = {item["metadata"]["name"]: item for item in objects(machines, "storageclasses")}
    assert classes["gp3"]["provisioner"] == "ebs.csi.aws.com"
    assert classes["gp3"]["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"

    again = cli.run("up", *SETTINGS, "--yes", timeout=UP_TIMEOUT_SECS).expect(0)
    assert "nothing was changed" in again.stderr, again.stderr
    status = cli.run("status", *SETTINGS).expect(0)
    assert "kubernetes/storage-class:gp3" in status.stdout and "differs" not in status.stdout, status.stdout
    proved = cli.run("verify", *SETTINGS, "--image", built["PAUSE_IMAGE"]).expect(0)
    assert "that keep apart run on the core nodes core-" in proved.stdout, proved.stdout
    assert "worker canary: runs on the worker node worker-0" in proved.stdout, proved.stdout

    # A token is believed only when its signer has access to this cluster.
    stranger = cli_for(inhabited, "stranger", **SLOWER)
    iam = inhabited.client("iam")
    iam.create_user(UserName="stranger")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="stranger", PolicyName="everything", PolicyDocument=json.dumps(everything))
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    stranger.credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    refused = stranger.run("verify", *SETTINGS, "--image", built["PAUSE_IMAGE"]).expect(5)
    assert "who made it may, and who was given access to it" in refused.stderr, refused.stderr
    iam.delete_access_key(UserName="stranger", AccessKeyId=key["AccessKeyId"])

    # A load balancer, a claim with its volume, and a volume that is to be kept.
    create(machines, service("web"), claim("data", storageClassName="local-path"), workload("database", built["BUSYBOX_IMAGE"], "data"), retained("archive"))
    machines.kubectl("--namespace", "howso", "wait", "--for=condition=Available", "deployment/database", "--timeout=120s")
    assert len(objects(machines, "persistentvolumes")) == 2
    before = account.inventory(inhabited.client)
    down = ("down", *SETTINGS, "--yes", CLUSTER)
    refused = cli.run(*down, timeout=UP_TIMEOUT_SECS).expect(7)
    assert "howso/ReplicaSet database" in refused.stderr and "--force-workloads" in refused.stderr, refused.stderr
    assert account.inventory(inhabited.client) == before and len(objects(machines, "services")) > 1

    gone = cli.run(*down, "--force-workloads", timeout=UP_TIMEOUT_SECS).expect(9)
    assert "volume vol-0123456789abcdef0: its policy is Retain" in gone.stderr, gone.stderr
    order = [gone.stderr.index(text) for text in ("kubernetes/contents:main removed", "eks/nodegroup:core-a is being removed", "eks/cluster:main removed")]
    assert order == sorted(order), gone.stderr
    assert machines.ended == ["howso/web"], "the load balancer was not waited for"
    assert account.inventory(inhabited.client) == {}
    assert containers(inhabited.server.mark) == []
    cli.run(*down, timeout=UP_TIMEOUT_SECS).expect(0)
