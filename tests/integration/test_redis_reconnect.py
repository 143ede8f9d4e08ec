"""After a connection is lost, memory is compared with Redis by stamps (A8): no payload travels twice, and nothing is loaded again."""

from __future__ import annotations

import asyncio
import os

import pytest

from support.servers import Server
from support.waiting import eventually
from tiercel import Cache


async def reconnect(cache: Cache, server: Server) -> None:
    before = cache.stats().redis["reconnects"]
    server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await eventually(lambda: cache.stats().redis["reconnects"] > before and cache.stats().redis["state"] == "ready")


@pytest.mark.parametrize(("entries", "bytes_each"), [(100_000, 256), (5_000, 8192)])
async def test_no_payload_travels_twice(fresh_redis: Server, entries: int, bytes_each: int) -> None:
    values = {f"key:{number}": os.urandom(bytes_each) for number in range(entries)}
    async with Cache(fresh_redis.url(), l1_bytes_max="256MB", op_timeout=10, staleness=0.05) as cache:
        assert await cache.set_many(values) == entries
        await reconnect(cache, fresh_redis)
        await asyncio.sleep(0.1)  # past `staleness`: from here on an entry serves only if Redis has its stamp
        before = cache.stats().redis["bytes_in"]
        assert await cache.get_many(list(values)) == values
        moved = cache.stats().redis["bytes_in"] - before
        assert moved <= entries * 120  # the header of each, and the root's stamp
        if bytes_each >= 8192:
            assert moved <= 0.02 * entries * bytes_each
        assert cache.stats().misses == 0


async def test_it_brings_no_herd_upon_the_loader(fresh_redis: Server) -> None:
    loads = 0

    async def load() -> int:
        nonlocal loads
        loads += 1
        return loads

    keys = [f"key:{number}" for number in range(2_000)]
    async with Cache(fresh_redis.url(), op_timeout=10, staleness=0.05) as cache:
        await asyncio.gather(*(cache.get_or_load(key, load, expire=600) for key in keys))
        assert loads == len(keys)
        await reconnect(cache, fresh_redis)
        await asyncio.sleep(0.1)
        await asyncio.gather(*(cache.get_or_load(key, load, expire=600) for key in keys))
        assert loads == len(keys)
