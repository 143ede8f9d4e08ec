"""Loaders that do what they should not: change their own key, never return, return when the cache is closed. Nobody else pays for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tiercel import Cache

Change = Callable[[Cache], Awaitable[Any]]


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else str(request.getfixturevalue("redis_server").url())


@pytest.fixture
async def cache(url: str) -> AsyncIterator[Cache]:
    async with Cache(url, op_timeout="5s") as cache:
        yield cache


# ---- its own key


async def announces(cache: Cache) -> None:
    async with cache.writing(keys=["key"]):
        pass


CHANGES: dict[str, Change] = {
    "invalidates": lambda cache: cache.invalidate("key"),
    "deletes": lambda cache: cache.delete("key"),
    "deletes by pattern": lambda cache: cache.delete_pattern("k*"),
    "invalidates its tag": lambda cache: cache.invalidate(tags=["t"]),
    "clears": lambda cache: cache.clear(),
    "writes": announces,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_a_loader_that_invalidates_its_own_key_is_answered_and_not_stored(cache: Cache, change: Change) -> None:
    """What it returns may be older than what it has said by that."""

    async def load() -> str:
        await change(cache)
        return "loaded"

    assert await cache.get_or_load("key", load, tags=["t"]) == "loaded"
    assert not await cache.exists("key")
    assert await cache.get_or_load("key", lambda: "next", tags=["t"]) == "next"
    assert await cache.exists("key")


async def test_a_function_that_invalidates_its_own_call_is_answered_and_not_stored(cache: Cache) -> None:
    calls: list[str] = []

    @cache.cached("a")
    async def by_coroutine(name: str) -> str:
        await by_coroutine.invalidate(name)
        calls.append("async")
        return name

    @cache.cached("b")
    def by_thread(name: str) -> str:
        by_thread.invalidate(name)
        calls.append("def")
        return name

    for _ in range(2):
        assert await by_coroutine("x") == "x"
        assert await asyncio.to_thread(by_thread, "x") == "x"
    assert calls == ["async", "def"] * 2


async def test_a_loader_that_sets_its_own_key_is_answered_and_what_it_set_stays(cache: Cache) -> None:
    async def load() -> str:
        await cache.set("key", "set")
        return "loaded"

    assert await cache.get_or_load("key", load) == "loaded"
    assert await cache.get("key") == "set"


# ---- one that never returns


async def never() -> None:
    await asyncio.Event().wait()


async def test_a_caller_who_gives_up_ends_a_loader_that_never_returns(cache: Cache) -> None:
    ended = asyncio.Event()

    async def load() -> None:
        try:
            await never()
        finally:
            ended.set()

    caller = asyncio.create_task(cache.get_or_load("key", load))
    await asyncio.sleep(0)
    others = [asyncio.create_task(cache.get_or_load("key", load)) for _ in range(3)]
    while not cache._require_driver().loads:
        await asyncio.sleep(0)
    for task in (caller, *others):
        assert not ended.is_set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.wait_for(ended.wait(), 5)
    assert await cache.get_or_load("key", lambda: "next") == "next"


async def test_a_hard_timeout_ends_it_for_a_function(cache: Cache) -> None:
    @cache.cached("row", hard_timeout="50ms")
    async def row() -> None:
        await never()

    with pytest.raises(TimeoutError):
        await row()
    assert await cache.get_or_load("row", lambda: "next") == "next"


async def test_other_keys_go_on_beside_it(cache: Cache) -> None:
    stuck = asyncio.create_task(cache.get_or_load("stuck", never))
    assert await cache.get_or_load("key", lambda: 1) == 1
    assert await cache.invalidate("stuck", "key")  # seals it: who comes now does not wait for it
    assert await asyncio.wait_for(cache.get_or_load("stuck", lambda: "next"), 5) == "next"
    stuck.cancel()


# ---- one that returns when the cache is closed


async def test_what_a_loader_returns_after_the_cache_was_closed_is_answered(url: str) -> None:
    cache, begun, may_end = Cache(url), asyncio.Event(), asyncio.Event()

    async def load() -> str:
        begun.set()
        await may_end.wait()
        return "late"

    await cache.connect()
    callers = [asyncio.create_task(cache.get_or_load("key", load)) for _ in range(3)]
    await begun.wait()
    await cache.disconnect()
    may_end.set()
    assert await asyncio.wait_for(asyncio.gather(*callers), 5) == ["late"] * 3
    await cache.disconnect()


async def test_a_def_that_returns_after_the_cache_was_closed_is_answered(url: str) -> None:
    cache, begun, may_end = Cache(url), threading.Event(), threading.Event()

    @cache.cached("row")
    def row() -> str:
        begun.set()
        assert may_end.wait(10)
        return "late"

    await cache.connect()
    caller = asyncio.get_running_loop().run_in_executor(None, row)
    assert await asyncio.to_thread(begun.wait, 10)
    await cache.disconnect()
    may_end.set()
    assert await asyncio.wait_for(caller, 5) == "late"
    await cache.disconnect()


async def test_a_closed_cache_that_is_asked_again_opens_again(url: str) -> None:
    cache = Cache(url)
    await cache.connect()
    await cache.disconnect()
    assert await cache.get_or_load("key", lambda: "loaded") == "loaded"
    await cache.disconnect()
