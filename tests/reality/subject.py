"""Owns the cache under test as the workers see it: six calls. Another library is measured by a class with the same six."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from tiercel import Cache
from tiercel._invalidator import CacheInvalidator
from tiercel._types import Pattern

Loader = Callable[[], Awaitable[str]]
CACHED_PREFIX = "row:"  # keys with it are read by a decorated function


class Subject(Protocol):
    fresh_reads: bool  # whether `fresh` means something to it

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def load(self, key: str, loader: Loader, *, expire: float, tags: Sequence[str], fresh: bool) -> str: ...
    async def look(self, key: str, *, fresh: bool) -> str | None: ...
    async def invalidate(self, keys: Sequence[str], tags: Sequence[str], patterns: Sequence[str]) -> bool: ...
    def troubles(self) -> int | None: ...  # with Redis so far; None: it cannot be used now


class Tiercel:
    """`Cache`, by its public face. `url` may name a proxy; `name` is seen in CLIENT LIST."""

    fresh_reads = True

    def __init__(self, url: str, *, name: str, staleness: float, settings: dict[str, Any]) -> None:
        self.cache = Cache(url, client_name=name, staleness=staleness, **settings)
        self._invalidator = CacheInvalidator(self.cache)
        self._invalidator.on("changed")(lambda patterns: [Pattern(pattern) for pattern in patterns])
        self._loader: ContextVar[Loader] = ContextVar("loader")
        self._cached: dict[tuple[str, ...], Any] = {}

    async def open(self) -> None:
        await self.cache.connect()

    async def close(self) -> None:
        await self.cache.disconnect()

    async def load(self, key: str, loader: Loader, *, expire: float, tags: Sequence[str], fresh: bool) -> str:
        if key.startswith(CACHED_PREFIX) and not fresh:
            return await self._by_function(key, loader, tuple(tags))
        value = await self.cache.get_or_load(key, loader, expire=expire, tags=tags, fresh="now" if fresh else None)
        return str(value)

    async def look(self, key: str, *, fresh: bool) -> str | None:
        found: str | None = await self.cache.get(key, fresh="now" if fresh else None)
        return found

    async def invalidate(self, keys: Sequence[str], tags: Sequence[str], patterns: Sequence[str]) -> bool:
        confirmed = True
        if keys or tags:
            confirmed = bool(await self.cache.invalidate(*keys, tags=tags))
        if patterns:
            confirmed = bool(await self._invalidator.emit("changed", patterns=patterns)) and confirmed
        return confirmed

    def troubles(self) -> int | None:
        redis = self.cache.stats().redis
        return redis["timeouts"] + redis["reconnects"] if redis["state"] == "ready" else None

    async def _by_function(self, key: str, loader: Loader, tags: tuple[str, ...]) -> str:
        """Through `@cache.cached`. The loader travels in the context: a function's arguments would be its key."""
        if tags not in self._cached:
            self._cached[tags] = self.cache.cached(prefix=CACHED_PREFIX[:-1], expire=30, tags=tags)(self._row)
        token = self._loader.set(loader)
        try:
            value = await self._cached[tags](key.removeprefix(CACHED_PREFIX))
        finally:
            self._loader.reset(token)
        return str(value)

    async def _row(self, name: str) -> Any:  # `str` would choose another codec than that of `get`
        return await self._loader.get()()
