"""Checks requests and answers against botocore's service models, stricter than botocore itself.

botocore's own validator knows required members, types and minima; AWS also enforces enumerations, maxima and
patterns, and drops or refuses what it does not know. A request that passes here says only what the official
model has a place for.
"""

from __future__ import annotations

import functools
from typing import Any

import regex
from botocore.model import ListShape, MapShape, Shape, StructureShape

import operations

TYPES = {
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "blob": (str, bytes),
    "timestamp": (str, int, float),
}


def check_request(operation: operations.Operation, target: str, headers: list[tuple[str, str]], body: bytes) -> list[str]:
    """Lists everything about a request that the official model does not allow; empty when it is right."""
    if operation.service == "s3":
        return []  # A bucket journal is written by a storage client, not by the provider's calls.
    model = operations.operation_model(operation)
    if model is None:
        return [f"{operation.key}: the model has no such operation"]
    try:
        parameters = operations.parse(operation, target, headers, body)
    except (ValueError, UnicodeDecodeError) as error:
        return [f"{operation.key}: the body cannot be read: {error}"]
    faults = [f"unknown parameter {name}" for name in parameters.unknown]
    if model.input_shape is not None:
        _check(model.input_shape, parameters.values, "", faults)
    return [f"{operation.key}: {fault}" for fault in faults]


def check_answer(operation: operations.Operation, answer: dict[str, Any]) -> list[str]:
    """The same for a JSON answer, so that a server of our own making says only what AWS can say.

    Minima are for requests: AWS itself answers empty maps where the model's shape wants an entry.
    """
    model = operations.operation_model(operation)
    if model is None:
        return [f"{operation.key}: the model has no such operation"]
    faults: list[str] = []
    if model.output_shape is not None:
        unknown: list[str] = []
        values = operations._from_json_members(model.output_shape.members, answer, "", unknown)
        faults += [f"unknown member {name}" for name in unknown]
        _check(model.output_shape, values, "", faults)
    return [f"{operation.key}: {fault}" for fault in faults if "below the least allowed" not in fault]


def _check(shape: Shape, value: Any, path: str, faults: list[str]) -> None:
    where = path or "request"
    if isinstance(shape, StructureShape):
        if not isinstance(value, dict):
            faults.append(f"{where}: {type(value).__name__} where a structure belongs")
        elif not getattr(shape, "is_document_type", False):
            _check_structure(shape, value, path, faults)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            faults.append(f"{where}: {type(value).__name__} where a list belongs")
            return
        _check_range(shape, len(value), where, "items", faults)
        for index, item in enumerate(value):
            _check(shape.member, item, f"{path}[{index}]", faults)
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            faults.append(f"{where}: {type(value).__name__} where a map belongs")
            return
        _check_range(shape, len(value), where, "entries", faults)
        for key, item in value.items():
            _check(shape.key, key, f"{path}.{key} (key)", faults)
            _check(shape.value, item, f"{path}.{key}", faults)
    else:
        _check_scalar(shape, value, where, faults)


def _check_structure(shape: StructureShape, value: dict[str, Any], path: str, faults: list[str]) -> None:
    for name in shape.required_members:
        if name not in value:
            faults.append(f"{path or 'request'}: required {name} is missing")
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        faults.append(f"{path or 'request'}: exactly one of {sorted(shape.members)} belongs here, not {sorted(value)}")
    for name, item in value.items():
        member = shape.members.get(name)
        inner = f"{path}.{name}".lstrip(".")
        if member is None:
            faults.append(f"unknown parameter {inner}")
        elif item is not None:
            _check(member, item, inner, faults)


def _check_scalar(shape: Shape, value: Any, where: str, faults: list[str]) -> None:
    wanted = TYPES.get(shape.type_name, (object,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted and object not in wanted):
        faults.append(f"{where}: {value!r} is not a {shape.type_name}")
        return
    if isinstance(value, str):
        _check_string(shape, value, where, faults)
    elif not isinstance(value, bool):
        _check_range(shape, value, where, "", faults)


def _check_string(shape: Shape, value: str, where: str, faults: list[str]) -> None:
    choices = shape.metadata.get("enum")
    if choices and value not in choices:
        faults.append(f"{where}: {value!r} is not one of the model's {len(choices)} values")
    if shape.type_name == "string":
        _check_range(shape, len(value), where, "characters", faults)
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        faults.append(f"{where}: {value!r} does not match {pattern}")


def _check_range(shape: Shape, size: float, where: str, unit: str, faults: list[str]) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        faults.append(f"{where}: {size} {unit} is below the least allowed, {low}".replace("  ", " "))
    if high is not None and size > high:
        faults.append(f"{where}: {size} {unit} is above the most allowed, {high}".replace("  ", " "))


# The models' patterns are Java's: these spellings are the only ones that Python reads otherwise.
JAVA_SPELLINGS = {r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF", r"\z": r"\Z"}


@functools.cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    for java, python in JAVA_SPELLINGS.items():
        pattern = pattern.replace(java, python)
    return regex.compile(pattern, regex.DOTALL)


def _matches(pattern: str, value: str) -> bool:
    """AWS matches the whole value whether or not the model's pattern carries anchors."""
    try:
        return _compiled(pattern).fullmatch(value) is not None
    except regex.error as error:
        raise ValueError(f"the model's pattern {pattern!r} cannot be read: {error}") from error
