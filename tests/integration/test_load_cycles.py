"""Loaders that come back to their own key: an error that names the keys on the way, at once, and no wait without end."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.waiting import eventually
from tiercel import Cache, LoadCycle


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_server").url()
    async with Cache(url, op_timeout="5s") as cache:
        yield cache


async def refused(asked: Any) -> tuple[str, ...]:
    with pytest.raises(LoadCycle) as caught:
        await asyncio.wait_for(asked, 5)
    for key in caught.value.keys:
        assert repr(key) in str(caught.value)
    return caught.value.keys


async def test_a_loader_that_asks_for_its_own_key(cache: Cache) -> None:
    async def load() -> Any:
        return await cache.get_or_load("user:1", load)

    assert await refused(cache.get_or_load("user:1", load)) == ("user:1", "user:1")
    assert await cache.get_or_load("user:1", lambda: "of another loader") == "of another loader"


async def test_a_cached_function_that_calls_itself(cache: Cache) -> None:
    @cache.cached("row")
    async def row(name: str) -> Any:
        return await row(name)

    assert await refused(row("a")) == ("row:a", "row:a")


async def test_a_cached_def_in_a_thread_that_calls_itself(cache: Cache) -> None:
    @cache.cached("row")
    def row(name: str) -> Any:
        return row(name)

    assert await refused(asyncio.to_thread(row, "a")) == ("row:a", "row:a")


async def test_functions_that_call_each_other(cache: Cache) -> None:
    @cache.cached("a")
    async def a(name: str) -> Any:
        return await b(name)

    @cache.cached("b")
    async def b(name: str) -> Any:
        return await asyncio.to_thread(c, name)

    @cache.cached("c")
    def c(name: str) -> Any:
        return asyncio.run(a(name))

    assert await refused(a("x")) == ("a:x", "b:x", "c:x", "a:x")


async def test_a_loader_that_gathers_itself(cache: Cache) -> None:
    async def load() -> Any:
        return await asyncio.gather(cache.get_or_load("other", lambda: 1), cache.get_or_load("key", load))

    assert await refused(cache.get_or_load("key", load)) == ("key", "key")


async def test_two_chains_that_wait_for_each_other(cache: Cache) -> None:
    """Neither comes back to its own key: each waits for what the other loads."""
    at_its_place = {"a": asyncio.Event(), "b": asyncio.Event()}

    async def load(own: str, other: str) -> Any:
        at_its_place[own].set()
        await at_its_place[other].wait()
        return await cache.get_or_load(other, lambda: load(other, own))

    chains = [
        asyncio.create_task(cache.get_or_load("a", lambda: load("a", "b"))),
        asyncio.create_task(cache.get_or_load("b", lambda: load("b", "a"))),
    ]
    ends = await asyncio.wait_for(asyncio.gather(*chains, return_exceptions=True), 5)
    assert all(isinstance(end, LoadCycle) for end in ends)
    assert {key for end in ends for key in end.keys} == {"a", "b"}


async def test_recursion_over_other_keys_is_none(cache: Cache) -> None:
    @cache.cached("fib")
    async def fib(n: int) -> int:
        return n if n < 2 else await fib(n - 1) + await fib(n - 2)

    assert await fib(60) == 1548008755920


async def test_two_loaders_may_ask_for_the_same_third(cache: Cache) -> None:
    may_end = asyncio.Event()

    async def third() -> str:
        await may_end.wait()
        return "third"

    def load() -> Any:
        return cache.get_or_load("third", third)

    asked = [asyncio.create_task(cache.get_or_load(key, load)) for key in ("a", "b", "a", "b")]
    await eventually(lambda: cache._driver is not None and "third" in cache._driver.loading)
    may_end.set()
    assert await asyncio.gather(*asked) == ["third"] * 4


async def test_a_task_that_a_loader_leaves_behind_may_ask_for_the_key(cache: Cache) -> None:
    left: list[asyncio.Task[Any]] = []
    may_ask = asyncio.Event()

    async def later() -> Any:
        await may_ask.wait()
        await cache.delete("key")
        return await cache.get_or_load("key", lambda: "of the task")

    async def load() -> str:
        left.append(asyncio.create_task(later()))
        return "of the loader"

    assert await cache.get_or_load("key", load) == "of the loader"
    may_ask.set()
    assert await left[0] == "of the task"


async def test_a_value_in_memory_may_be_read_by_its_own_refresh(cache: Cache) -> None:
    await cache.set("key", "old")

    async def load() -> Any:
        return await cache.get_or_load("key", lambda: "not called") + " and new"

    outcome = await cache._get_or_load("key", _loaded(load), skip_value=True)
    assert outcome.kind == "loaded"


async def test_one_key_in_two_caches_is_two_keys(cache: Cache) -> None:
    async with Cache("memory://") as other:

        async def load() -> Any:
            return await other.get_or_load("key", lambda: "of the other cache")

        assert await cache.get_or_load("key", load) == "of the other cache"


async def test_nothing_of_a_load_stays_behind(cache: Cache) -> None:
    async def load() -> Any:
        return await cache.get_or_load("inner", lambda: 1)

    await cache.get_or_load("outer", load)
    await refused(cache.get_or_load("self", lambda: cache.get_or_load("self", load)))
    assert cache._require_driver().loading == {} and cache._require_driver().loads == {}


def test_the_error_survives_pickling_as_processes_pass_it_on() -> None:
    error = pickle.loads(pickle.dumps(LoadCycle(["a", "b", "a"])))
    assert error.keys == ("a", "b", "a") and isinstance(error, RuntimeError)


def _loaded(load: Any) -> Any:
    from tiercel._types import Loaded

    async def run() -> Loaded:
        return Loaded("value", (await load()).encode())

    return run
