"""A hundred thousand names in one call: they go in parts, are confirmed, and nothing beside them is taken along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tiercel import Cache

KEYS = [f"key:{number}" for number in range(100_000)]


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_server").url()
    async with Cache(url, op_timeout="2s") as cache:
        yield cache


async def nothing_else_happened(cache: Cache) -> None:
    """Neither is anything owed, nor was the root renewed in place of all that."""
    stats = cache._stats()
    assert stats["pending"] == stats["pending_overflows"] == 0
    assert await cache.get("beside") == "untouched"


async def test_a_hundred_thousand_keys_are_invalidated_in_one_call(cache: Cache) -> None:
    await cache.set("beside", "untouched")
    assert await cache.set_many(dict.fromkeys(KEYS, 1)) == len(KEYS)
    assert len(await cache.get_many(KEYS)) == len(KEYS)
    assert await cache.invalidate(*KEYS, strict=True)
    assert await cache.get_many(KEYS) == {}
    await nothing_else_happened(cache)


async def test_a_hundred_thousand_keys_are_invalidated_by_their_version(cache: Cache) -> None:
    await cache.set("beside", "untouched")
    await cache.set(KEYS[0], "newer", version=8)
    await cache.set(KEYS[-1], "older", version=6)
    assert await cache.invalidate(*KEYS, version=7, strict=True)
    assert await cache.get_many([KEYS[0], KEYS[-1]]) == {KEYS[0]: "newer"}
    await nothing_else_happened(cache)


async def test_a_hundred_thousand_tags_are_invalidated_in_one_call(cache: Cache) -> None:
    await cache.set("beside", "untouched")
    await cache.set("first", 1, tags=KEYS[:1])
    await cache.set("last", 1, tags=KEYS[-1:])
    assert await cache.invalidate(tags=KEYS, strict=True)
    assert await cache.get_many(["first", "last"]) == {}
    await nothing_else_happened(cache)


async def test_others_are_served_meanwhile(cache: Cache) -> None:
    await cache.set("beside", "untouched")
    invalidation = asyncio.ensure_future(cache.invalidate(*KEYS))
    await asyncio.sleep(0)
    assert await cache.get("beside", fresh="now") == "untouched"
    assert await invalidation


async def test_more_keys_than_a_write_announces_are_refused_with_advice(cache: Cache) -> None:
    async with cache.writing(keys=KEYS[:4_096]) as write:
        assert write.announced
    assert write.held and write.confirmed
    with pytest.raises(ValueError, match=r"^keys: 4097 of them; a write names at most 4096\. Name a tag"):
        cache.writing(keys=KEYS[:4_097])
