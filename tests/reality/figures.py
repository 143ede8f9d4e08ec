"""Owns what is measured in a history, broken or not: how stale the answers were, how many loads a cold key cost, how long a read took."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from reality.facts import Facts
from reality.history import History, Load, Read


@dataclass(frozen=True, slots=True)
class Distribution:
    """Seconds. The quantiles are of all, those that are zero too."""

    count: int
    nonzero: int
    p99: float
    p9999: float
    highest: float

    @classmethod
    def of(cls, nanoseconds: Sequence[int]) -> Distribution:
        ascending = sorted(nanoseconds)

        def quantile(share: float) -> float:
            return ascending[min(len(ascending) - 1, math.ceil(share * len(ascending)) - 1)] / 1e9 if ascending else 0.0

        above = sum(1 for one in ascending if one > 0)
        return cls(len(ascending), above, quantile(0.99), quantile(0.9999), quantile(1.0))

    def __str__(self) -> str:
        return f"p99 {self.p99:.3f} s, p99.99 {self.p9999:.3f} s, max {self.highest:.3f} s"


@dataclass(frozen=True, slots=True)
class Figures:
    reads: int
    commits: int
    invalidations: Counter[bool]  # by whether it was confirmed
    staleness: Distribution  # how long before the read began what it answered had been invalidated, confirmed
    read_time: Distribution
    loads: int
    surplus_loads: int

    @property
    def loads_per_cold_key(self) -> float:
        """Over all processes. One: no load began that another under way would have spared."""
        return self.loads / max(1, self.loads - self.surplus_loads)

    def lines(self) -> list[str]:
        return [
            f"{self.reads} reads, {self.commits} commits, invalidations: {self.invalidations[True]} confirmed, "
            f"{self.invalidations[False]} pending",
            f"observed staleness: {self.staleness}; {self.staleness.nonzero} reads of {self.staleness.count}",
            f"time of a read: {self.read_time}",
            f"{self.loads} loads, {self.loads_per_cold_key:.2f} for each time a key was cold: {self.surplus_loads} began while another of "
            "the key was under way, not invalidated",
        ]


def figures(history: History) -> Figures:
    facts = Facts(history)
    return Figures(
        reads=len(history.reads),
        commits=len(history.commits),
        invalidations=Counter(one.confirmed for one in history.invalidations),
        staleness=Distribution.of([staleness(facts, read) for read in history.reads if read.value is not None]),
        read_time=Distribution.of([read.ended - read.began for read in history.reads]),
        loads=len(history.loads),
        surplus_loads=surplus_loads(facts, history.loads),
    )


def staleness(facts: Facts, read: Read) -> int:
    """Nanoseconds since what the read answered was outdated by a confirmed invalidation; 0 if it was not."""
    assert read.value is not None
    since = facts.outdated_since(read.key, facts.epoch(read.ended), read.value.version)
    return max(0, read.began - since) if since is not None else 0


def surplus_loads(facts: Facts, loads: Sequence[Load]) -> int:
    """Loads that one flight over all processes would have spared: another load of the key was running, and still good."""
    by_key: dict[str, list[Load]] = defaultdict(list)
    for load in sorted(loads, key=lambda load: load.began):
        by_key[load.key].append(load)
    surplus = 0
    for of_key in by_key.values():
        running: list[Load] = []
        for load in of_key:
            running = [other for other in running if other.ended > load.began]
            good = (not facts.invalidated_during(load.key, other.began, load.began) for other in running)
            surplus += any(good)
            running.append(load)
    return surplus
