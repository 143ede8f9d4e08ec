"""Owns what a history says about each key at each time: which version an invalidation covers, and what bound a read then.

All questions are answered by bisection in lists that only ascend, so a history of n events costs O(n log n), times the number of
keys that one invalidation covers.
"""

from __future__ import annotations

import fnmatch
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reality.history import History, Invalidation

BEFORE_ALL = -1


@dataclass
class Peaks:
    """Pairs (time, height) in the order of time, and the highest up to any time, with what made it."""

    times: list[int] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)
    makers: list[Invalidation | None] = field(default_factory=list)

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int, Invalidation | None]]) -> Peaks:
        peaks = cls()
        for time, height, maker in sorted(pairs, key=lambda pair: pair[:2]):
            higher = not peaks.heights or height > peaks.heights[-1]
            peaks.times.append(time)
            peaks.heights.append(height if higher else peaks.heights[-1])
            peaks.makers.append(maker if higher else peaks.makers[-1])
        return peaks

    def before(self, time: int) -> tuple[int, Invalidation | None]:
        """The highest of all earlier than `time`."""
        return self._at(bisect_left(self.times, time) - 1)

    def until(self, time: int) -> tuple[int, Invalidation | None]:
        """The same, with those at `time` itself."""
        return self._at(bisect_right(self.times, time) - 1)

    def first_above(self, height: int) -> int | None:
        """When it first rose above `height`."""
        at = bisect_right(self.heights, height)
        return self.times[at] if at < len(self.times) else None

    def _at(self, index: int) -> tuple[int, Invalidation | None]:
        return (self.heights[index], self.makers[index]) if index >= 0 else (BEFORE_ALL, None)


class Facts:
    """Built once from a history; then only asked."""

    def __init__(self, history: History) -> None:
        self._losses = sorted(loss.began for loss in history.losses)
        commits: dict[str, list[tuple[int, int, None]]] = defaultdict(list)
        for commit in history.commits:
            commits[commit.key].append((commit.ended, commit.version, None))
        self._committed = {key: Peaks.of(pairs) for key, pairs in commits.items()}
        self.begun = {(commit.key, commit.version): commit.began for commit in history.commits}

        floors: dict[tuple[str, int], list[tuple[int, int, Invalidation | None]]] = defaultdict(list)
        begins: dict[tuple[str, int], list[tuple[int, int, Invalidation | None]]] = defaultdict(list)
        own: dict[tuple[str, str], list[tuple[int, int, Invalidation | None]]] = defaultdict(list)
        spans: dict[str, list[tuple[int, int, Invalidation | None]]] = defaultdict(list)
        covers = Coverage(history.tags_of)
        for one in history.invalidations:
            for key in covers.keys(one):
                spans[key].append((one.began, one.ended, one))
                if one.confirmed:
                    covered = self.committed(key, one.began)
                    epoch = self.epoch(one.began)
                    floors[key, epoch].append((one.ended, covered, one))
                    begins[key, epoch].append((one.ended, one.began, one))
                    own[key, one.cache].append((one.ended, covered, one))
        self._floors = {at: Peaks.of(pairs) for at, pairs in floors.items()}
        self._begins = {at: Peaks.of(pairs) for at, pairs in begins.items()}
        self._own = {at: Peaks.of(pairs) for at, pairs in own.items()}
        self._spans = {key: Peaks.of(pairs) for key, pairs in spans.items()}

    def epoch(self, time: int) -> int:
        """How often the server had lost acknowledged data, or was losing it."""
        return bisect_right(self._losses, time)

    def committed(self, key: str, time: int) -> int:
        """The newest version whose commit had ended."""
        return self._committed.get(key, _NOTHING).until(time)[0]

    def floor(self, key: str, epoch: int, before: int) -> tuple[int, Invalidation | None]:
        """The newest version covered by an invalidation that was confirmed before that time, in that epoch."""
        return self._floors.get((key, epoch), _NOTHING).before(before)

    def newest_invalidation(self, key: str, epoch: int, before: int) -> tuple[int, Invalidation | None]:
        """Of those confirmed before that time, when the one that began last began."""
        return self._begins.get((key, epoch), _NOTHING).before(before)

    def own_floor(self, key: str, cache: str, until: int) -> tuple[int, Invalidation | None]:
        """As `floor`, of those confirmed to that Cache object."""
        return self._own.get((key, cache), _NOTHING).until(until)

    def outdated_since(self, key: str, epoch: int, version: int) -> int | None:
        """When the first invalidation was confirmed that covers something newer than `version`."""
        return self._floors.get((key, epoch), _NOTHING).first_above(version)

    def invalidated_during(self, key: str, began: int, ended: int) -> bool:
        """Whether any invalidation of the key, confirmed or not, overlaps the interval."""
        return self._spans.get(key, _NOTHING).until(ended)[0] >= began


class Coverage:
    """Which keys an invalidation names, by key, tag or pattern."""

    def __init__(self, tags_of: Mapping[str, tuple[str, ...]]) -> None:
        self._keys = list(tags_of)
        self._tagged: dict[str, list[str]] = defaultdict(list)
        self._matching: dict[str, list[str]] = {}
        for key in self._keys:
            for tag in tags_of[key]:
                self._tagged[tag].append(key)

    def keys(self, one: Invalidation) -> Iterator[str]:
        named = dict.fromkeys(one.keys)
        for tag in one.tags:
            named.update(dict.fromkeys(self._tagged.get(tag, ())))
        for pattern in one.patterns:
            named.update(dict.fromkeys(self._matches(pattern)))
        yield from named

    def _matches(self, pattern: str) -> list[str]:
        if pattern not in self._matching:
            self._matching[pattern] = [key for key in self._keys if fnmatch.fnmatchcase(key, pattern)]
        return self._matching[pattern]


_NOTHING = Peaks()
