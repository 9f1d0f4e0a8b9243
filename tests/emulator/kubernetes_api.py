"""A way to ask Kubernetes APIs, and a real one to ask: kube-apiserver on etcd, as `tests/images/build` makes them."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.credentials import Credentials
from botocore.model import ServiceId
from botocore.session import Session
from botocore.signers import RequestSigner

TOKEN = "token-of-the-tests"


class Api:
    """The API of a cluster."""

    def __init__(self, url: str, authority: Path, token: str) -> None:
        self.url, self.authority, self.token = url, authority, token
        self._context = ssl.create_default_context(cafile=str(authority))

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, Any]:
        """Sends one request; the status and the answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, "User-Agent": "tests/1"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            pass
        try:
            # A watch is answered by a line for each event.
            return status, [json.loads(line) for line in text.splitlines()]
        except ValueError:
            return status, text.decode()


def token_of_eks(cluster: str, region: str) -> str:
    """What `aws eks get-token` prints, made by the same library."""
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "made-up")
    signer = RequestSigner(ServiceId("sts"), region, "sts", "v4", credentials, Session().get_component("event_emitter"))
    request = {
        "method": "GET",
        "url": f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(request, region_name=region, expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextmanager
def real(directory: Path) -> Iterator[Api]:
    """A real API server on a real etcd, without controllers."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "howso-infra/local-kubernetes/bin"
    kube = os.environ.get("HOWSO_TESTS_KUBE", str(cache / "kube"))
    etcd = os.environ.get("HOWSO_TESTS_ETCD", str(cache / "etcd"))
    client, peer, secure = free_ports(3)
    (directory / "tokens.csv").write_text(f"{TOKEN},tests,1,system:masters\n")
    subprocess.run(["openssl", "genrsa", "-out", directory / "accounts.key", "2048"], check=True, capture_output=True)
    peers = f"http://127.0.0.1:{peer}"
    store = f"http://127.0.0.1:{client}"
    commands = [
        [
            etcd, f"--data-dir={directory}/etcd", f"--listen-client-urls={store}", f"--advertise-client-urls={store}",
            f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}",
        ],
        [
            kube, "apiserver", f"--etcd-servers={store}", f"--secure-port={secure}", "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", f"--cert-dir={directory}/certificates",
            f"--service-account-key-file={directory}/accounts.key",
            f"--service-account-signing-key-file={directory}/accounts.key",
            "--service-account-issuer=https://kubernetes.default.svc", f"--token-auth-file={directory}/tokens.csv",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.43.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
        ],
    ]
    with open(directory / "log", "w", encoding="utf-8") as log:
        servers = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
        try:
            yield wait(f"https://127.0.0.1:{secure}", directory)
        finally:
            for server in reversed(servers):
                server.kill()
                server.wait()


def wait(url: str, directory: Path) -> Api:
    """Waits until the server answers. It signs its own certificate and writes the signer's after it."""
    end = time.monotonic() + 120
    authority = directory / "authority.pem"
    while time.monotonic() < end:
        try:
            chain = (directory / "certificates/apiserver.crt").read_text()
            authority.write_text(chain[chain.rindex("-----BEGIN CERTIFICATE-----"):])
            api = Api(url, authority, TOKEN)
            if api.ask("GET", "/readyz") == (200, "ok") and api.ask("GET", "/api/v1/namespaces/kube-system")[0] == 200:
                return api
        except (OSError, ValueError):
            pass
        time.sleep(0.2)
    raise AssertionError((directory / "log").read_text()[-2000:])
