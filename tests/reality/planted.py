"""Owns caches that are broken on purpose, to show that a run finds it."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any

from reality.subject import Loader


class Deaf:
    """A dict in each process. Its own writes it sees; those of others it never hears of."""

    fresh_reads = False

    def __init__(self, url: str, *, name: str, staleness: float, settings: dict[str, Any]) -> None:
        self._values: dict[str, tuple[str, frozenset[str]]] = {}
        self._sealed = 0

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def load(self, key: str, loader: Loader, *, expire: float, tags: Sequence[str], fresh: bool) -> str:
        if key in self._values:
            return self._values[key][0]
        sealed = self._sealed
        value = await loader()
        if sealed == self._sealed:
            self._values[key] = (value, frozenset(tags))
        return value

    async def look(self, key: str, *, fresh: bool) -> str | None:
        return self._values[key][0] if key in self._values else None

    async def invalidate(self, keys: Sequence[str], tags: Sequence[str], patterns: Sequence[str]) -> bool:
        self._sealed += 1
        for key, (_, carried) in list(self._values.items()):
            matches = any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)
            if key in keys or matches or not carried.isdisjoint(tags):
                del self._values[key]
        return True

    def troubles(self) -> int | None:
        return 0
