"""cashews with its client-side cache, for benchmarks/staleness.py: memory in the process, invalidated by Redis' broadcasts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cashews import Cache
from cashews.exceptions import CacheBackendInteractionError
from redis.exceptions import RedisError

_AWAY = (CacheBackendInteractionError, RedisError, OSError, asyncio.TimeoutError)
logging.getLogger("cashews").setLevel(logging.CRITICAL)  # faults are meant here


class Cashews:
    """What `reality.subject.Subject` asks for. An error of Redis is a miss, and an invalidation that is not confirmed."""

    fresh_reads = False  # it has no way to ask for one

    def __init__(self, url: str, *, name: str, staleness: float, settings: dict[str, Any]) -> None:
        self._cache = Cache()
        self._cache.setup(url, client_side=True, suppress=False, secret="benchmark", client_name=name)

    async def open(self) -> None:
        await self._cache.init()

    async def close(self) -> None:
        await self._cache.close()

    async def load(
        self, key: str, loader: Callable[[], Awaitable[str]], *, expire: float, tags: Sequence[str], fresh: bool
    ) -> str:
        try:
            return str(await self._cache.get_or_set(key, loader, expire=expire))
        except _AWAY:
            return await loader()

    async def look(self, key: str, *, fresh: bool) -> str | None:
        try:
            found: str | None = await self._cache.get(key)
        except _AWAY:
            return None
        return found

    async def invalidate(self, keys: Sequence[str], tags: Sequence[str], patterns: Sequence[str]) -> bool:
        try:
            for key in keys:
                await self._cache.delete(key)
            for pattern in patterns:
                await self._cache.delete_match(pattern)
        except _AWAY:
            return False
        return True

    def troubles(self) -> int | None:
        return 0
