"""Fixtures: servers in their own processes, a recording proxy before each, and the program under test.

`HOWSO_TESTS_BIN` names the program. Nothing of the user's environment reaches it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

import servers
from program import Program, Result, binary
from recording import Proxy
from snapshots import compare_snapshot, pytest_addoption

__all__ = ["Result", "binary", "compare_snapshot", "pytest_addoption"]

REGION = "us-east-1"
CLUSTER = "demo"
SPEC = ("--provider", "eks", "--region", REGION, "--name", CLUSTER)

# An address service that is not there.
NOWHERE = "http://127.0.0.1:9"

# Ordinary settings, made small: the servers answer in milliseconds, so waiting as long as for AWS would only cost time.
QUICK = {
    "HOWSO_INFRA_ENGINE__POLL_INTERVAL_MIN": "5ms",
    "HOWSO_INFRA_ENGINE__POLL_INTERVAL_MAX": "50ms",
    "HOWSO_INFRA_ENGINE__RETRY_DELAY_BASE": "5ms",
    "HOWSO_INFRA_ENGINE__RETRY_DELAY_MAX": "50ms",
    "HOWSO_INFRA_ENGINE__VISIBILITY_WINDOW": "50ms",
    "HOWSO_INFRA_ENGINE__REQUEST_TIMEOUT": "5s",
}


@dataclass
class Rig:
    """A server, the proxy before it, and direct clients that the proxy does not see."""

    server: servers.Server
    proxy: Proxy
    credentials: dict[str, str] = field(default_factory=dict)
    model_faults: list[str] = field(default_factory=list)
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = client(self.server.endpoint, service)
        return self._clients[service]

    def reset(self) -> None:
        """An empty account whose caller is the IAM user `operator`: the servers answer a proper ARN only for real users."""
        self.model_faults += self.proxy.model_faults()
        self.server.reset()
        self.proxy.reset()
        iam = self.client("iam")
        iam.create_user(UserName="operator")
        key = iam.create_access_key(UserName="operator")["AccessKey"]
        self.credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def client(endpoint: str, service: str, **config: Any) -> Any:
    """A boto3 client without retries, so that one call is one request."""
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="AKIATESTS",
        aws_secret_access_key="tests",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def up_arguments(profile: str = "large") -> tuple[str, ...]:
    return ("up", "--profile", profile, *SPEC, "--until", "cloud", "--yes")


def down_arguments(profile: str = "large") -> tuple[str, ...]:
    return ("down", "--profile", profile, *SPEC, "--yes", CLUSTER)


@dataclass
class Cli(Program):
    """The program under test, with the proxy as AWS."""

    endpoint: str = ""
    credentials: dict[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Nobody outside this machine is asked for its address; whoever wants one brings a service.
            "HOWSO_INFRA_EKS__ADDRESS_SERVICE": NOWHERE,
            **self.credentials,
        }

    def up(self, *more: str, profile: str = "large", **options: Any) -> Result:
        return self.run(*up_arguments(profile), *more, **options)

    def plan(self, *more: str, profile: str = "large", **options: Any) -> Result:
        return self.run("plan", "--profile", profile, *SPEC, "--until", "cloud", "--detailed-exitcode", *more, **options)

    def down(self, *more: str, profile: str = "large", **options: Any) -> Result:
        return self.run(*down_arguments(profile), *more, **options)


def _rig(server: servers.Server) -> Iterator[Rig]:
    with server, Proxy(server.endpoint) as proxy:
        yield Rig(server, proxy)


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[Rig]:
    yield from _rig(servers.Ministack())


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Rig]:
    yield from _rig(servers.Moto())


@pytest.fixture(scope="session")
def supplemented_server() -> Iterator[Rig]:
    yield from _rig(servers.SupplementedMinistack())


def _fresh(rig: Rig) -> Iterator[Rig]:
    rig.reset()
    rig.model_faults.clear()
    yield rig
    faults = rig.model_faults + rig.proxy.model_faults()
    assert not faults, "requests that AWS's own models do not allow:\n" + "\n".join(faults)


@pytest.fixture
def ministack(ministack_server: Rig) -> Iterator[Rig]:
    """An empty ministack account; after the test every recorded request is checked against the official models."""
    yield from _fresh(ministack_server)


@pytest.fixture
def moto(moto_server: Rig) -> Iterator[Rig]:
    yield from _fresh(moto_server)


@pytest.fixture
def supplemented(supplemented_server: Rig) -> Iterator[Rig]:
    yield from _fresh(supplemented_server)


@pytest.fixture
def cli_for(binary: str, tmp_path: Path) -> Iterator[Any]:
    """Makes programs under test; each has its own home, and none outlives the test."""
    made: list[Cli] = []

    def make(rig: Rig, name: str = "home", **settings: str) -> Cli:
        home = tmp_path / name
        home.mkdir(exist_ok=True)
        cli = Cli(binary, home, {**QUICK, **settings}, endpoint=rig.proxy.endpoint, credentials=dict(rig.credentials))
        made.append(cli)
        return cli

    yield make
    for cli in made:
        cli.stop_all()


@pytest.fixture
def cli(cli_for: Any, ministack: Rig) -> Cli:
    """The program with plain ministack as its AWS."""
    return cli_for(ministack)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The totals of the matrices, over all workers."""
    from matrix import totals

    reports = [report for reports in terminalreporter.stats.values() for report in reports if hasattr(report, "user_properties")]
    for line in totals(reports):
        terminalreporter.write_line(line)
