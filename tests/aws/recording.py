"""The tests' handle on the proxy: starts it as a process of its own, arms faults, fetches and checks the recording."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import model_check
from operations import Operation, Parameters, parse
from servers import HERE, end_child


@dataclass(frozen=True)
class Exchange:
    """One request and what it was answered."""

    sequence: int
    operation: Operation
    mutating: bool
    nth: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int | None
    response: bytes
    committed: bool
    fault: str | None

    @property
    def key(self) -> str:
        return self.operation.key

    @property
    def parameters(self) -> dict[str, Any]:
        return self._parsed.values

    @cached_property
    def _parsed(self) -> Parameters:
        return parse(self.operation, self.target, list(self.headers), self.body)

    def model_faults(self) -> list[str]:
        return model_check.check_request(self.operation, self.target, list(self.headers), self.body)

    @property
    def access_key(self) -> str:
        """Whose request it is: the access key id in the signature."""
        authorization = next((value for name, value in self.headers if name.lower() == "authorization"), "")
        return authorization.partition("Credential=")[2].partition("/")[0]

    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def __str__(self) -> str:
        return f"#{self.sequence} {self.key} ({self.nth}) -> {self.status}{f' [{self.fault}]' if self.fault else ''}"


def _exchange(record: dict[str, Any]) -> Exchange:
    return Exchange(
        sequence=record["sequence"],
        operation=Operation(record["service"], record["operation"]),
        mutating=record["mutating"],
        nth=record["nth"],
        method=record["method"],
        target=record["target"],
        headers=tuple((name, value) for name, value in record["headers"]),
        body=base64.b64decode(record["body"]),
        status=record["status"],
        response=base64.b64decode(record["response"]),
        committed=record["committed"],
        fault=record["fault"],
    )


class Proxy:
    """A recording proxy in front of `upstream`; `endpoint` is what `AWS_ENDPOINT_URL` is set to."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.checked: set[int] = set()
        self.home = tempfile.TemporaryDirectory(prefix="aws-proxy-")

    def __enter__(self) -> Proxy:
        self.log = Path(self.home.name) / "proxy.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "child.py"), str(HERE / "proxy.py"), "--upstream", self.upstream],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": self.home.name, "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
            )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the proxy did not start: {self.log.read_text(errors='replace')}")
        ports = json.loads(line)
        self.endpoint = ports["endpoint"]
        control = urlsplit(ports["control"])
        self._control = http.client.HTTPConnection(control.hostname, control.port, timeout=120)
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        end_child(self.process)
        self.process.stdout.close()
        self.home.cleanup()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        self._control.request(method, path, body=None if body is None else json.dumps(body).encode())
        answer = self._control.getresponse()
        data = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {data}")
        return data

    def reset(self) -> None:
        """Forgets records, counts and faults."""
        self._ask("POST", "/reset", {})

    def arm(self, *faults: dict[str, Any]) -> None:
        """Replaces the armed faults; counts go on, so a reset usually comes first."""
        self._ask("POST", "/faults", list(faults))

    def faults(self) -> list[dict[str, Any]]:
        return self._ask("GET", "/faults")

    def reached(self, timeout_secs: float) -> dict[str, Any] | None:
        """Waits until an exchange is held where a fault wanted it; `None` when none is within the time."""
        return self._ask("GET", f"/reached?timeout={timeout_secs}")

    def wait_idle(self, timeout_secs: float = 30.0) -> None:
        """Waits until the server has finished everything that a client, dead by now, had sent."""
        if not self._ask("GET", f"/idle?timeout={timeout_secs}"):
            raise RuntimeError("exchanges are still in progress at the proxy")

    def exchanges(self) -> list[Exchange]:
        return [_exchange(record) for record in self._ask("GET", "/records")]

    def mutations(self) -> list[Exchange]:
        return [exchange for exchange in self.exchanges() if exchange.mutating]

    def counts(self) -> Counter[str]:
        return Counter(exchange.key for exchange in self.exchanges())

    def model_faults(self) -> list[str]:
        """Every fault that the official models find in the recorded requests; equal requests are checked once."""
        found = []
        for exchange in self.exchanges():
            fingerprint = hash((exchange.key, exchange.method, exchange.target, exchange.body))
            if fingerprint in self.checked:
                continue
            faults = exchange.model_faults()
            if faults:
                found += [f"{exchange}: {fault}" for fault in faults]
            else:
                self.checked.add(fingerprint)
        return found
