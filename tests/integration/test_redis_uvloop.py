"""uvloop's timers ring early, so what the engine is called for by time alone is tried on it too."""

from __future__ import annotations

import asyncio

import uvloop

from support.servers import Server
from support.waiting import eventually
from tiercel import Cache


def test_it_recovers_under_uvloop_with_nobody_asking(fresh_redis: Server) -> None:
    async def main() -> None:
        async with Cache(fresh_redis.url()) as cache:
            assert await cache.set("key", 1)
            fresh_redis.stop()
            await eventually(lambda: cache.stats().redis["state"] == "away")
            await asyncio.sleep(0.5)  # several attempts to connect, each by a timer of its own
            fresh_redis.start()
            await eventually(lambda: cache.stats().redis["state"] == "ready")

    uvloop.run(main())


def test_an_idle_connection_is_kept_current_under_uvloop(redis_server: Server) -> None:
    async def main() -> None:
        async with Cache(redis_server.url(), staleness=0.1) as cache:
            await cache.set("key", 1)
            assert await cache.get("key") == 1
            writes = cache.stats().redis["writes"]
            await asyncio.sleep(0.5)  # far longer than an entry is trusted without a sign of life
            assert cache.stats().redis["writes"] >= writes + 5
            assert await cache.get("key") == 1
            assert cache.stats().hits_memory >= 2

    uvloop.run(main())
