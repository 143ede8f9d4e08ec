"""`with cache.testing() as t:` a fresh store, strict, whose time moves by hand."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tiercel import Cache
from tiercel._errors import NotCacheable


async def test_the_store_is_fresh_and_the_former_one_comes_back() -> None:
    cache = Cache("memory://")
    await cache.set("key", "outside")
    with cache.testing():
        assert await cache.get("key") is None
        await cache.set("key", "inside")
        assert await cache.get("key") == "inside"
    assert await cache.get("key") == "outside"
    await cache.disconnect()


async def test_a_cache_whose_redis_is_away_needs_none() -> None:
    cache = Cache("redis://127.0.0.1:1/0", op_timeout="10ms")
    with cache.testing() as t:
        assert await cache.set("key", 1)
        assert await cache.get("key") == 1
        assert t.stats.redis["state"] == "none"
    assert cache._settings.address == "redis://127.0.0.1:1/0"


async def test_variables_and_settings_of_the_server_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERCEL_ENABLED", "0")
    monkeypatch.setenv("TIERCEL_URL", "http://nonsense")
    with Cache().testing(l1_bytes_max="1MiB") as t:
        assert t.stats.memory["bytes_max"] in (0, 1 << 20)  # the engine comes with the first operation
        assert t._settings.l1_bytes_max == 1 << 20
        assert t._settings.enabled
    with pytest.raises(TypeError, match="no setting 'colour'"):
        Cache("memory://").testing(colour="red")


async def test_time_moves_when_told_and_only_forward() -> None:
    cache = Cache("memory://")
    with cache.testing() as t:
        await cache.set("key", 1, "5m")
        t.advance("4m")
        assert await cache.get("key") == 1
        t.advance(timedelta(seconds=61))
        assert await cache.get("key") is None
        for wrong in (0, -1, "5x"):
            with pytest.raises(ValueError, match=r"^by: "):
                t.advance(wrong)
    with pytest.raises(RuntimeError, match="inside the block"):
        t.advance(1)


async def test_it_counts_from_the_beginning_of_the_block_and_remembers_after_it() -> None:
    cache = Cache("memory://")
    await cache.set("key", 1)
    await cache.get("key")
    with cache.testing() as t:
        assert (t.hits, t.misses, t.loads, t.stores) == (0, 0, 0, 0)
        for _ in range(3):
            assert await cache.get_or_load("key", lambda: 5) == 5
        assert (t.hits, t.loads, t.stores) == (2, 1, 1)
    assert (t.hits, t.loads, t.stores) == (2, 1, 1)
    await cache.disconnect()


async def test_it_is_strict_inside_and_only_there() -> None:
    cache = Cache("memory://")

    async def load() -> Any:
        return object()

    with cache.testing():
        assert cache._strict
        with pytest.raises(NotCacheable, match="object has no codec"):
            await cache.get_or_load("key", load)
    assert not cache._strict
    await cache.disconnect()


async def test_blocks_may_be_nested_and_each_begins_empty() -> None:
    cache = Cache("memory://")
    with cache.testing() as outer:
        await cache.set("key", "outer")
        with cache.testing() as inner:
            assert await cache.get("key") is None
            assert inner.misses == 1
        assert await cache.get("key") == "outer"
        assert outer.misses == 0
        with pytest.raises(RuntimeError, match="entered already"), outer:
            pass


def test_several_loops_one_after_the_other_may_use_one_block() -> None:
    cache = Cache("memory://")
    with cache.testing() as t:
        asyncio.run(cache.set("key", 1))

        async def read() -> Any:
            return await cache.get("key")

        assert asyncio.run(read()) == 1
        assert t.hits == 1


def test_an_error_in_the_block_ends_it() -> None:
    cache = Cache("memory://")
    with pytest.raises(KeyError), cache.testing():
        raise KeyError
    assert not cache._strict
