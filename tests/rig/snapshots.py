"""Snapshots: what a run of the program said, as plain text beside the tests, compared exactly.

`--update-snapshots` writes them instead; what changed is then read in the difference of the commit.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Beside the tests that are run.
FOLDER = Path.cwd() / "snapshots"

# What differs between two runs, and what stands for it.
RUNS_DIFFER: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?!01234567-89ab)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "REQUEST-ID"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "DEPLOYMENT"),
    # The names that ministack gives: add-ons, node groups, autoscaling groups, pod identity associations.
    (re.compile(r"\b((?:addon|nodegroup)/[\w-]+/[\w-]+)/[0-9a-f]{8}\b"), r"\1/ID"),
    (re.compile(r"\b(eks-[\w-]+)-[0-9a-f]{8}\b"), r"\1-ID"),
    (re.compile(r"\b(podidentityassociation/[\w-]+/a)-[0-9a-f]+\b"), r"\1-ID"),
    (re.compile(r"\b127\.0\.0\.1:\d+\b"), "127.0.0.1:PORT"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"\b(in|after) (\d+\.\d|\d+) s\b"), r"\1 N s"),
)


# Ids that servers give, not those that are written down in a test or in a message as an example.
ID = re.compile(r"\b(vpc|subnet|igw|nat|eipalloc|rtb|rtbassoc|lt|sg|eni|vol)-(?!0123456789abcdef)[0-9a-f]{8,17}\b")


def normalised(text: str, places: dict[str, str]) -> str:
    """Replaces what another run would write differently; `places` are paths and addresses with their names."""
    for place in sorted(places, key=len, reverse=True):
        text = text.replace(place, places[place])
    for pattern, name in RUNS_DIFFER:
        text = pattern.sub(name, text)
    # Numbered as they appear, so that two of them stay two.
    numbers: dict[str, int] = {}
    return ID.sub(lambda found: f"{found[1]}-ID{numbers.setdefault(found[0], len(numbers) + 1)}", text)


def rendered(result: Any, places: dict[str, str]) -> str:
    """A result as a snapshot: everything that a user and a shell see."""
    command = " ".join(["howso-infra", *result.arguments])
    parts = f"$ {command}\nexit code: {result.code}\n----- stdout -----\n{result.stdout}----- stderr -----\n{result.stderr}"
    return normalised(parts, places)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="write the snapshots instead of comparing with them")


Compare = Callable[[str, str], None]


@pytest.fixture
def compare_snapshot(request: pytest.FixtureRequest) -> Compare:
    """Compares a text with the snapshot of this name, or writes it when that was asked for."""
    return write if request.config.getoption("--update-snapshots") else compare


def write(name: str, text: str) -> None:
    path = FOLDER / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def compare(name: str, text: str) -> None:
    path = FOLDER / f"{name}.txt"
    assert path.exists(), f"there is no snapshot {name}; write it with --update-snapshots and read it:\n{text}"
    wanted = path.read_text()
    lines = difflib.unified_diff(wanted.splitlines(), text.splitlines(), f"snapshots/{name}.txt", "this run", lineterm="")
    assert text == wanted, "another text than the snapshot (write it with --update-snapshots and read it):\n" + "\n".join(lines)
