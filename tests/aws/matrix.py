"""The machinery of the two matrices: a calm run is recorded, then every one of its calls is disturbed, one a run.

A matrix is cut into shards, so that workers with servers of their own share it; every shard counts its points and the
totals are printed at the end. Nothing about the number of calls is written down: it is what the calm run made.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import account
from conftest import Cli, Rig
from recording import Exchange

SHARDS = int(os.environ.get("MATRIX_SHARDS", "8"))


@dataclass(frozen=True)
class Call:
    """One call of the calm run: the operation and which of its calls it is. Stable when parallel calls swap places."""

    key: str
    nth: int
    mutating: bool

    def __str__(self) -> str:
        return f"{self.key}#{self.nth}"

    def match(self) -> dict[str, Any]:
        return {"operation": self.key, "nth": self.nth}


@dataclass
class Calm:
    """What an undisturbed run did and made."""

    calls: list[Call]
    account: account.Inventory

    @property
    def mutations(self) -> list[Call]:
        return [call for call in self.calls if call.mutating]


def calls_of(exchanges: Iterable[Exchange]) -> list[Call]:
    return [Call(exchange.key, exchange.nth, exchange.mutating) for exchange in exchanges]


def make_calm(rig: Rig, cli: Cli, run: Callable[[], Any]) -> Calm:
    """Runs `run` undisturbed and keeps its calls and its account."""
    rig.proxy.reset()
    run()
    return Calm(calls_of(rig.proxy.exchanges()), account.inventory(rig.client))


@dataclass
class Tally:
    """What became of the points of one shard."""

    name: str
    shard: int
    points: int
    record: Callable[[str, Any], None]
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    def note(self, point: str, outcome: str, problems: list[str]) -> None:
        self.outcomes[outcome] += 1
        if problems:
            self.failures.append("\n  ".join([f"{point}: {outcome}", *problems[:12]]))
        done = sum(self.outcomes.values())
        if time.monotonic() - self.said > 10 or done == self.points:
            self.said = time.monotonic()
            took = time.monotonic() - self.started
            print(f"[{self.name} {self.shard + 1}/{SHARDS}] {done}/{self.points} in {took:.0f} s, {len(self.failures)} bad", file=sys.__stderr__, flush=True)

    def finish(self) -> None:
        self.record("matrix", {"name": self.name, "points": self.points, "outcomes": dict(self.outcomes), "bad": len(self.failures)})
        assert sum(self.outcomes.values()) == self.points
        assert not self.failures, f"{len(self.failures)} of {self.points} points are bad:\n" + "\n".join(self.failures[:20])


def share(points: list[Any], shard: int) -> list[Any]:
    return points[shard::SHARDS]


def totals(reports: Iterable[Any]) -> list[str]:
    """One line a matrix, over all its shards."""
    points: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    outcomes: dict[str, Counter[str]] = {}
    for report in reports:
        for key, value in getattr(report, "user_properties", []):
            if key == "matrix" and report.when == "call":
                points[value["name"]] += value["points"]
                bad[value["name"]] += value["bad"]
                outcomes.setdefault(value["name"], Counter()).update(value["outcomes"])
    return [
        f"{name}: {points[name]} points, {bad[name]} bad ({', '.join(f'{count} {outcome}' for outcome, count in sorted(outcomes[name].items()))})"
        for name in sorted(points)
    ]
