"""redis-py's asyncio client with the hiredis parser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio

from benchmarks.rivals.adapters import TEXT_300, Get


@asynccontextmanager
async def redis_get(url: str) -> AsyncIterator[Get]:
    client = redis.asyncio.Redis.from_url(url, max_connections=256)
    await client.set("redis-py", TEXT_300)

    async def get(_: str) -> object:
        return await client.get("redis-py")

    yield get
    await client.aclose()
