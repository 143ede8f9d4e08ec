"""cashews: in memory, and on Redis (plain: its client-side cache answers from memory, which is another row)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cashews import Cache

from benchmarks.rivals.adapters import TEXT_300, Get, GetUser, User, some_user


@asynccontextmanager
async def cached_function() -> AsyncIterator[GetUser]:
    cache = Cache()
    cache.setup("mem://")

    @cache(ttl="5m", key="user:{user_id}")
    async def get_user(user_id: int) -> User:
        return some_user(user_id)

    yield get_user
    await cache.close()


@asynccontextmanager
async def memory_get() -> AsyncIterator[Get]:
    cache = Cache()
    cache.setup("mem://")
    await cache.set("key", TEXT_300, expire=300)
    yield cache.get
    await cache.close()


@asynccontextmanager
async def redis_get(url: str) -> AsyncIterator[Get]:
    cache = Cache()
    cache.setup(url, client_side=False, secret="benchmark")
    await cache.set("cashews", TEXT_300, expire=300)

    async def get(_: str) -> object:
        return await cache.get("cashews")

    yield get
    await cache.close()
