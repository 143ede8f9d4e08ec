"""`version=` over a real server and two caches: the newer one stands, whoever comes late."""

from __future__ import annotations

import asyncio

from support.servers import Server
from tiercel import Cache


async def test_a_late_writer_does_not_replace_the_newer_value(any_server: Server) -> None:
    async with Cache(any_server.url(), op_timeout=5) as one, Cache(any_server.url(), op_timeout=5) as two:
        assert await one.set("key", "seven", version=7)
        assert not await two.set("key", "six", version=6)
        assert await two.get("key") == "seven"
        assert await two.set("key", "eight", version=8)
        assert not await one.set("key", "seven", version=7)
        assert await one.get("key", fresh="now") == "eight"


async def test_versions_are_compared_as_numbers_of_64_bits(any_server: Server) -> None:
    async with Cache(any_server.url(), op_timeout=5) as cache:
        for older, newer in ((1, 256), (2**31, 2**32), (2**32, 2**32 + 1), (2**63 - 1, 2**63), (2**64 - 2, 2**64 - 1)):
            await cache.delete("key")
            assert await cache.set("key", "newer", version=newer)
            assert not await cache.set("key", "older", version=older)
            assert await cache.set("key", "newer", version=newer)


async def test_a_load_older_than_an_invalidation_that_named_a_version_is_not_stored(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as one, Cache(redis_server.url(), op_timeout=5) as two:
        assert await one.invalidate("key", version=8)  # the change of version 8 is committed
        of_a_replica = await two.get_or_load("key", lambda: ("old", 7), version=lambda value: value[1])
        assert of_a_replica == ("old", 7)
        assert await two.get("key", fresh="now") is None
        await asyncio.sleep(1.1)  # for a second everybody loads for himself
        assert await two.get_or_load("key", lambda: ("new", 8), version=lambda value: value[1]) == ("new", 8)
        assert await one.get("key", fresh="now") == ("new", 8)


async def test_an_invalidation_of_an_older_version_lets_the_newer_stand(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as one, Cache(redis_server.url(), op_timeout=5) as two:
        await one.set("key", "eight", version=8)
        assert await two.invalidate("key", version=7)
        assert await one.get("key", fresh="now") == "eight"
        assert await two.invalidate("key", version=8)
        assert await one.get("key", fresh="now") is None
        assert not await one.set("key", "seven", version=7)  # the floor


async def test_a_set_with_a_version_does_not_store_under_a_write(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as one, Cache(redis_server.url(), op_timeout=5) as two:
        async with one.writing(keys=["key"]) as write:
            assert not await two.set("key", "early", version=7)
        assert write.held
        assert await two.set("key", "after", version=7)
