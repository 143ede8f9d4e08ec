"""Tiercel itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.rivals.adapters import TEXT_300, Get, GetUser, User, some_user
from tiercel import Cache


@asynccontextmanager
async def cached_function() -> AsyncIterator[GetUser]:
    async with Cache("memory://") as cache:

        @cache.cached(prefix="user", expire=300)
        async def get_user(user_id: int) -> User:
            return some_user(user_id)

        yield get_user


@asynccontextmanager
async def memory_get() -> AsyncIterator[Get]:
    async with Cache("memory://") as cache:
        await cache.set("key", TEXT_300, 300)
        yield cache.get


@asynccontextmanager
async def redis_get(url: str) -> AsyncIterator[Get]:
    """L1 switched off: every get goes to Redis."""
    async with Cache(url, l1_bytes_max=0) as cache:
        await cache.set("key", TEXT_300, 300)
        yield cache.get
