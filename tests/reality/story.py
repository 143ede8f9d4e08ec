"""Owns how a violation is told: what happened to its key from the load of what it answered to its end, in order, in seconds since then."""

from __future__ import annotations

from collections.abc import Iterator

from reality.checker import Violation
from reality.facts import Coverage
from reality.history import Commit, Event, History, Invalidation, Load, Loss, Read

LINES_MAX = 200


def story(history: History, violation: Violation) -> list[str]:
    value = violation.read.value
    since = value.load_began if value is not None else violation.read.began
    events = [event for event in _of_key(history, violation.read.key) if event.ended >= since]
    events = [event for event in events if event.began <= violation.read.ended]
    events.sort(key=lambda event: event.began)
    told = [_told(event, since) for event in events]
    left_out = len(told) - LINES_MAX
    if left_out > 0:
        told[LINES_MAX // 2 : -LINES_MAX // 2] = [f"… {left_out} more …"]
    return [str(violation), *told]


def _of_key(history: History, key: str) -> Iterator[Event]:
    covers = Coverage(history.tags_of)
    yield from (read for read in history.reads if read.key == key)
    yield from (load for load in history.loads if load.key == key)
    yield from (commit for commit in history.commits if commit.key == key)
    yield from (one for one in history.invalidations if key in covers.keys(one))
    yield from history.losses


def _told(event: Event, since: int) -> str:
    span = f"{(event.began - since) / 1e9:9.4f} to {(event.ended - since) / 1e9:9.4f}"
    match event:
        case Read():
            marks = "".join([", fresh" if event.fresh else "", ", degraded" if event.degraded else ""])
            seen = f"version {event.value.version} of {event.value.load}" if event.value is not None else "nothing"
            return f"{span}  {event.name} {event.via}: {seen}{marks}"
        case Load():
            return f"{span}  {event.name} LOADED version {event.version}"
        case Commit():
            return f"{span}  {event.cache} COMMITTED version {event.version}"
        case Invalidation():
            end = "confirmed" if event.confirmed else "pending"
            return f"{span}  {event.cache} INVALIDATED {[*event.keys, *event.tags, *event.patterns]}, {end}"
        case Loss():
            return f"{span}  the server LOST its data"
