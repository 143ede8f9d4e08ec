"""aiocache: in memory, and on Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiocache import Cache, cached

from benchmarks.rivals.adapters import TEXT_300, Get, GetUser, User, some_user


@asynccontextmanager
async def cached_function() -> AsyncIterator[GetUser]:
    @cached(ttl=300, cache=Cache.MEMORY)
    async def get_user(user_id: int) -> User:
        return some_user(user_id)

    yield get_user


@asynccontextmanager
async def memory_get() -> AsyncIterator[Get]:
    cache = Cache(Cache.MEMORY)
    await cache.set("key", TEXT_300, ttl=300)
    yield cache.get


@asynccontextmanager
async def redis_get(url: str) -> AsyncIterator[Get]:
    from aiocache.backends.redis import RedisCache

    where = urlsplit(url)
    cache = RedisCache(endpoint=where.hostname or "127.0.0.1", port=where.port or 6379, pool_max_size=256)
    await cache.set("aiocache", TEXT_300, ttl=300)

    async def get(_: str) -> object:
        return await cache.get("aiocache")

    yield get
    await cache.close()
