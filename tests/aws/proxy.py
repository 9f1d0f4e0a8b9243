"""A recording and fault-injecting HTTP proxy in front of an AWS server.

It is what `AWS_ENDPOINT_URL` points to. It keeps every exchange, counts what could change the account, and can hold,
drop, delay, refuse or rewrite chosen exchanges. Its own interface is a second port that speaks JSON:

    POST /reset            forget records and faults, release what is held
    POST /faults           arm faults: [{"match": {...}, "kind": "...", ...}]
    GET  /faults           which faults fired, on which exchanges
    GET  /records?from=N   exchanges from sequence number N on
    GET  /reached?timeout= waits until an exchange is held where a fault wanted it
    GET  /idle?timeout=    waits until no exchange is in progress

A fault's `match` is one of {"operation": "ec2:CreateVpc", "nth": 2}, {"mutating": 7}, {"mutating_from": 7}, {"call": 12} or {"any": "list"|"read"|"call"}
with numbers from 1, counted since the last reset.

    python proxy.py --upstream http://127.0.0.1:4566 --port 0 --control-port 0
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import re
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import faults
from faults import Answer
from operations import Operation, is_mutating, paginators, protocol, resolve

MAX_HEAD_BYTES = 1 << 20
HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "proxy-connection", "te", "trailer", "upgrade"}
DELAYS = ("delay",)
BEFORE = ("hold-before", "error-500-before", "throttle", "reset", "silence", "access-denied", "expired-token", "quota", "error")
AFTER = ("hold-after-commit", "after-answer", "error-500-after-commit", "reset-after-commit", "silence-after-commit",
         "unknown-enum", "extra-field", "second-page", "stale-read")  # fmt: skip


@dataclass
class Request:
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Fault:
    """One armed disturbance. `times` is how many exchanges it meets, 0 for all that match.

    With `hidden_secs`, reads do not show for so long what the met call made.
    """

    kind: str
    match: dict[str, Any]
    times: int = 1
    seconds: float = 30.0
    status: int = 400
    code: str = ""
    message: str = "injected by the test"
    hidden_secs: float = 0.0
    fired: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    operation: str = ""

    def meets(self, operation: Operation, counts: dict[str, int]) -> bool:
        if self.times and len(self.fired) >= self.times:
            return False
        if "mutating_from" in self.match:
            return is_mutating(operation) and counts["mutating"] >= self.match["mutating_from"]
        if self.fired and "any" not in self.match:
            return operation.key == self.operation  # The retries of the call that was met first.
        if "any" in self.match:
            wanted = self.match["any"]
            is_list = operation.name in paginators(operation.service)
            return wanted == "call" or (wanted == "read" and not is_mutating(operation)) or (wanted == "list" and is_list)
        if "operation" in self.match:
            return self.match["operation"] == operation.key and counts["operation"] == self.match.get("nth", 1)
        if "mutating" in self.match:
            return is_mutating(operation) and counts["mutating"] == self.match["mutating"]
        return counts["call"] == self.match.get("call")


class Upstream:
    """Keep-alive connections to the real server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, request: Request) -> Answer:
        head = [f"{request.method} {request.target} HTTP/1.1"]
        head += [f"{name}: {value}" for name, value in request.headers if name.lower() not in HOP_HEADERS]
        head += [f"Content-Length: {len(request.body)}", "Connection: keep-alive", "", ""]
        data = "\r\n".join(head).encode("latin-1") + request.body
        while self.idle:
            # A server may have closed an idle connection; nothing of the request was processed then.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                return await self._exchange(*self.idle.pop(), data, request.method)
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=MAX_HEAD_BYTES)
        return await self._exchange(reader, writer, data, request.method)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, method: str) -> Answer:
        writer.write(data)
        first, headers = await read_head(reader)
        status = int(first.split(" ", 2)[1])
        if method == "HEAD" or status in (204, 304):
            body = b""
        else:
            body = await read_body(reader, headers, until_close=True)
        if header_value(headers, "connection").lower() == "close" or not has_length(headers):
            writer.close()
        else:
            self.idle.append((reader, writer))
        return Answer(status, tuple((name, value) for name, value in headers if name.lower() not in HOP_HEADERS), body)


def header_value(headers: list[tuple[str, str]], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def has_length(headers: list[tuple[str, str]]) -> bool:
    return bool(header_value(headers, "content-length") or header_value(headers, "transfer-encoding"))


async def read_head(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = []
    for line in lines[1:]:
        name, separator, value = line.partition(":")
        if separator:
            headers.append((name, value.strip()))
    return lines[0], headers


async def read_body(reader: asyncio.StreamReader, headers: list[tuple[str, str]], until_close: bool) -> bytes:
    if header_value(headers, "transfer-encoding").lower() == "chunked":
        parts = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        while (await reader.readline()).strip():
            pass
        return b"".join(parts)
    length = header_value(headers, "content-length")
    if length:
        return await reader.readexactly(int(length))
    return await reader.read() if until_close else b""


class Proxy:
    def __init__(self, upstream: str) -> None:
        self.upstream = Upstream(upstream)
        self.clear()

    def clear(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.calls = self.mutations = 0
        self.operations: dict[str, int] = {}
        self.second_pages: dict[str, Answer] = {}
        self.hidden: list[tuple[faults.Hidden, float]] = []
        self.in_progress = 0
        self.stalled = asyncio.Event()
        self.reached: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.epoch = getattr(self, "epoch", 0) + 1

    # ------------------------------------------------------------ one connection, one exchange

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                first, headers = await read_head(reader)
                method, target, _ = first.split(" ", 2)
                if header_value(headers, "expect").lower() == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await read_body(reader, headers, until_close=False)
                if self.stalled.is_set():
                    await reader.read(1)  # The client waits here until it is killed.
                    break
                epoch = self.epoch
                self.in_progress += 1
                try:
                    alive = await self.exchange(Request(method, target, headers, body), reader, writer)
                finally:
                    if epoch == self.epoch:
                        self.in_progress -= 1
                        self.changed.set()
                if not alive:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def exchange(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        operation = resolve(request.method, request.target, request.headers, request.body)
        record, fault = self.note(request, operation)
        answer: Answer | None = None
        if fault and fault.kind in BEFORE:
            answer = await self.before(fault, record, operation, reader, writer)
            if answer is None:
                return False
        else:
            token = re.search(rb"proxy-page-[0-9a-f]{32}", request.target.encode() + b"\n" + request.body)
            if token and token[0].decode() in self.second_pages:
                answer = self.second_pages[token[0].decode()]
                fault = None  # A second page is not split again.
            else:
                if fault and fault.kind == "delay":
                    self.reach(fault, record)
                    await asyncio.sleep(fault.seconds)
                    fault = None
                answer = await self.upstream.send(request)
                record["committed"] = True
                answer = self.as_seen_now(operation, request, answer)
            record["status"], record["response"] = answer.status, answer.body
            if fault:
                changed = await self.after(fault, record, operation, request, answer, reader, writer)
                if changed is None:
                    return False
                answer = changed
        record["status"], record["response"] = answer.status, answer.body
        await self.respond(writer, request, answer)
        if fault and fault.kind == "after-answer":
            self.stalled.set()
            self.reach(fault, record)
        return True

    def note(self, request: Request, operation: Operation) -> tuple[dict[str, Any], Fault | None]:
        mutating = is_mutating(operation)
        self.calls += 1
        self.mutations += mutating
        self.operations[operation.key] = self.operations.get(operation.key, 0) + 1
        counts = {"call": self.calls, "mutating": self.mutations, "operation": self.operations[operation.key]}
        record = {
            "sequence": self.calls, "time": time.time(), "service": operation.service, "operation": operation.name,
            "mutating": mutating, "nth": counts["operation"], "method": request.method, "target": request.target,
            "headers": request.headers, "body": request.body, "status": None, "response": b"", "committed": False, "fault": None,
        }  # fmt: skip
        self.records.append(record)
        fault = next((fault for fault in self.faults if fault.meets(operation, counts)), None)
        if fault:
            fault.operation = operation.key
            fault.fired.append(self.calls)
            record["fault"] = fault.kind
        return record, fault

    async def before(self, fault: Fault, record: dict, operation: Operation, reader: asyncio.StreamReader,
                     writer: asyncio.StreamWriter) -> Answer | None:  # fmt: skip
        if fault.kind == "hold-before":
            self.reach(fault, record)
            await reader.read(1)
            return None
        if fault.kind == "silence":
            await gone_or_after(reader, fault.seconds)
            return None
        if fault.kind == "reset":
            reset_connection(writer)
            return None
        if fault.kind in ("quota", "error"):
            return faults.error(operation, fault.status, fault.code, fault.message)
        return faults.error_of_kind(operation, "internal" if fault.kind == "error-500-before" else fault.kind)

    async def after(self, fault: Fault, record: dict, operation: Operation, request: Request, answer: Answer,
                    reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer | None:  # fmt: skip
        changed: Answer | None = answer
        hidden_secs = fault.seconds if fault.kind == "stale-read" else fault.hidden_secs
        hidden = faults.created(operation, request.target, request.body, answer) if hidden_secs else None
        if hidden:
            self.hidden.append((hidden, time.monotonic() + hidden_secs))
        match fault.kind:
            case "hold-after-commit":
                self.reach(fault, record)
                await reader.read(1)
                return None
            case "silence-after-commit":
                await gone_or_after(reader, fault.seconds)
                return None
            case "reset-after-commit":
                reset_connection(writer)
                return None
            case "error-500-after-commit":
                return faults.error_of_kind(operation, "internal")
            case "unknown-enum":
                changed = faults.unknown_enum(operation, answer)
            case "extra-field":
                changed = faults.extra_field(operation, answer)
            case "second-page":
                split = faults.pages(operation, answer)
                changed = split[0] if split else None
                if split:
                    self.second_pages[split[2]] = split[1]
            case "stale-read":
                changed = answer if hidden else None
        if changed is None:
            # The answer has nothing that this fault could change: said, so that no test counts it as met.
            fault.skipped.append(record["sequence"])
            return answer
        return changed

    def as_seen_now(self, operation: Operation, request: Request, answer: Answer) -> Answer:
        if self.hidden and not is_mutating(operation):
            for hidden, until in self.hidden:
                if time.monotonic() < until:
                    answer = faults.hide(hidden, operation, request.target, request.body, answer)
        return answer

    async def respond(self, writer: asyncio.StreamWriter, request: Request, answer: Answer) -> None:
        head = [f"HTTP/1.1 {answer.status} status"]
        head += [f"{name}: {value}" for name, value in answer.headers]
        if request.method != "HEAD":
            head.append(f"Content-Length: {len(answer.body)}")
        writer.write("\r\n".join([*head, "Connection: keep-alive", "", ""]).encode("latin-1") + answer.body)
        await writer.drain()

    def reach(self, fault: Fault, record: dict) -> None:
        self.reached.put_nowait({"kind": fault.kind, "sequence": record["sequence"], "operation": fault.operation})

    # ------------------------------------------------------------ the tests' side

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                first, headers = await read_head(reader)
                method, target, _ = first.split(" ", 2)
                body = await read_body(reader, headers, until_close=False)
                path, _, query = target.partition("?")
                status, answer = await self.command(method, path, dict(parse_qsl(query)), body)
                data = json.dumps(answer).encode()
                writer.write(f"HTTP/1.1 {status} status\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def command(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        timeout = float(query.get("timeout", "0"))
        match method, path:
            case "POST", "/reset":
                self.clear()
                return 200, {}
            case "POST", "/faults":
                try:
                    self.faults = [Fault(**fault) for fault in json.loads(body)]
                    wrong = [fault.kind for fault in self.faults if fault.kind not in BEFORE + AFTER + DELAYS]
                except (TypeError, ValueError) as error:
                    return 400, {"error": str(error)}
                return (400, {"error": f"unknown kinds {wrong}"}) if wrong else (200, {})
            case "GET", "/faults":
                return 200, [vars(fault) for fault in self.faults]
            case "GET", "/records":
                return 200, [as_json(record) for record in self.records[int(query.get("from", "1")) - 1 :]]
            case "GET", "/reached":
                try:
                    return 200, await asyncio.wait_for(self.reached.get(), timeout or None)
                except TimeoutError:
                    return 200, None
            case "GET", "/idle":
                return 200, await self.idle(timeout)
        return 404, {"error": f"{method} {path}"}

    async def idle(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while self.in_progress:
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), max(0.001, end - time.monotonic()))
            except TimeoutError:
                return False
        return True


def as_json(record: dict[str, Any]) -> dict[str, Any]:
    return {key: base64.b64encode(value).decode() if isinstance(value, bytes) else value for key, value in record.items()}


def reset_connection(writer: asyncio.StreamWriter) -> None:
    """Closes with RST: what a crashed load balancer does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def gone_or_after(reader: asyncio.StreamReader, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(reader.read(1), seconds)


async def run(arguments: argparse.Namespace) -> None:
    proxy = Proxy(arguments.upstream)
    for service in ("ec2", "eks", "iam", "sts", "autoscaling"):
        paginators(service)
        protocol(service)  # Read now, so that no exchange waits for a model.
    front = await asyncio.start_server(proxy.serve, "127.0.0.1", arguments.port, limit=MAX_HEAD_BYTES, backlog=256)
    control = await asyncio.start_server(proxy.control, "127.0.0.1", arguments.control_port, limit=MAX_HEAD_BYTES)
    ports = [server.sockets[0].getsockname()[1] for server in (front, control)]
    print(json.dumps({"endpoint": f"http://127.0.0.1:{ports[0]}", "control": f"http://127.0.0.1:{ports[1]}"}), flush=True)
    async with front, control:
        await asyncio.gather(front.serve_forever(), control.serve_forever())


def main() -> int:
    parser = argparse.ArgumentParser(description="record and disturb AWS calls")
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
