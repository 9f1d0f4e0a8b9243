"""What a server answers to a series of calls, so that two servers can be compared."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from conftest import Client

# Names that a server chooses: each gets a number when it is seen first, so that the same thing is called the same.
CHOSEN = re.compile(r"\b(?:(vpc|subnet|igw|eipalloc|eipassoc|nat|rtb|rtbassoc|sg|eni|lt|vpc-cidr-assoc|i|vol|r)-[0-9a-f]{8,17}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
# What differs between any two runs, or is a matter of taste.
UNSTEADY = {
    *("ResponseMetadata", "CreateTime", "CreateDate", "RoleId", "InstanceProfileId", "LaunchTime", "PublicIp", "PrivateIp", "UserId", "ClientToken"),
    *("createdAt", "modifiedAt", "clientRequestToken", "LastModified"),
}


@dataclass
class Transcript:
    """The calls to one server, each with what was answered."""

    client: Client
    lines: list[tuple[str, Any]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Makes a call; an error is part of the transcript, and answered with nothing."""
        try:
            answer = getattr(self.client(service), operation)(**parameters)
        except ClientError as error:
            self.lines.append((f"{service}.{operation}", error.response["Error"]["Code"]))
            return {}
        if "Body" in answer:
            answer["Body"] = answer["Body"].read()
        self.lines.append((f"{service}.{operation}", self.steady(answer)))
        return answer

    def note(self, call: str, answer: Any) -> None:
        """A part of an answer, as if it were the whole."""
        self.lines.append((call, self.steady(answer)))

    def steady(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.steady(part) for key, part in value.items() if key not in UNSTEADY}
        if isinstance(value, list):
            return sorted((self.steady(part) for part in value), key=repr)
        if isinstance(value, str):
            return CHOSEN.sub(lambda found: self.names.setdefault(found[0], f"{found[1] or 'uuid'}#{len(self.names)}"), value)
        return value


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two answers differ: in a value, or in a member that only one has."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = [f"{path}.{key}: only the first" for key in one.keys() - other.keys()]
        found += [f"{path}.{key}: only the second" for key in other.keys() - one.keys()]
        return found + [line for key in one.keys() & other.keys() for line in differences(one[key], other[key], f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [line for left, right in zip(one, other, strict=True) for line in differences(left, right, f"{path}[]")]
    return [] if one == other else [f"{path}: {one!r} is not {other!r}"]
