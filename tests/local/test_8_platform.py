"""The releases of the platform through real Helm on a real cluster: installed, changed, broken off, taken back and removed.

The charts are our own (`../charts`), with the value paths of the real ones. Values of the user's own make what pods request small, because
the nodes are those of this machine; the tuned values stay as they are. Every test begins with what the one before left, whatever that is.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import docker
import pytest
from cluster import nodes, wait_for
from conftest import Cli, Result

CHARTS = Path(__file__).resolve().parent.parent / "charts"
CONFIGURATION = """
provider = "k3d"
profile = "small"
core.nodes = 3
workers.default.local = 1
k3d.registry = false
"""
# Where each chart reads what its pods request.
REQUESTS = {
    "nats": ("container", "merge", "resources"),
    "redis": ("master", "resources"),
    "postgres": ("primary", "resources"),
    "minio": ("resources",),
    "platform": (),
}
RELEASES = ("platform-nats", "platform-redis", "platform-postgres", "platform-minio", "howso-platform")
SECRETS = {
    "platform-minio": {"rootUser", "rootPassword"},
    "platform-postgres-postgresql": {"postgres-password"},
    "platform-redis": {"redis-password"},
}
CLAIMS = {
    "data-platform-postgres-0",
    "data-platform-redis-0",
    "platform-minio",
    *(f"js-platform-nats-{replica}" for replica in range(3)),
}
# What would lead Helm elsewhere, and a licence that must be seen nowhere.
LICENSE = "canary-of-a-licence"
MISLEADING = {
    "HELM_DRIVER": "memory",
    "HELM_KUBEAPISERVER": "https://127.0.0.1:9",
    "HELM_KUBECONTEXT": "elsewhere",
    "HELM_KUBETOKEN": "nobody",
    "HELM_NAMESPACE": "default",
    "KUBECONFIG": "/nowhere",
    "HOWSO_LICENSE_EMAIL": "me@example.com",
    "HOWSO_LICENSE_ID": LICENSE,
}


def values(cli: Cli, release: str, **more: Any) -> None:
    """Writes values of the user's own: an image that is here, small requests, and more."""
    own: dict[str, Any] = {"image": cli.images.get("BUSYBOX_IMAGE", "busybox:1.36"), **more}
    place = own
    for key in REQUESTS[release]:
        place = place.setdefault(key, {})
    if REQUESTS[release]:
        place["requests"] = {"cpu": "10m", "memory": "16Mi"}
    (cli.home / f"{release}.yaml").write_text(json.dumps(own))


def configure(cli: Cli) -> None:
    for release in REQUESTS:
        values(cli, release)
    own = "\n".join(f'{release} = "{release}.yaml"' for release in REQUESTS)
    cli.configure(f'name = "{cli.cluster}"{CONFIGURATION}[platform]\ncharts = "{CHARTS}"\n[platform.values]\n{own}\n')


class Watched(Cli):
    """Remembers everything that was printed."""

    printed: str = ""

    def finish(self, *arguments: Any, **options: Any) -> Result:
        result = super().finish(*arguments, **options)
        self.printed += result.stdout + result.stderr
        return result


def platform(cli: Cli, verb: str, *arguments: str, **options: Any) -> Result:
    more = ("--yes",) if verb == "up" else ()
    return cli.run("platform", verb, *more, *arguments, env=MISLEADING, timeout=300, **options)


def helm(cli: Cli, *arguments: str) -> str:
    kubeconfig = cli.home / ".kube" / f"howso-{cli.cluster}.yaml"
    return docker.output(cli.images["HELM"], "--kubeconfig", str(kubeconfig), "--namespace", "howso", *arguments, env=cli.environment())


def revisions(cli: Cli) -> dict[str, tuple[str, str]]:
    """Each release with its revision and its state."""
    return {each["name"]: (each["revision"], each["status"]) for each in json.loads(helm(cli, "list", "--all", "--output", "json"))}


def items(cli: Cli, kind: str) -> list[dict[str, Any]]:
    return json.loads(cli.kubectl("--namespace", "howso", "get", kind, "--output", "json"))["items"]


def passwords(cli: Cli) -> dict[str, dict[str, str]]:
    found = {each["metadata"]["name"]: each["data"] for each in items(cli, "secrets") if each["metadata"]["name"] in SECRETS}
    return {name: {key: base64.b64decode(value).decode() for key, value in data.items()} for name, data in found.items()}


@pytest.fixture(scope="module")
def cli(binary: str, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    before = docker.inventory()
    cli = Watched(binary, tmp_path_factory.mktemp("platform"), images=images, cluster="local")
    try:
        configure(cli)
        cli.run("up", "--until", "platform", "--yes", env=MISLEADING, timeout=600).expect(0)
        yield cli
        cli.run("down", "--yes", cli.cluster, "--force-workloads", timeout=300).expect(0)
        assert docker.inventory() == before
    finally:
        cli.stop_all()
        docker.remove(cli.cluster)


def test_up_until_platform_installs_it_on_core_nodes(cli: Watched) -> None:
    assert revisions(cli) == {release: ("1", "deployed") for release in RELEASES}
    core = nodes(cli).core
    where: dict[str, list[str]] = {}
    for pod in items(cli, "pods"):
        where.setdefault(pod["metadata"]["labels"]["app"], []).append(pod["spec"]["nodeName"])
    assert sorted(where["nats"]) == core, "each replica of NATS is on another core node"
    assert set(where) >= {"nats", "redis", "postgresql", "minio", "api", "ums"}
    for name, places in where.items():
        assert set(places) <= set(core), f"{name} is on {places}, which is not all core ({core})"
    # Scalers find no use of pods that are this young.
    wait_for("a platform without findings", lambda: "each where it should" in (status := platform(cli, "status").expect(0)).stdout and "5 as wanted" in status.stdout, 120)


def test_services_are_scaled_by_what_they_use_within_the_bounds_of_the_values(cli: Watched) -> None:
    values(cli, "platform", api={"isBusy": True, "autoscaling": {"maxReplicas": 4}})
    platform(cli, "up").expect(0)

    def scaled() -> dict[str, tuple[int, int, int]]:
        return {each["metadata"]["name"].removeprefix("howso-platform-"): (each["spec"]["minReplicas"], each["spec"]["maxReplicas"], each["status"].get("currentReplicas", 0)) for each in items(cli, "hpa")}

    # The metrics are those of the real metrics server, and the work is real.
    wait_for("replicas", lambda: scaled() == {"api": (3, 4, 4), "restapi": (3, 10, 3), "ums": (3, 10, 3)}, 180)
    limited = cli.run("doctor", *cli.spec()).stdout
    assert "scaling of howso-platform-api: is at its maximum of 4 and would go on" in limited, limited
    values(cli, "platform")
    platform(cli, "up").expect(0)


def test_a_second_time_changes_nothing_and_a_change_only_what_it_is_about(cli: Watched) -> None:
    platform(cli, "up").expect(0)
    before = revisions(cli)
    again = platform(cli, "up").expect(0)
    assert "nothing was changed" in again.stderr and revisions(cli) == before, again
    values(cli, "redis", commonConfiguration="appendonly no")
    platform(cli, "status").expect(3)
    changed = platform(cli, "up").expect(0)
    assert "after 1 release" in changed.stderr, changed
    after = revisions(cli)
    assert {release for release in RELEASES if after[release] != before[release]} == {"platform-redis"}
    assert "appendonly no" in cli.kubectl("--namespace", "howso", "get", "configmap", "platform-redis-configuration", "--output", "yaml")


def test_passwords_are_random_made_once_and_seen_nowhere(cli: Watched) -> None:
    platform(cli, "up").expect(0)
    made = passwords(cli)
    assert {name: set(keys) for name, keys in made.items()} == SECRETS
    every = [value for keys in made.values() for value in keys.values()]
    assert len(set(every)) == 4 and all(len(value) == 32 for value in every)
    told = helm(cli, "get", "values", "platform-redis", "--all") + helm(cli, "get", "manifest", "howso-platform")
    files = {path: path.read_bytes() for path in cli.home.rglob("*") if path.is_file()}
    assert any(path.suffix == ".journal" for path in files) and "platform-redis ready" in cli.printed
    for secret in [*every, LICENSE]:
        assert secret not in cli.printed and secret not in told
        assert base64.b64encode(secret.encode()).decode() not in cli.printed
        found = [str(path) for path, content in files.items() if secret.encode() in content]
        assert not found, f"a secret is in {found}"
    left = [path.name for path in cli.state.rglob("*") if path.name in ("kubeconfig.yaml", "registry.json")]
    assert not left, "access is given to Helm for as long as it works"


def test_a_password_is_changed_as_the_guide_says(cli: Watched) -> None:
    platform(cli, "up").expect(0)
    before = passwords(cli)
    cli.kubectl("--namespace", "howso", "delete", "secret", "platform-redis")
    platform(cli, "up").expect(0)
    after = passwords(cli)
    changed = {name for name in SECRETS if after[name] != before[name]}
    assert changed == {"platform-redis"} and set(after["platform-redis"]) == SECRETS["platform-redis"]
    cli.kubectl("--namespace", "howso", "rollout", "restart", "statefulset,deployment")
    cli.kubectl("--namespace", "howso", "rollout", "status", "statefulset/platform-redis", "--timeout=60s")


def test_what_is_missing_is_told_and_a_failed_change_is_taken_back(cli: Watched) -> None:
    platform(cli, "up").expect(0)
    values(cli, "minio", image="127.0.0.1:9/nothing:v0")
    failed = platform(cli, "up", "--set", "engine.step_deadline_max=15s").expect(1)
    assert "has no image" in failed.stderr and "platform-minio" in failed.stderr and "howso-infra platform up" in failed.stderr, failed
    assert revisions(cli)["platform-minio"][1] == "deployed", "Helm has taken it back"
    values(cli, "minio")
    platform(cli, "up").expect(0)
    platform(cli, "status").expect(0)


def helm_at_work(release: str) -> list[int]:
    """The processes of Helm that change a release of ours."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if Path(os.fsdecode(words[0])).name == "helm" and b"upgrade" in words and release.encode() in words:
                found.append(int(folder.name))
    return found


@pytest.mark.parametrize("with_helm", [False, True])
def test_killed_in_the_middle_the_next_run_goes_on(cli: Watched, with_helm: bool) -> None:
    platform(cli, "up").expect(0)
    values(cli, "postgres", image="127.0.0.1:9/nothing:v0")
    process = cli.start("platform", "up", "--yes", "--set", "engine.step_deadline_max=20s", env=MISLEADING)
    at_work = wait_for("helm at work", lambda: helm_at_work("platform-postgres"), 60)
    wait_for("a change that is under way", lambda: revisions(cli)["platform-postgres"][1] == "pending-upgrade", 60)
    cli.kill(process)
    assert helm_at_work("platform-postgres") == at_work, "Helm goes on"
    if with_helm:
        for each in at_work:
            os.kill(each, signal.SIGKILL)
        wait_for("the end of helm", lambda: not helm_at_work("platform-postgres"), 20)
        assert "a change broke off" in platform(cli, "status").stdout
        # Who shares no lease with this machine cannot tell whether it broke off.
        elsewhere = platform(cli, "up", "--state-dir", str(cli.home / "elsewhere")).expect(8)
        assert "was not started on this machine" in elsewhere.stderr, elsewhere
    values(cli, "postgres")
    again = platform(cli, "up").expect(0)
    assert ("waiting for it" in again.stderr) != with_helm, again
    assert revisions(cli)["platform-postgres"][1] == "deployed"
    platform(cli, "status").expect(0)


def test_interrupted_twice_it_leaves_helm_at_work_and_says_so(cli: Watched) -> None:
    platform(cli, "up").expect(0)
    values(cli, "postgres", image="127.0.0.1:9/nothing:v0")
    arguments = ("platform", "up", "--yes", "--set", "engine.step_deadline_max=20s")
    process = cli.start(*arguments, env=MISLEADING)
    wait_for("helm at work", lambda: helm_at_work("platform-postgres"), 60)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(1)
    left = cli.finish(process, arguments, 10).expect(130)
    assert "helm is still at work on 1 release" in left.stderr and helm_at_work("platform-postgres"), left
    values(cli, "postgres")
    assert "waiting for it" in platform(cli, "up").expect(0).stderr


def test_trainees_at_work_and_releases_of_others_are_respected(cli: Watched) -> None:
    platform(cli, "up").expect(0)
    image = cli.images.get("BUSYBOX_IMAGE", "busybox:1.36")
    taint = {"key": "howso.com/nodetype", "operator": "Equal", "value": "worker", "effect": "NoSchedule"}
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "100000"]}
    spec = {"terminationGracePeriodSeconds": 0, "tolerations": [taint], "containers": [container]}
    file = cli.home / "trainee.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trainee-1", "namespace": "howso"}, "spec": spec}))
    cli.kubectl("apply", "--filename", str(file))
    refused = platform(cli, "down", "--yes", cli.cluster).expect(7)
    assert "1 trainee is at work" in refused.stderr and "trainee-1" in refused.stderr, refused
    cli.kubectl("delete", "--filename", str(file))
    assert len(revisions(cli)) == 5

    helm(cli, "uninstall", "platform-minio", "--wait")
    helm(cli, "install", "platform-minio", str(CHARTS / "minio"), "--values", str(cli.home / "minio.yaml"), "--set", "existingSecret=platform-minio,mode=standalone")
    refused = platform(cli, "up").expect(7)
    assert "platform-minio" in refused.stderr and "somebody else" in refused.stderr, refused
    removed = platform(cli, "down", "--yes", cli.cluster).expect(0)
    assert set(revisions(cli)) == {"platform-minio"}, removed
    helm(cli, "uninstall", "platform-minio", "--wait")


def test_a_bucket_takes_the_place_of_minio_and_its_keys_are_seen_nowhere(cli: Watched) -> None:
    platform(cli, "up").expect(0)
    before = revisions(cli)
    bucket = ("--set", "platform.object_store.endpoint=https://s3.us-east-1.amazonaws.com", "--set", "platform.object_store.bucket=howso-data")
    asked = platform(cli, "up", *bucket).expect(2)
    assert "platform-object-store" in asked.stderr and "HOWSO_OBJECT_STORE_ACCESS_KEY" in asked.stderr and revisions(cli) == before, asked
    keys = {"HOWSO_OBJECT_STORE_ACCESS_KEY": "canary-of-an-access-key", "HOWSO_OBJECT_STORE_SECRET_KEY": "canary-of-a-secret-key"}
    cli.run("platform", "up", "--yes", *bucket, env={**MISLEADING, **keys}, timeout=300).expect(0)
    [secret] = [each for each in items(cli, "secrets") if each["metadata"]["name"] == "platform-object-store"]
    assert [base64.b64decode(secret["data"][key]).decode() for key in ("accessKey", "secretKey")] == list(keys.values())
    store = json.loads(helm(cli, "get", "values", "howso-platform", "--output", "json"))["datastores"]["objectStore"]
    assert (store["endpoint"], store["credentialsSecretName"]) == ("s3.us-east-1.amazonaws.com", "platform-object-store")
    assert revisions(cli)["platform-minio"] == before["platform-minio"], "what it holds is not ours to delete"
    told = platform(cli, "status", *bucket).expect(0).stdout + helm(cli, "get", "values", "howso-platform")
    files = {path: path.read_bytes() for path in cli.home.rglob("*") if path.is_file()}
    for canary in keys.values():
        assert canary not in cli.printed + told
        assert not [path for path, content in files.items() if canary.encode() in content]


@pytest.fixture
def registry(cli: Watched, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Docker's registry behind TLS and a password, as the vendor's is behind a licence, with our charts in it; where, and what trusts it."""
    (tmp_path / "htpasswd").write_bytes(b"me@example.com:" + bcrypt.hashpw(LICENSE.encode(), bcrypt.gensalt(5)) + b"\n")
    key = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1")
    docker.output("openssl", *key, "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem"))
    settings = {"HTTP_TLS_CERTIFICATE": "cert.pem", "HTTP_TLS_KEY": "key.pem", "AUTH_HTPASSWD_PATH": "htpasswd"}
    environment = [f"REGISTRY_{name}=/given/{file}" for name, file in settings.items()] + ["REGISTRY_AUTH_HTPASSWD_REALM=charts"]
    run = ("run", "--detach", "--publish", "127.0.0.1::5000", "--volume", f"{tmp_path}:/given:ro", *(word for each in environment for word in ("--env", each)))
    container = docker.output("docker", *run, cli.images.get("REGISTRY_IMAGE", "registry:2")).strip()
    try:
        address = docker.output("docker", "port", container, "5000/tcp").split()[0]
        trust = {"SSL_CERT_FILE": str(tmp_path / "cert.pem")}
        environment = {**cli.environment(), **trust}
        login = ("--registry-config", str(tmp_path / "login.json"))
        wait_for("the registry", lambda: docker.output(cli.images["HELM"], "registry", "login", address, "--username", "me@example.com", "--password", LICENSE, *login, env=environment, check=False) is not None and (tmp_path / "login.json").exists(), 30)
        for chart in sorted(CHARTS.glob("*/Chart.yaml")):
            docker.output(cli.images["HELM"], "package", str(chart.parent), "--destination", str(tmp_path), env=environment)
        for package in sorted(tmp_path.glob("*.tgz")):
            docker.output(cli.images["HELM"], "push", str(package), f"oci://{address}/charts", *login, env=environment)
        yield f"oci://{address}/charts", trust
    finally:
        docker.output("docker", "rm", "--force", "--volumes", container)


def test_charts_come_from_a_registry_that_knows_the_licence(cli: Watched, registry: tuple[str, dict[str, str]]) -> None:
    source, trust = registry

    def up(*more: str, **licence: str) -> Result:
        return cli.run("platform", "up", "--yes", "--set", f"platform.charts={source}", *more, env={**MISLEADING, **trust, **licence}, timeout=300)

    platform(cli, "up").expect(0)
    before = revisions(cli)
    missing = up("--set", "platform.versions.redis=9.9.9", "--set", "engine.step_deadline_max=30s").expect(2)
    assert "platform-redis" in missing.stderr and "platform.versions" in missing.stderr and "9.9.9" in missing.stderr, missing
    assert revisions(cli)["platform-redis"] == before["platform-redis"]
    refused = up(HOWSO_LICENSE_ID="a-canary-that-nobody-knows").expect(5)
    assert "the registry knows its customers by their licence" in refused.stderr and "canary" not in refused.stderr, refused
    up().expect(0)
    assert {status for _, status in revisions(cli).values()} == {"deployed"}
    again = up().expect(0)
    assert "nothing was changed" in again.stderr, again
    assert {each["chart"] for each in json.loads(helm(cli, "list", "--output", "json"))} == {"howso-platform-0.0.1", "minio-0.0.1", "nats-0.0.1", "postgresql-0.0.1", "redis-0.0.1"}
    assert LICENSE not in cli.printed
    kept = [path for path in cli.home.rglob("*") if path.is_file() and (LICENSE.encode() in path.read_bytes() or base64.b64encode(f"me@example.com:{LICENSE}".encode()) in path.read_bytes())]
    assert kept == [], "the login is for as long as Helm works"


PULL_PASSWORD = "canary-of-a-login"


@pytest.fixture
def private_image(cli: Watched, tmp_path: Path) -> Iterator[str]:
    """An image in a registry that asks for a password, on the loopback address of MinIO's node, where Kubernetes expects no TLS."""
    platform(cli, "up").expect(0)
    [node] = [each["spec"]["nodeName"] for each in items(cli, "pods") if each["metadata"]["labels"]["app"] == "minio"]
    (tmp_path / "htpasswd").write_bytes(b"puller:" + bcrypt.hashpw(PULL_PASSWORD.encode(), bcrypt.gensalt(5)) + b"\n")
    settings = ("REGISTRY_AUTH=htpasswd", "REGISTRY_AUTH_HTPASSWD_PATH=/given/htpasswd", "REGISTRY_AUTH_HTPASSWD_REALM=images", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/given/images")
    given = ("--volume", f"{tmp_path}:/given", *(word for each in settings for word in ("--env", each)))
    image = cli.images.get("REGISTRY_IMAGE", "registry:2")
    filled = docker.output("docker", "run", "--detach", "--publish", "127.0.0.1::5000", *given, image).strip()
    started = [filled]
    try:
        address = docker.output("docker", "port", filled, "5000/tcp").split()[0]
        login = ("docker", "--config", str(tmp_path / "docker"))
        wait_for("the registry", lambda: "Succeeded" in docker.output(*login, "login", "--username", "puller", "--password", PULL_PASSWORD, address, check=False), 30)
        docker.output("docker", "tag", cli.images.get("BUSYBOX_IMAGE", "busybox:1.36"), f"{address}/private:1")
        docker.output(*login, "push", f"{address}/private:1")
        docker.output("docker", "rmi", f"{address}/private:1")
        docker.output("docker", "rm", "--force", "--volumes", filled)
        started.append(docker.output("docker", "run", "--detach", "--network", f"container:{node}", *given, image).strip())
        yield "127.0.0.1:5000/private:1"
    finally:
        for container in started:
            docker.output("docker", "rm", "--force", "--volumes", container, check=False)


def test_a_private_image_is_fetched_with_the_secret_that_was_given(cli: Watched, private_image: str) -> None:
    # Its volume keeps it on the node that it is on.
    values(cli, "minio", image=private_image)
    without = platform(cli, "up", "--set", "engine.step_deadline_max=15s").expect(1)
    assert "has no image" in without.stderr, without
    wanted = ("--set", "image_pull_secret=registry", "--set", "worker_image=127.0.0.1:5000/private:1")
    asked = platform(cli, "up", *wanted).expect(2)
    assert "the secret registry is not there" in asked.stderr and "platform.image_pull_file" in asked.stderr, asked
    auth = base64.b64encode(f"puller:{PULL_PASSWORD}".encode()).decode()
    logins = cli.home / "docker.json"
    logins.write_text(json.dumps({"auths": {"127.0.0.1:5000": {"auth": auth}}}))
    platform(cli, "up", *wanted, "--set", f"platform.image_pull_file={logins}").expect(0)
    # The loader of worker images runs in Kubernetes' own namespace.
    for namespace in ("howso", "kube-system"):
        secret = json.loads(cli.kubectl("--namespace", namespace, "get", "secret", "registry", "--output", "json"))
        assert secret["type"] == "kubernetes.io/dockerconfigjson" and "howso-infra/deployment" in secret["metadata"]["labels"], secret
    again = cli.run("platform", "up", "--yes", *wanted, env=MISLEADING, timeout=300).expect(0)
    assert "nothing was changed" in again.stderr, "who was given them once need not be given them again"
    told = cli.printed + helm(cli, "get", "values", "platform-minio", "--all")
    kept = [path for path in cli.home.rglob("*") if path.is_file() and path != logins and (auth.encode() in path.read_bytes() or PULL_PASSWORD.encode() in path.read_bytes())]
    assert PULL_PASSWORD not in told and auth not in told and kept == [], kept
    values(cli, "minio")
    platform(cli, "up").expect(0)
    for namespace in ("howso", "kube-system"):
        cli.kubectl("--namespace", namespace, "delete", "secret", "registry")


def test_a_cluster_of_somebody_else_is_left_alone(cli: Watched) -> None:
    cli.k3d("cluster", "create", "other", "--image", cli.images["NODE_IMAGE"], "--no-lb", "--kubeconfig-update-default=false", "--wait")
    try:
        kubeconfig = cli.home / "other.yaml"
        kubeconfig.write_text(cli.k3d("kubeconfig", "get", "other"))
        for verb, more in (("up", ()), ("down", ("--yes", "other"))):
            told = platform(cli, verb, "--name", "other", *more)
            assert (told.code, "no cluster of ours" in told.stderr) == ((1, True) if verb == "up" else (0, False)), told
        left = docker.output("kubectl", "--kubeconfig", str(kubeconfig), "get", "secrets,pods,deployments,namespaces", "--all-namespaces", "--output", "name", env=cli.environment())
        assert "howso" not in left and "helm" not in left, left
    finally:
        cli.k3d("cluster", "delete", "other")


def test_a_removal_keeps_the_data_and_names_it_until_it_is_to_be_deleted(cli: Watched) -> None:
    platform(cli, "up").expect(0)
    cli.kubectl("--namespace", "howso", "delete", "secret", "platform-object-store", "--ignore-not-found")
    before = passwords(cli)
    removed = platform(cli, "down", "--yes", cli.cluster).expect(0)
    assert revisions(cli) == {}
    left = {kind: {each["metadata"]["name"] for each in items(cli, kind)} for kind in ("all", "secrets", "configmaps", "hpa", "pvc")}
    kept = {name for name in left["secrets"] if not name.startswith("sh.helm")}
    assert (left["all"], left["hpa"], left["configmaps"]) == (set(), set(), {"kube-root-ca.crt"}), left
    assert (left["pvc"], kept) == (CLAIMS, set(SECRETS)), left
    for name in [*CLAIMS, *SECRETS]:
        assert name in removed.stderr, f"{name} is kept and not named: {removed}"

    platform(cli, "up").expect(0)
    assert passwords(cli) == before, "volumes are opened by the passwords that they were made with"
    wrong = platform(cli, "down", "--delete-data", "--yes", "other").expect(2)
    assert "other" in wrong.stderr and len(revisions(cli)) == 5
    platform(cli, "down", "--delete-data", "--yes", cli.cluster).expect(0)
    assert (revisions(cli), passwords(cli), items(cli, "pvc")) == ({}, {}, [])
    assert "nothing of the platform runs" in platform(cli, "down", "--yes", cli.cluster).expect(0).stderr
