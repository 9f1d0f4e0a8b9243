"""Starts, resets and stops the AWS servers that others wrote: ministack and moto.

Every server is a process of its own on a free loopback port, with an environment that holds nothing
of the user's: no credentials, no home directory, no Docker socket. Run directly it keeps one server
in the foreground, which is what a person wants who tries a command by hand:

    python servers.py ministack
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import machines

START_TIMEOUT_SECS = 90.0
STOP_TIMEOUT_SECS = 10.0
ACCOUNT = "123456789012"

HERE = Path(__file__).resolve().parent


def free_port() -> int:
    """Asks the kernel for a loopback port that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_http(url: str, process: subprocess.Popen, log: Path, timeout_secs: float = START_TIMEOUT_SECS) -> None:
    """Waits until `url` answers with success, or says why it never will."""
    end = time.monotonic() + timeout_secs
    last = "no answer yet"
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            last = str(error)
        time.sleep(0.05)
    tail = log.read_text(errors="replace")[-4000:] if log.exists() else ""
    raise RuntimeError(f"{url} did not come up ({last}); exit code {process.poll()}; its log ends:\n{tail}")


def end_child(process: subprocess.Popen) -> None:
    """Ends a process that runs under `child.py`; insists when it does not go."""
    process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT_SECS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_TIMEOUT_SECS)


class Server:
    """One server process; a context manager that always stops what it started."""

    name = "server"
    reset_path = ""
    ready_path = "/"

    def __init__(self) -> None:
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.home = tempfile.TemporaryDirectory(prefix=f"aws-{self.name}-")
        self.log = Path(self.home.name) / "server.log"
        self.process: subprocess.Popen | None = None

    def program(self) -> list[str]:
        """The module or file that is the server, with its arguments."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        home = self.home.name
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": home,
            "TMPDIR": home,
            "PYTHONUNBUFFERED": "1",
            # A socket that is never there: a server that would start containers when Docker runs
            # must behave the same on a machine with Docker and on one without.
            "DOCKER_HOST": f"unix://{home}/no-docker.sock",
        }

    def start(self) -> Server:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "child.py"), *self.program()],
                env=self.environment(),
                cwd=self.home.name,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for_http(self.endpoint + self.ready_path, self.process, self.log)
            self.warm_up()
        except BaseException:
            self.stop()
            raise
        return self

    def warm_up(self) -> None:
        """Does what the server does once in its life and what would hold up the first test."""

    def reset(self) -> None:
        """Empties the account: as good as a new server, in milliseconds."""
        request = urllib.request.Request(self.endpoint + self.reset_path, method="POST", data=b"")
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            end_child(process)
        self.home.cleanup()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Ministack(Server):
    """ministack as published: EKS with add-ons, access entries, pod identity and ASG tags."""

    name = "ministack"
    reset_path = "/_ministack/reset"
    ready_path = "/_ministack/ready"

    def program(self) -> list[str]:
        return ["ministack"]

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            # Listeners beside the gateway: MQTT over TLS (8883 on every address) and SFTP.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        }


    def warm_up(self) -> None:
        """The first call of a service that it lacks makes ministack load all others: several seconds without any answer."""
        headers = {
            "X-Amz-Target": "ServiceQuotasV20190624.GetServiceQuota",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": "AWS4-HMAC-SHA256 Credential=warm/20260101/us-east-1/servicequotas/aws4_request, SignedHeaders=host, Signature=0",
        }
        request = urllib.request.Request(self.endpoint, method="POST", data=b"{}", headers=headers)
        try:
            urllib.request.urlopen(request, timeout=START_TIMEOUT_SECS).read()
        except urllib.error.HTTPError:
            pass


class MinistackWithKubernetes(Ministack):
    """ministack with a Docker engine: behind each EKS cluster it starts the node image as a control plane.

    IAM is enforced, so that Kubernetes believes only tokens that are signed with a key of the account. The account's root has
    the key that `conftest.client` uses.
    """

    name = "ministack-kubernetes"

    def __init__(self, image: str) -> None:
        super().__init__()
        self.image = image
        self.forwarder: machines.Forwarder | None = None
        # How ministack marks what it started; the engine may hold containers of others.
        self.mark = f"ministack.instance={socket.gethostname()}:{self.port}"

    def environment(self) -> dict[str, str]:
        environment = super().environment() | {
            "EKS_K3S_IMAGE": self.image,
            "EKS_BASE_PORT": str(free_port()),
            # Its API server waits for the container that it removes.
            "MINISTACK_DOCKER_TIMEOUT": "60",
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": "AKIATESTS",
            "AWS_SECRET_ACCESS_KEY": "tests",
        }
        del environment["DOCKER_HOST"]
        return environment | {name: value for name, value in os.environ.items() if name == "DOCKER_HOST"}

    def start(self) -> Server:
        # The API server asks ministack about tokens, from inside its container.
        self.forwarder = machines.Forwarder(self.port, machines.bridge_address())
        return super().start()

    def stop(self) -> None:
        super().stop()
        if self.forwarder is not None:
            self.forwarder.close()
        for identifier in machines.containers(self.mark):
            machines.docker("rm", "--force", "--volumes", identifier, check=False)


class SupplementedMinistack(Ministack):
    """ministack with the operations that `supplement.py` adds; never used where the plain one suffices."""

    name = "supplemented-ministack"

    def __init__(self, **options: str) -> None:
        super().__init__()
        self.options = options

    def program(self) -> list[str]:
        return [str(HERE / "supplement.py")]

    def environment(self) -> dict[str, str]:
        return super().environment() | {f"SUPPLEMENT_{key.upper()}": value for key, value in self.options.items()}


class Moto(Server):
    """moto's server with the AWS-managed policies loaded: dependency violations and delete order as AWS has them."""

    name = "moto"
    reset_path = "/moto-api/reset"
    ready_path = "/moto-api/"

    def program(self) -> list[str]:
        return ["moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "moto",
        }


def main(arguments: list[str]) -> int:
    kinds = {"ministack": Ministack, "moto": Moto, "supplemented": SupplementedMinistack}
    if len(arguments) != 1 or arguments[0] not in kinds:
        print(f"usage: servers.py {'|'.join(kinds)}", file=sys.stderr)
        return 2
    with kinds[arguments[0]]() as server:
        print(f"export AWS_ENDPOINT_URL={server.endpoint} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test")
        print("stop with Ctrl-C", file=sys.stderr, flush=True)
        try:
            server.process.wait()
        except KeyboardInterrupt:
            return 130
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
