"""The code of the mission document ("FastAPI Caching with Redis"), for benchmarks/freshness/stale.py, in our own words.

Its decorator gets, and calls the function and stores what it answers where nothing was found; its services commit, then delete the
key, then what matches a pattern, by SCAN and DEL. There is no memory in the process, and nothing between a load and its storing.

An error of Redis fails a request there, and a connection that has gone silent lets it hang. That cannot be counted as staleness, so
here a call is given up after two seconds, and either is a miss: more than the document does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import redis.asyncio
from redis.exceptions import RedisError

CONNECTIONS_MAX = 20
PATIENCE_SECONDS = 2.0
_AWAY = (RedisError, OSError, asyncio.TimeoutError)

Answer = TypeVar("Answer")


class Mission:
    """What `reality.subject.Subject` asks for."""

    fresh_reads = False  # it has no way to ask for one

    def __init__(self, url: str, *, name: str, staleness: float, settings: dict[str, Any]) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            url, encoding="utf-8", decode_responses=True, max_connections=CONNECTIONS_MAX, client_name=name
        )

    async def open(self) -> None:
        await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()

    async def load(
        self, key: str, loader: Callable[[], Awaitable[str]], *, expire: float, tags: Sequence[str], fresh: bool
    ) -> str:
        """The decorator around a function: no lock, no lease; `None` is what it takes for a miss."""
        found = await self.look(key, fresh=fresh)
        if found is not None:
            return found
        result = await loader()
        with suppress(_AWAY):
            await _patient(self._redis.setex(key, max(1, int(expire)), json.dumps(result)))
        return result

    async def look(self, key: str, *, fresh: bool) -> str | None:
        try:
            text = await _patient(self._redis.get(key))
        except _AWAY:
            return None
        return str(json.loads(text)) if text else None

    async def invalidate(self, keys: Sequence[str], tags: Sequence[str], patterns: Sequence[str]) -> bool:
        try:
            for key in keys:
                await _patient(self._redis.delete(key))
            for pattern in patterns:
                await _patient(self._delete_pattern(pattern))
        except _AWAY:
            return False
        return True

    def troubles(self) -> int | None:
        return 0

    async def _delete_pattern(self, pattern: str) -> None:
        matching = [key async for key in self._redis.scan_iter(match=pattern)]
        if matching:
            await self._redis.delete(*matching)


async def _patient(call: Awaitable[Answer]) -> Answer:
    return await asyncio.wait_for(call, PATIENCE_SECONDS)
