"""Events: declared, by methods, or both; and what their handlers may name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tiercel import Cache
from tiercel._invalidation import Invalidation
from tiercel._invalidator import CacheInvalidator
from tiercel._types import Pattern, Tag


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    async with Cache("memory://") as cache:
        for key in ("user:1", "user:2", "users_list:0", "users_list:1", "order:1", "order:2"):
            await cache.set(key, key, tags=["orders-of:" + key[-1]] if key.startswith("order") else [])
        yield cache


async def left(cache: Cache) -> set[str]:
    keys = ("user:1", "user:2", "users_list:0", "users_list:1", "order:1", "order:2")
    return set(await cache.get_many(keys))  # type: ignore[arg-type]


async def test_a_declared_event_drops_keys_patterns_and_tags(cache: Cache) -> None:
    invalidator = CacheInvalidator(cache)

    @invalidator.on("user_updated")
    def _(user_id: str) -> Any:
        return [f"user:{user_id}", Pattern("users_list:*"), Tag(f"orders-of:{user_id}")]

    assert await invalidator.emit("user_updated", user_id="1") == Invalidation.CONFIRMED
    assert await left(cache) == {"user:2", "order:2"}


async def test_a_method_may_do_it_itself_or_name_it(cache: Cache) -> None:
    class Invalidator(CacheInvalidator):
        async def on_user_updated(self, user_id: str) -> None:
            await self.cache.delete(f"user:{user_id}")
            await self.cache.delete_pattern("users_list:*")

        def on_order_placed(self, user_id: str) -> Tag:
            return Tag(f"orders-of:{user_id}")

    invalidator = Invalidator(cache)
    await invalidator.emit("user_updated", user_id="1")
    await invalidator.emit("order_placed", user_id="2")
    assert await left(cache) == {"user:2", "order:1"}


async def test_emit_runs_both_ways_and_all_handlers_sync_and_async(cache: Cache) -> None:
    class Invalidator(CacheInvalidator):
        def on_changed(self) -> str:
            return "user:1"

    invalidator = Invalidator(cache)

    @invalidator.on("changed")
    async def _() -> Any:
        return ["user:2", None, ("order:1", {b"order:2"}), (key for key in ["users_list:0"])]

    @invalidator.on("changed")
    def _() -> None:
        return None

    await invalidator.emit("changed")
    assert await left(cache) == {"users_list:1"}


async def test_a_subclass_need_not_call_our_constructor(cache: Cache) -> None:
    class Invalidator(CacheInvalidator):
        def __init__(self, cache: Cache) -> None:
            self.cache = cache

    invalidator = Invalidator(cache)
    invalidator.on("changed")(lambda: "user:1")
    await invalidator.emit("changed")
    assert "user:1" not in await left(cache)


async def test_an_unknown_event_is_a_value_error_that_names_the_known(cache: Cache) -> None:
    class Invalidator(CacheInvalidator):
        def on_b(self) -> None: ...

    invalidator = Invalidator(cache)
    with pytest.raises(ValueError, match=r"'c' is not known; known are b$"):
        await invalidator.emit("c")
    invalidator.on("a")(lambda: None)
    assert invalidator.events == ["a", "b"]
    with pytest.raises(ValueError, match="known are a, b"):
        await invalidator.emit("c")
    with pytest.raises(ValueError, match="declare them"):
        await CacheInvalidator(cache).emit("c")


async def test_one_round_trip_takes_keys_and_tags_and_each_thing_goes_once(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    invalidator = CacheInvalidator(cache)
    invalidator.on("changed")(lambda: ["user:1", Tag("t"), Pattern("users_list:*")])
    invalidator.on("changed")(lambda: [Tag("t"), "user:1", "user:2", Pattern("users_list:*")])
    asked: list[Any] = []

    class Recording:
        token = cache.token

        async def _invalidate(self, keys: Any, tags: Any) -> Any:
            asked.append((keys, tags))
            return await cache._invalidate(keys, tags)

        async def _invalidate_matching(self, pattern: str) -> Any:
            asked.append(pattern)
            return await cache._invalidate_matching(pattern)

    monkeypatch.setattr(invalidator, "cache", Recording())
    await invalidator.emit("changed")
    assert asked == [(["user:1", "user:2"], ["t"]), "users_list:*"]


async def test_a_handler_that_raises_does_not_keep_the_others_from_being_heard(cache: Cache) -> None:
    invalidator = CacheInvalidator(cache)

    @invalidator.on("changed")
    def _() -> None:
        raise RuntimeError("no luck")

    invalidator.on("changed")(lambda: ["user:1"])
    with pytest.raises(RuntimeError, match="no luck"):
        await invalidator.emit("changed")
    assert "user:1" not in await left(cache)


@pytest.mark.parametrize("answer", [5, {"user:1": 1}, object(), [["user:2", 5]]])
async def test_a_handler_that_returns_something_else_is_a_type_error(cache: Cache, answer: Any) -> None:
    invalidator = CacheInvalidator(cache)
    invalidator.on("changed")(lambda: ["user:1", answer])
    with pytest.raises(TypeError, match=r"'changed': a handler returned a .*expected keys, Pattern, Tag"):
        await invalidator.emit("changed")
    assert "user:1" not in await left(cache)


def test_an_event_has_a_name_and_a_handler_is_callable() -> None:
    invalidator = CacheInvalidator(Cache("memory://"))
    with pytest.raises(ValueError, match="'user updated' is not a name"):
        invalidator.on("user updated")
    with pytest.raises(TypeError, match="not callable"):
        invalidator.on("changed")("user:1")  # type: ignore[type-var]
