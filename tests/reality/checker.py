"""Owns the verdict over a history: what the promise of docs/guides/distributed.md forbids, and nothing it allows. Pure.

    A read that begins at t never returns a value whose load began before an invalidation of it that was confirmed before t - delta.

Versions are unique and ascending, so nothing has to be searched: an invalidation covers the newest version whose commit had ended
when it began; a read must see at least the newest version covered by what was confirmed before t - delta. Every doubt (what was
under way at the same time) is decided for the cache, so what is reported happened.
"""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reality.facts import Facts, Peaks
from reality.history import SECOND, History, Invalidation, Read, Value


class Kind(enum.Enum):
    """What was broken."""

    STALE = "a version older than a confirmed invalidation allows"
    OLD_LOAD = "a load older than a confirmed invalidation allows, though the version is not"
    OWN_WRITE = "its own confirmed write was not seen"
    BACK = "a hit older than an earlier hit through the same Cache"
    INVENTED = "a version that nobody had begun to commit"
    WRONG_KEY = "the value of another key"


class Cause(enum.Enum):
    """How it can have come about, by what the value's load was doing. The numbers are those of the anomalies by name."""

    LATE_JOIN = "A16: the load was still running when the read began"
    STALE_FILL = "A1: the load was running while the key was invalidated"
    HELD_FILL = "A1: the load's process was cut off when it filled, so the fill may have arrived after the invalidation"
    KEPT = "A2, A3, A6, A11, A12: the value was stored before, and outlived its invalidation"


@dataclass(frozen=True, slots=True)
class Violation:
    kind: Kind
    cause: Cause
    read: Read
    expected: int  # a version; for OLD_LOAD a time
    by: Invalidation | None = None

    def __str__(self) -> str:
        read, value = self.read, self.read.value
        asked = f'{read.key}, fresh="now"' if read.fresh else read.key
        told = f"{self.kind.name} ({self.cause.name}) {read.name} {read.via}({asked}) at {read.began}"
        told += f" answered {value}, expected {self.expected}"
        if self.by is not None:
            told += f", because of {self.by} ({(read.began - self.by.ended) / 1e9:.3f} s before)"
        return told + (", degraded" if read.degraded else "")


@dataclass(frozen=True, slots=True)
class Rules:
    """`delta`: the setting `staleness` of the caches, in nanoseconds."""

    delta: int = SECOND


def check(history: History, rules: Rules) -> list[Violation]:
    """All violations, in the order of the reads' begins."""
    return Checker(history, rules).violations()


def summary(violations: Iterable[Violation]) -> Counter[str]:
    return Counter(f"{violation.kind.name} by {violation.cause.name}" for violation in violations)


class Checker:
    def __init__(self, history: History, rules: Rules) -> None:
        self._history, self._delta = history, rules.delta
        self._facts = Facts(history)
        self._leaders = {read.name: read for read in history.reads if read.value and read.value.load == read.name}
        self._loads = {load.name: load.ended for load in history.loads}

    def violations(self) -> list[Violation]:
        found = [*self._singly(), *self._going_back()]
        return sorted(found, key=lambda violation: violation.read.began)

    def _singly(self) -> Iterator[Violation]:
        for read in self._history.reads:
            if read.value is not None:
                found = self._invented(read) or self._stale(read) or self._own(read) or self._old_load(read)
                if found is not None:
                    yield found

    def _invented(self, read: Read) -> Violation | None:
        value = _value(read)
        if value.key != read.key:
            return Violation(Kind.WRONG_KEY, Cause.KEPT, read, 0)
        begun = self._facts.begun.get((value.key, value.version))
        if value.version < 1 or (begun is not None and begun > read.ended):
            return Violation(Kind.INVENTED, Cause.KEPT, read, 0)
        return None

    def _stale(self, read: Read) -> Violation | None:
        version, by = self._facts.floor(read.key, self._epoch(read), self._bound(read))
        if _value(read).version >= version:
            return None
        return Violation(Kind.STALE, self._cause(read), read, version, by)

    def _own(self, read: Read) -> Violation | None:
        version, by = self._facts.own_floor(read.key, read.cache, read.began)
        if _value(read).version >= version or by is None or self._facts.epoch(by.began) != self._epoch(read):
            return None
        return Violation(Kind.OWN_WRITE, self._cause(read), read, version, by)

    def _old_load(self, read: Read) -> Violation | None:
        time, by = self._facts.newest_invalidation(read.key, self._epoch(read), self._bound(read))
        if _value(read).load_began >= time:
            return None
        return Violation(Kind.OLD_LOAD, self._cause(read), read, time, by)

    def _going_back(self) -> Iterator[Violation]:
        """Hits of one key through one Cache, within one epoch, ascend."""
        groups: dict[tuple[str, str, int], list[Read]] = defaultdict(list)
        for read in self._history.reads:
            if read.value is not None and self._is_hit(read):
                groups[read.cache, read.key, self._epoch(read)].append(read)
        for hits in groups.values():
            seen = Peaks.of((hit.ended, _value(hit).version, None) for hit in hits)
            for hit in hits:
                newest, _ = seen.before(hit.began)
                if _value(hit).version < newest:
                    yield Violation(Kind.BACK, self._cause(hit), hit, newest)

    def _is_hit(self, read: Read) -> bool:
        """Not the answer of a load that the same Cache had under way: that one may end without being stored."""
        value = _value(read)
        leader = self._leaders.get(value.load)
        if leader is None:
            return not value.load.startswith(read.cache + "#")
        return leader.cache != read.cache or (leader.ended < read.began and not leader.degraded)

    def _cause(self, read: Read) -> Cause:
        value = _value(read)
        leader = self._leaders.get(value.load)
        ended = leader.ended if leader is not None else self._loads.get(value.load, value.load_began)
        joined = leader is not None and leader is not read and leader.cache == read.cache
        if joined and ended >= read.began:
            return Cause.LATE_JOIN
        if self._facts.invalidated_during(read.key, value.load_began, ended):
            return Cause.STALE_FILL
        return Cause.HELD_FILL if leader is None or leader.degraded else Cause.KEPT

    def _bound(self, read: Read) -> int:
        return read.began if read.fresh else read.began - self._delta

    def _epoch(self, read: Read) -> int:
        """A read that overlaps a loss may have been answered after it."""
        return self._facts.epoch(read.ended)


def _value(read: Read) -> Value:
    assert read.value is not None
    return read.value
