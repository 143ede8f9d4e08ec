"""Owns what is written down about a run: the events, their form as JSON lines, and the form of a value.

Times are nanoseconds of CLOCK_MONOTONIC, which all processes of one machine share. An interval opens before the call and closes
after its answer, so what lies between is never longer than what is written. A worker in another language writes the same lines.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Value:
    """What is cached: a version of a row, and which load read it, so that an answer tells where it is from."""

    key: str
    version: int
    load_began: int
    load: str  # the `name` of the read whose loader ran

    def __str__(self) -> str:
        return f"{self.key}|{self.version}|{self.load_began}|{self.load}"

    @classmethod
    def parse(cls, text: str) -> Value:
        key, version, load_began, load = text.split("|")
        return cls(key, int(version), int(load_began), load)


@dataclass(frozen=True, slots=True)
class Read:
    """A call that asked for a key. `value` is None for a miss of a call that does not load."""

    kind: ClassVar[str] = "read"
    name: str
    cache: str  # one Cache object, in one process
    via: str  # get, get_or_load or cached
    key: str
    began: int
    ended: int
    value: Value | None
    fresh: bool = False  # asked with fresh="now"
    degraded: bool = False  # Redis failed it, or may have: it may be of a load without a lease


@dataclass(frozen=True, slots=True)
class Load:
    """One run of a loader; `name` is that of the read that brought it."""

    kind: ClassVar[str] = "load"
    name: str
    cache: str
    key: str
    began: int
    ended: int
    version: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A row's new version in the source of truth."""

    kind: ClassVar[str] = "commit"
    cache: str
    key: str
    version: int
    began: int
    ended: int


@dataclass(frozen=True, slots=True)
class Invalidation:
    """What was invalidated in one call. Not confirmed: pending, and it binds nobody but its own Cache."""

    kind: ClassVar[str] = "invalidation"
    cache: str
    began: int
    ended: int
    confirmed: bool
    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """The server lost data that it had acknowledged. What was confirmed before is outside the promise afterwards."""

    kind: ClassVar[str] = "loss"
    began: int
    ended: int


Event: TypeAlias = Read | Load | Commit | Invalidation | Loss
_KINDS: Mapping[str, type[Any]] = {kind.kind: kind for kind in (Read, Load, Commit, Invalidation, Loss)}


@dataclass
class History:
    """The events of all processes of a run, in no order, and the tags that each key carries."""

    tags_of: Mapping[str, tuple[str, ...]]
    reads: list[Read] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    invalidations: list[Invalidation] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)

    def add(self, events: Iterable[Event]) -> History:
        lists: Mapping[type[Any], list[Any]] = {
            Read: self.reads, Load: self.loads, Commit: self.commits, Invalidation: self.invalidations, Loss: self.losses,
        }  # fmt: skip
        for event in events:
            lists[type(event)].append(event)
        return self

    def __len__(self) -> int:
        return len(self.reads) + len(self.loads) + len(self.commits) + len(self.invalidations)


def to_line(event: Event) -> str:
    fields = {name: _plain(getattr(event, name)) for name in event.__slots__}
    return json.dumps({"event": event.kind, **fields}, separators=(",", ":")) + "\n"


def from_line(line: str) -> Event:
    fields = json.loads(line)
    kind = _KINDS[fields.pop("event")]
    if isinstance(fields.get("value"), str):
        fields["value"] = Value.parse(fields["value"])
    fields.update({name: tuple(found) for name, found in fields.items() if isinstance(found, list)})
    event: Event = kind(**fields)
    return event


def read_lines(path: Path) -> Iterator[Event]:
    """The events of a file. The last line of a process that was killed may be torn: it is left out."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield from_line(line)


def _plain(value: Any) -> Any:
    return str(value) if dataclasses.is_dataclass(value) else value
