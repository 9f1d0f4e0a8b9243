"""Fixtures: the emulated AWS and moto, an emulator that others wrote, both asked by boto3.

`HOWSO_TESTS_EMULATOR` names the program of `crates/emulator`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config

REGION = "us-east-1"
# Its time passes so much faster: a control plane takes two seconds.
SPEED = 300
Client = Callable[[str], Any]


def client_of(endpoint: str) -> Client:
    """Makes boto3 clients for a server. They send each request once and check each before it leaves."""
    config = Config(retries={"max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=30)
    keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "made-up", "region_name": REGION}
    return lambda service: boto3.client(service, endpoint_url=endpoint, config=config, **keys)


@contextmanager
def emulator(*arguments: str) -> Iterator[str]:
    """Serves an empty account of the emulator, and says its address."""
    program = os.environ.get("HOWSO_TESTS_EMULATOR", "")
    if not os.access(program, os.X_OK):
        pytest.fail("set HOWSO_TESTS_EMULATOR to the howso-infra-emulator program to be tested", pytrace=False)
    with subprocess.Popen([program, "--speed", str(SPEED), *arguments], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


@pytest.fixture
def endpoint() -> Iterator[str]:
    """The address of an empty account of the emulator."""
    with emulator() as address:
        yield address


@pytest.fixture
def emulated(endpoint: str) -> Client:
    """An empty account of the emulator."""
    return client_of(endpoint)


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    command = [sys.executable, "-c", MOTO]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


# A server on a port that is free, which it says first.
MOTO = """
import os
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""


@pytest.fixture
def moto(moto_endpoint: str) -> Client:
    """An account of moto as it is at first, but for the network that every new account has."""
    request = urllib.request.Request(f"{moto_endpoint}/moto-api/reset", method="POST")
    for _ in range(50):
        try:
            urllib.request.urlopen(request).close()
            break
        except OSError:
            time.sleep(0.1)
    return client_of(moto_endpoint)
