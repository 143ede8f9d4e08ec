"""`cache.explain` on memory://: what this process knows of a key, in words."""

from __future__ import annotations

import json

import pytest

from tiercel import Cache, _core


@pytest.fixture
def cache() -> Cache:
    return Cache("memory://")


async def test_an_entry_that_serves_and_one_that_is_not_there(cache: Cache) -> None:
    await cache.set("user:42", "Ada", 300, tags=["users"], version=7)
    made = await cache.explain("user:42")
    assert made["served_from"] == "memory" and made["why"] == "Memory serves it."
    memory = made["memory"]
    assert memory is not None and memory["tags"] == ["users"] and memory["version"] == 7
    assert 299 < (memory["fresh_for"] or 0) <= 300 and memory["bytes"] > 0
    assert made["redis"]["state"] == "none"
    nothing = await cache.explain("nothing")
    assert nothing["served_from"] is None and nothing["memory"] is None
    assert nothing["why"] == "Memory has nothing of it."
    json.dumps([made, nothing])


async def test_it_counts_nothing(cache: Cache) -> None:
    await cache.set("key", 1)
    before = cache.stats()
    await cache.explain("key")
    await cache.explain("nothing")
    assert cache.stats() == before


async def test_a_tag_that_was_invalidated(cache: Cache) -> None:
    await cache.set("key", 1, tags=["users"])
    await cache.invalidate(tags=["users"])
    made = await cache.explain("key")
    assert made["served_from"] is None
    assert made["memory"] is None or "tag" in made["memory"]["why"]


async def test_an_entry_past_its_expiry(cache: Cache) -> None:
    @cache.cached("row", expire=10, stale=60)
    async def get_row() -> int:
        return 1

    await get_row()
    _core.shift_clock(11)
    made = await cache.explain(get_row.key())
    assert made["served_from"] is None and "past its expiry" in made["why"]


async def test_caching_that_is_turned_off_says_so() -> None:
    made = await Cache("memory://", enabled=False).explain("key")
    assert made["served_from"] is None and "turned off" in made["why"]


@pytest.mark.parametrize("key", ["", 42, None])
async def test_a_key_that_cannot_be_is_refused(cache: Cache, key: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^key: "):
        await cache.explain(key)  # type: ignore[arg-type]


async def test_a_long_key_is_named_as_it_stands(cache: Cache) -> None:
    await cache.set("k" * 2000, 1)
    made = await cache.explain("k" * 2000)
    assert made["served_from"] == "memory" and len(made["key"]) == 512
