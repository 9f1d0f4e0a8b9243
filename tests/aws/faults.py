"""What a disturbed AWS answers: errors in each service's own shape, and answers rewritten in ways the API allows.

Error codes and shapes are from the services' API references and botocore's models. The rewriting follows the
models too: where the list of a paged operation is, what its token is called, how a member is spelled.
"""

from __future__ import annotations

import copy
import json
import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from typing import Any

from operations import Operation, operation_model, paginators, protocol

FUTURE_STATE = "FUTURE_STATE"
PAGE_TOKEN = "proxy-page-"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `headers` without the ones that describe the connection."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


# kind -> service -> (status, code); "" is every other service.
ERRORS: dict[str, dict[str, tuple[int, str]]] = {
    "internal": {
        "ec2": (500, "InternalError"),
        "iam": (500, "ServiceFailure"),
        "eks": (500, "ServerException"),
        "": (500, "InternalFailure"),
    },
    "throttle": {
        "ec2": (503, "RequestLimitExceeded"),
        "eks": (429, "ThrottlingException"),
        "service-quotas": (400, "TooManyRequestsException"),
        "s3": (503, "SlowDown"),
        "": (400, "Throttling"),
    },
    "access-denied": {
        "ec2": (403, "UnauthorizedOperation"),
        "eks": (403, "AccessDeniedException"),
        "service-quotas": (400, "AccessDeniedException"),
        "": (403, "AccessDenied"),
    },
    "expired-token": {
        "ec2": (400, "RequestExpired"),
        "eks": (403, "ExpiredTokenException"),
        "": (403, "ExpiredToken"),
    },
}

MESSAGES = {
    "internal": "An internal error has occurred",
    "throttle": "Request limit exceeded.",
    "access-denied": "User: arn:aws:iam::123456789012:user/operator is not authorized to perform: {action}",
    "expired-token": "The security token included in the request is expired",
}


def error(operation: Operation, status: int, code: str, message: str) -> Answer:
    """An error answer in the shape of the service's protocol."""
    request_id = str(uuid.uuid4())
    wire = protocol(operation.service)
    if wire in ("rest-json", "json"):
        headers = (("Content-Type", "application/json"), ("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", code))
        member = "message" if wire == "rest-json" else "Message"
        return Answer(status, headers, json.dumps({"__type": code, member: message}).encode())
    inner = f"<Code>{code}</Code><Message>{message}</Message>"
    if wire == "ec2":
        body = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    elif wire == "rest-xml":
        body = f"<Error>{inner}<RequestId>{request_id}</RequestId></Error>"
    else:
        sender = "Sender" if status < 500 else "Receiver"
        body = f"<ErrorResponse><Error><Type>{sender}</Type>{inner}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    return Answer(status, (("Content-Type", "text/xml"),), b'<?xml version="1.0" encoding="UTF-8"?>\n' + body.encode())


def error_of_kind(operation: Operation, kind: str) -> Answer:
    table = ERRORS[kind]
    status, code = table.get(operation.service, table[""])
    return error(operation, status, code, MESSAGES[kind].format(action=operation.key))


# ---------------------------------------------------------------- rewriting


def is_json(answer: Answer) -> bool:
    return answer.body.lstrip()[:1] in (b"{", b"[")


def unknown_enum(operation: Operation, answer: Answer) -> Answer | None:
    """Gives every status in the answer a value that today's models do not know; None when it has none."""
    if is_json(answer):
        body = json.loads(answer.body)
        return replace(answer, body=json.dumps(body).encode()) if _replace_status(body) else None
    body, count = re.subn(rb"<(state|status|State|Status)>[^<]+</\1>", rb"<\1>" + FUTURE_STATE.encode() + rb"</\1>", answer.body)
    return replace(answer, body=body) if count else None


def _replace_status(node: Any) -> bool:
    found = False
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("status", "state") and isinstance(value, str):
                node[key] = FUTURE_STATE
                found = True
            else:
                found |= _replace_status(value)
    elif isinstance(node, list):
        for item in node:
            found |= _replace_status(item)
    return found


def extra_field(operation: Operation, answer: Answer) -> Answer | None:
    """Adds a field of tomorrow to the answer and to the first structure in it; None when there is no structure."""
    extra: Any = {"kind": "new", "values": [1, {"deep": None}]}
    if is_json(answer):
        body = json.loads(answer.body)
        body["futureField"] = extra
        first = next((value for value in body.values() if isinstance(value, dict) and value is not extra), None)
        if first is not None:
            first["futureField"] = extra
        return replace(answer, body=json.dumps(body).encode())
    root = _parse_xml(answer.body)
    if root is None:
        return None
    namespace = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    # Only structures: a child of a list would be one more item, which is not what a new field is.
    structures = [element for element in root.iter() if {_local(child) for child in element} - {"item", "member"}]
    for place in structures[:3]:
        future = ET.SubElement(place, f"{namespace}futureField")
        ET.SubElement(future, f"{namespace}item").text = "new"
    return replace(answer, body=_write_xml(root))


def pages(operation: Operation, answer: Answer) -> tuple[Answer, Answer, str] | None:
    """Splits a list answer in two and gives the token that leads to the second; None when the API has no pages here.

    A list of one becomes an empty page with a token, then the one: the case that naive readers get wrong.
    """
    paging = paginators(operation.service).get(operation.name)
    model = operation_model(operation)
    if paging is None or model is None or not 200 <= answer.status < 300:
        return None
    result_key = paging["result_key"] if isinstance(paging["result_key"], str) else paging["result_key"][0]
    token_name = paging["output_token"] if isinstance(paging["output_token"], str) else paging["output_token"][0]
    if result_key not in model.output_shape.members or token_name not in model.output_shape.members:
        return None
    token = PAGE_TOKEN + uuid.uuid4().hex
    split = _split_json if is_json(answer) else _split_xml
    halves = split(model, answer, result_key, token_name, token, paging.get("more_results"))
    return (*halves, token) if halves else None


def _split_json(model: Any, answer: Answer, key: str, token_name: str, token: str, _more: str | None) -> tuple[Answer, Answer] | None:
    body = json.loads(answer.body)
    members = model.output_shape.members
    wire = members[key].serialization.get("name", key)
    items = body.get(wire)
    if not isinstance(items, list) or body.get(members[token_name].serialization.get("name", token_name)):
        return None
    half = len(items) // 2
    first = body | {wire: items[:half], members[token_name].serialization.get("name", token_name): token}
    second = body | {wire: items[half:]}
    return replace(answer, body=json.dumps(first).encode()), replace(answer, body=json.dumps(second).encode())


def _split_xml(model: Any, answer: Answer, key: str, token_name: str, token: str, more: str | None) -> tuple[Answer, Answer] | None:
    first = _parse_xml(answer.body)
    if first is None:
        return None
    second = copy.deepcopy(first)
    members = model.output_shape.members
    for root, is_first in ((first, True), (second, False)):
        outer = _result_of(model, root)
        listed = _child(outer, members[key].serialization.get("name", key))
        if listed is None:
            return None
        children = list(listed)
        half = len(children) // 2
        for child in children[half:] if is_first else children[:half]:
            listed.remove(child)
        for name, text in ((token_name, token if is_first else None), (more, "true" if is_first else "false")):
            if name:
                _set_child(outer, members[name].serialization.get("name", name), text)
    return replace(answer, body=_write_xml(first)), replace(answer, body=_write_xml(second))


# ---------------------------------------------------------------- what was just made and is not visible yet

CREATED_EC2 = {
    "CreateVpc": ("vpcId", "InvalidVpcID.NotFound"),
    "CreateSubnet": ("subnetId", "InvalidSubnetID.NotFound"),
    "CreateInternetGateway": ("internetGatewayId", "InvalidInternetGatewayID.NotFound"),
    "AllocateAddress": ("allocationId", "InvalidAllocationID.NotFound"),
    "CreateNatGateway": ("natGatewayId", "NatGatewayNotFound"),
    "CreateRouteTable": ("routeTableId", "InvalidRouteTableID.NotFound"),
    "CreateLaunchTemplate": ("launchTemplateId", "InvalidLaunchTemplateId.NotFoundException"),
}


@dataclass(frozen=True)
class Hidden:
    """Something that exists and that reads do not show yet, as eventual consistency allows."""

    service: str
    identifier: str
    not_found: str
    path: str = ""


def created(operation: Operation, target: str, body: bytes, answer: Answer) -> Hidden | None:
    """What a create call made; None for calls that create nothing this module can hide."""
    if not 200 <= answer.status < 300:
        return None
    if operation.service == "ec2" and operation.name in CREATED_EC2:
        element, code = CREATED_EC2[operation.name]
        found = re.search(f"<{element}>([^<]+)</{element}>".encode(), answer.body)
        return Hidden("ec2", found[1].decode(), code) if found else None
    if operation.key == "iam:CreateRole":
        found = re.search(rb"<RoleName>([^<]+)</RoleName>", answer.body)
        return Hidden("iam", found[1].decode(), "NoSuchEntity") if found else None
    if operation.service == "eks" and operation.name.startswith("Create"):
        sent = json.loads(body or b"{}")
        name = sent.get("nodegroupName") or sent.get("addonName") or sent.get("name")
        return Hidden("eks", name, "ResourceNotFoundException", target.partition("?")[0]) if name else None
    return None


def hide(hidden: Hidden, operation: Operation, target: str, body: bytes, answer: Answer) -> Answer:
    """The answer as it was before `hidden` was made."""
    if hidden.service != operation.service or not 200 <= answer.status < 300:
        return answer
    if hidden.service == "eks":
        return _hide_eks(hidden, operation, target, answer)
    if hidden.identifier.encode() in body and (hidden.service == "iam" or b"Filter" not in body):
        return error(operation, 404 if hidden.service == "iam" else 400, hidden.not_found, f"{hidden.identifier} does not exist")
    root = _parse_xml(answer.body)
    if root is None:
        return answer
    for listed in list(root.iter()):
        for item in list(listed):
            direct = [child.text for child in item]
            if _local(item) in ("item", "member") and hidden.identifier in direct:
                listed.remove(item)
    return replace(answer, body=_write_xml(root))


def _hide_eks(hidden: Hidden, operation: Operation, target: str, answer: Answer) -> Answer:
    path = target.partition("?")[0].rstrip("/")
    if path == hidden.path.rstrip("/"):
        body = json.loads(answer.body)
        for key, value in body.items():
            if isinstance(value, list):
                body[key] = [item for item in value if item != hidden.identifier]
        return replace(answer, body=json.dumps(body).encode())
    if path == f"{hidden.path.rstrip('/')}/{hidden.identifier}":
        return error(operation, 404, hidden.not_found, f"No resource found for name: {hidden.identifier}.")
    return answer


# ---------------------------------------------------------------- XML helpers


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _parse_xml(body: bytes) -> ET.Element | None:
    try:
        return ET.fromstring(body)
    except ET.ParseError:
        return None


def _write_xml(root: ET.Element) -> bytes:
    if root.tag.startswith("{"):
        ET.register_namespace("", root.tag[1:].partition("}")[0])
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _child(element: ET.Element, name: str) -> ET.Element | None:
    return next((child for child in element if _local(child) == name), None)


def _set_child(element: ET.Element, name: str, text: str | None) -> None:
    found = _child(element, name)
    if text is None:
        if found is not None:
            element.remove(found)
        return
    if found is None:
        namespace = element.tag.partition("}")[0] + "}" if element.tag.startswith("{") else ""
        found = ET.SubElement(element, namespace + name)
    found.text = text


def _result_of(model: Any, root: ET.Element) -> ET.Element:
    wrapper = model.output_shape.serialization.get("resultWrapper")
    found = _child(root, wrapper) if wrapper else None
    return root if found is None else found
