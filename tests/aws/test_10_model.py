"""Line 10: every request of a whole life fits AWS's own models, and the check finds broken ones.

The same check runs after every other test of this folder; here it is counted, and shown to fail on our own requests.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, urlencode

import model_check
from conftest import Cli, Rig
from operations import operation_model, protocol
from recording import Exchange


def life(cli_for: Any, rig: Rig) -> list[Exchange]:
    cli: Cli = cli_for(rig)
    cli.up().expect(0)
    cli.configure('[workers.default]\nmax = 12\nlabels = { team = "blue" }\n[workers.default.machine]\ndisk = "300Gi"\n[tags]\nteam = "ml"\n')
    cli.up().expect(0)
    # The supplement says where the cluster's API is, but there is none.
    cli.down("--force-workloads").expect(0)
    return rig.proxy.exchanges()


def broken(exchange: Exchange) -> list[tuple[str, bytes]]:
    """Wrong versions of a recorded request: a field that does not exist, and each required one left out."""
    wire = protocol(exchange.operation.service)
    model = operation_model(exchange.operation)
    if wire in ("ec2", "query"):
        pairs = parse_qsl(exchange.body.decode(), keep_blank_values=True)
        found = [("an unknown field", urlencode([*pairs, ("FutureField", "1")]).encode())]
        for name in model.input_shape.required_members if model.input_shape else []:
            kept = [(key, value) for key, value in pairs if key.split(".")[0] not in (name, name.removesuffix("s"))]
            if len(kept) < len(pairs):
                found.append((f"{name} left out", urlencode(kept).encode()))
        return found
    if wire == "rest-json" and exchange.body.strip():
        body = json.loads(exchange.body)
        found = [("an unknown field", json.dumps(body | {"futureField": 1}).encode())]
        found += [(f"{name} left out", json.dumps({key: value for key, value in body.items() if key != name}).encode())
                  for name in model.input_shape.required_members if name in body]  # fmt: skip
        return found
    return []


def test_every_request_of_a_life_fits_the_models(cli_for: Any, supplemented: Rig) -> None:
    exchanges = life(cli_for, supplemented)
    faults = [f"{exchange}: {fault}" for exchange in exchanges for fault in exchange.model_faults()]
    assert faults == []
    counts = Counter(exchange.key for exchange in exchanges)
    print(f"{len(exchanges)} requests of {len(counts)} operations checked")
    assert len(counts) > 40, counts


def test_the_check_finds_every_broken_version_of_our_own_requests(cli_for: Any, supplemented: Rig) -> None:
    exchanges = life(cli_for, supplemented)
    missed, tried = [], 0
    for exchange in exchanges:
        for what, body in broken(exchange):
            tried += 1
            if not model_check.check_request(exchange.operation, exchange.target, list(exchange.headers), body):
                missed.append(f"{exchange} with {what}")
    print(f"{tried} broken requests tried")
    assert tried > len(exchanges) / 2
    assert missed == []
