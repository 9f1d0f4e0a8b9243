"""Tells which AWS operation an HTTP request is, by botocore's service models, and reads its parameters back.

Nothing here knows what howso-infra sends: the models are the official description of the API.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

# SigV4 credential scope -> botocore's service name, where the two differ.
SIGNING_NAMES = {
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
}

# The portal that hands out the credentials of a sign-on: it is asked before there is anything to sign with. A request with a
# query protocol and without signature is one of STS's federation calls.
UNSIGNED_REST_SERVICES = ("sso", "sso-oidc")

# Verbs that cannot change an account. Everything else counts as mutating, known or not.
READ_PREFIXES = ("Describe", "Get", "List", "Simulate", "Search", "BatchGet", "Head", "AssumeRole")

_SCOPE = re.compile(r"Credential=[^/]+/[0-9]{8}/(?P<region>[^/]*)/(?P<service>[^/]+)/aws4_request")
_LABEL = re.compile(r"\{(\w+)(\+?)\}")


@dataclass(frozen=True)
class Operation:
    """A resolved operation: `service` is botocore's name, `name` the API's (`CreateVpc`)."""

    service: str
    name: str

    @property
    def key(self) -> str:
        return f"{self.service}:{self.name}"


@dataclass
class Parameters:
    """A request's parameters in the model's structure, and what did not fit into it."""

    values: dict[str, Any] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


@functools.cache
def service_model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@functools.cache
def paginators(service: str) -> dict[str, Any]:
    loader = botocore.session.get_session().get_component("data_loader")
    try:
        return loader.load_service_model(service, "paginators-1")["pagination"]
    except botocore.exceptions.UnknownServiceError:
        return {}


@functools.cache
def known_services() -> frozenset[str]:
    return frozenset(botocore.session.get_session().get_available_services())


@functools.cache
def operation_model(operation: Operation) -> OperationModel | None:
    if operation.service not in known_services():
        return None
    model = service_model(operation.service)
    return model.operation_model(operation.name) if operation.name in model.operation_names else None


def protocol(service: str) -> str:
    """The wire protocol as this module reads it: ec2, query, json, rest-json, rest-xml."""
    return service_model(service).metadata["protocol"] if service in known_services() else "unknown"


def header(headers: list[tuple[str, str]], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def resolve(method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Operation:
    """Finds the operation; what cannot be found keeps its method and path as its name."""
    path, _, query = target.partition("?")
    scope = _SCOPE.search(header(headers, "authorization"))
    service = SIGNING_NAMES.get(scope["service"], scope["service"]) if scope else "unsigned"
    if service == "s3":
        return Operation("s3", _s3_operation(method, path, query))
    if service == "unsigned" and (portal := _portal_operation(method, path)):
        return portal
    amz_target = header(headers, "x-amz-target")
    if amz_target:
        return Operation(service, amz_target.rpartition(".")[2])
    if protocol(service).startswith("rest"):
        return Operation(service, _rest_operation(service, method, path) or f"{method} {path}")
    action = dict(parse_qsl(body.decode("utf-8", "replace") or query)).get("Action")
    if action and service == "unsigned":
        service = "sts"
    return Operation(service, action or f"{method} {path}")


def _portal_operation(method: str, path: str) -> Operation | None:
    """The unsigned operation with this path; an operation that the model wants signed is none, whoever sent it."""
    for service in UNSIGNED_REST_SERVICES:
        name = _rest_operation(service, method, path)
        if name and service_model(service).operation_model(name).auth_type == "none":
            return Operation(service, name)
    return None


def is_mutating(operation: Operation) -> bool:
    if operation.service == "s3":
        return not operation.name.startswith(("Get", "Head", "List"))
    return not operation.name.startswith(READ_PREFIXES)


def parse(operation: Operation, target: str, headers: list[tuple[str, str]], body: bytes) -> Parameters:
    """Reads the parameters back into the structure that the model's input shape describes."""
    model = operation_model(operation)
    if model is None or model.input_shape is None or operation.service == "s3":
        return Parameters()
    wire = protocol(operation.service)
    if wire in ("ec2", "query"):
        pairs = parse_qsl(body.decode("utf-8") or target.partition("?")[2], keep_blank_values=True)
        return _from_query(model.input_shape, pairs, wire)
    if wire == "json":
        found = Parameters()
        found.values = _from_json(model.input_shape, json.loads(body or b"{}"), "", found.unknown)
        return found
    if wire == "rest-json":
        return _from_rest(model, target, headers, body)
    return Parameters()


# ---------------------------------------------------------------- REST


@functools.cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    routes = []
    for name in service_model(service).operation_names:
        http = service_model(service).operation_model(name).http
        path = http["requestUri"].partition("?")[0]
        pattern = "".join(
            re.escape(part) if index % 3 == 0 else (f"(?P<{part}>" if index % 3 == 1 else (".+)" if part else "[^/]+)"))
            for index, part in enumerate(_LABEL.split(path))
        )
        routes.append((http["method"], re.compile(pattern + "/?"), name))
    # The more literal template first, so that a label never swallows a fixed segment.
    return sorted(routes, key=lambda route: (route[1].groups, -len(route[1].pattern)))


def _rest_operation(service: str, method: str, path: str) -> str | None:
    return next((name for verb, route, name in _routes(service) if verb == method and route.fullmatch(path)), None)


def _from_rest(model: OperationModel, target: str, headers: list[tuple[str, str]], body: bytes) -> Parameters:
    path, _, query = target.partition("?")
    route = next(route for _, route, name in _routes(model.service_model.service_name) if name == model.name)
    labels = {key: unquote(value) for key, value in route.fullmatch(path).groupdict().items()}
    pairs = parse_qsl(query, keep_blank_values=True)
    found = Parameters()
    in_body: dict[str, Shape] = {}
    used: set[str] = set()
    for name, shape in model.input_shape.members.items():
        place, wire_name = shape.serialization.get("location"), shape.serialization.get("name", name)
        if place == "uri":
            found.values[name] = _scalar(shape, labels[wire_name])
        elif place == "querystring":
            values = [value for key, value in pairs if key == wire_name]
            used.add(wire_name)
            if values:
                found.values[name] = values if isinstance(shape, ListShape) else _scalar(shape, values[0])
        elif place == "header":
            if value := header(headers, wire_name.lower()):
                found.values[name] = _scalar(shape, value)
        else:
            in_body[name] = shape
    found.unknown += [f"query parameter {key}" for key, _ in pairs if key not in used]
    found.values |= _from_json_members(in_body, json.loads(body) if body.strip() else {}, "", found.unknown)
    return found


# ---------------------------------------------------------------- JSON


def _from_json(shape: Shape, value: Any, path: str, unknown: list[str]) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return _from_json_members(shape.members, value, path, unknown)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_from_json(shape.member, item, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _from_json(shape.value, item, f"{path}.{key}", unknown) for key, item in value.items()}
    return value


def _from_json_members(members: dict[str, Shape], value: dict[str, Any], path: str, unknown: list[str]) -> dict[str, Any]:
    by_wire_name = {shape.serialization.get("name", name): (name, shape) for name, shape in members.items()}
    parsed = {}
    for key, item in value.items():
        if key not in by_wire_name:
            unknown.append(f"{path}.{key}".lstrip("."))
            continue
        name, shape = by_wire_name[key]
        if item is not None:
            parsed[name] = _from_json(shape, item, f"{path}.{name}".lstrip("."), unknown)
    return parsed


# ---------------------------------------------------------------- query, ec2


def _from_query(shape: Shape, pairs: list[tuple[str, str]], wire: str) -> Parameters:
    tree: dict[str, Any] = {}
    for key, value in pairs:
        if key in ("Action", "Version"):
            continue
        node = tree
        *parents, last = key.split(".")
        for part in parents:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                node = {}
        node[last] = value
    found = Parameters()
    found.values = _query_value(shape, tree, "", wire, found.unknown)
    return found


def _query_name(shape: Shape, name: str, wire: str) -> str:
    if wire == "ec2":
        explicit = shape.serialization.get("queryName")
        if explicit:
            return explicit
        given = shape.serialization.get("name", name)
        return given[0].upper() + given[1:]
    return shape.serialization.get("name", name)


def _query_value(shape: Shape, node: Any, path: str, wire: str, unknown: list[str]) -> Any:
    if isinstance(shape, StructureShape):
        return _query_structure(shape, node, path, wire, unknown)
    if isinstance(shape, ListShape):
        return _query_list(shape, node, path, wire, unknown)
    if isinstance(shape, MapShape) and isinstance(node, dict):
        entries = _numbered(node.get("entry", node), path, unknown)
        return {entry.get("key", ""): entry.get("value", "") for entry in entries if isinstance(entry, dict)}
    if isinstance(node, dict):
        unknown.append(f"{path}: a structure where the model has {shape.type_name}")
        return None
    return _scalar(shape, node)


def _query_structure(shape: StructureShape, node: Any, path: str, wire: str, unknown: list[str]) -> Any:
    if not isinstance(node, dict):
        return {} if node == "" else node
    by_wire_name = {_query_name(member, name, wire): (name, member) for name, member in shape.members.items()}
    for name, member in shape.members.items():
        # A flattened list of the query protocol is spelled with its member's own name.
        if wire == "query" and isinstance(member, ListShape) and member.serialization.get("flattened"):
            own = member.member.serialization.get("name")
            if own:
                by_wire_name[own] = (name, member)
    parsed = {}
    for key, value in node.items():
        if key not in by_wire_name:
            unknown.append(f"{path}.{key}".lstrip("."))
            continue
        name, member = by_wire_name[key]
        parsed[name] = _query_value(member, value, f"{path}.{name}".lstrip("."), wire, unknown)
    return parsed


def _query_list(shape: ListShape, node: Any, path: str, wire: str, unknown: list[str]) -> Any:
    if not isinstance(node, dict):
        return [] if node == "" else node
    if wire == "query" and not shape.serialization.get("flattened"):
        wrapper = shape.member.serialization.get("name", "member")
        unknown += [f"{path}.{key}" for key in node if key != wrapper]
        node = node.get(wrapper, {})
    return [_query_value(shape.member, item, f"{path}[{index}]", wire, unknown) for index, item in enumerate(_numbered(node, path, unknown))]


def _numbered(node: Any, path: str, unknown: list[str]) -> list[Any]:
    if not isinstance(node, dict):
        unknown.append(f"{path}: not a numbered list")
        return []
    unknown += [f"{path}.{key}" for key in node if not key.isdigit()]
    return [node[key] for key in sorted((key for key in node if key.isdigit()), key=int)]


def _scalar(shape: Shape, text: str) -> Any:
    """Gives text its type; text that does not have that type stays text, and the checker says so."""
    if shape.type_name in ("integer", "long") and re.fullmatch(r"-?\d+", text):
        return int(text)
    if shape.type_name in ("float", "double") and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    if shape.type_name == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


# ---------------------------------------------------------------- S3, only as far as a journal in a bucket needs it

_S3_OBJECT = {"GET": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject", "HEAD": "HeadObject", "POST": "PostObject"}
_S3_BUCKET = {"GET": "ListObjectsV2", "PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket", "POST": "DeleteObjects"}


def _s3_operation(method: str, path: str, query: str) -> str:
    if "uploads" in query or "uploadId" in query:
        return f"{method}Multipart"
    names = _S3_OBJECT if "/" in path.strip("/") else _S3_BUCKET
    return names.get(method, method)
