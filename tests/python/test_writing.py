"""`cache.writing(…)` in one process: what it holds off, how it ends, what it refuses, whatever becomes of its block."""

from __future__ import annotations

import asyncio
import copy
import gc
import threading
from typing import Any

import pytest

from support.runs import in_loop
from support.waiting import eventually
from tiercel import Cache
from tiercel._writing import Writing


@pytest.fixture
def cache() -> Cache:
    return Cache("memory://")


async def stored(cache: Cache, key: str, tags: tuple[str, ...] = ()) -> bool:
    """Whether a load of now is kept."""
    await cache.get_or_load(key, lambda: "loaded", tags=tags)
    return await cache.exists(key)


async def test_what_it_names_is_gone_at_once_and_not_stored_before_its_end(cache: Cache) -> None:
    await cache.set("user:42", "old", tags=["users"])
    async with cache.writing(keys=["user:42"], tags=["lists"]) as write:
        assert write.announced
        assert not await cache.exists("user:42")
        assert await cache.get_or_load("user:42", lambda: "of before the commit") == "of before the commit"
        assert not await cache.exists("user:42")
        assert not await stored(cache, "list:1", ("lists",))
        assert await stored(cache, "other")
    assert write.held and write.confirmed
    assert await stored(cache, "user:42") and await stored(cache, "list:1", ("lists",))


async def test_a_tag_takes_what_carries_it_at_the_begin_and_at_the_end(cache: Cache) -> None:
    await cache.set("a", 1, tags=["t"])
    async with cache.writing(tags=["t"]):
        assert await cache.get("a") is None
        await cache.set("a", 2, tags=["t"])
    assert await cache.get("a") is None


async def test_it_ends_after_an_exception_which_goes_its_way(cache: Cache) -> None:
    write = cache.writing(keys=["key"])
    with pytest.raises(ZeroDivisionError):
        async with write:
            raise ZeroDivisionError
    assert write.held and write.confirmed
    assert await stored(cache, "key")


async def test_it_ends_after_a_cancellation(cache: Cache) -> None:
    inside = asyncio.Event()
    write = cache.writing(keys=["key"])

    async def works() -> None:
        async with write:
            inside.set()
            await asyncio.sleep(30)

    task = asyncio.create_task(works())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert write.held and write.confirmed
    assert await stored(cache, "key")


async def test_nested_and_overlapping_writes_hold_until_the_last_has_ended(cache: Cache) -> None:
    async with cache.writing(keys=["key"]) as outer:
        async with cache.writing(keys=["key"]) as inner:
            assert not await stored(cache, "key")
        assert not await stored(cache, "key")
    assert inner.held and outer.held
    first, second = cache.writing(keys=["key"]), cache.writing(keys=["key", "other"])
    await first.__aenter__()
    await second.__aenter__()
    await first.__aexit__(None, None, None)
    assert not await stored(cache, "key")
    await second.__aexit__(None, None, None)
    assert await stored(cache, "key")


async def test_one_that_is_dropped_without_its_end_ends(cache: Cache) -> None:
    write: Writing | None = cache.writing(keys=["key"])
    await write.__aenter__()  # type: ignore[union-attr]
    assert not await stored(cache, "key")
    del write
    gc.collect()
    await asyncio.sleep(0.01)
    assert await stored(cache, "key")


async def test_an_object_is_for_one_block(cache: Cache) -> None:
    write = cache.writing(keys=["key"])
    async with write:
        pass
    with pytest.raises(RuntimeError, match="one block"):
        async with write:
            pass


def test_in_a_thread_without_a_loop_it_is_a_plain_with(cache: Cache) -> None:
    with cache.writing(keys=["key"]) as write:
        assert write.announced and not write.held
    assert write.held and write.confirmed
    with pytest.raises(ZeroDivisionError), cache.writing(keys=["key"]) as write:
        raise ZeroDivisionError
    assert write.held and write.confirmed

    async def on_a_loop() -> None:
        with pytest.raises(RuntimeError, match="async with"), cache.writing(keys=["key"]):
            pass

    in_loop(on_a_loop)


def test_a_loop_may_end_within_the_block_and_another_end_it(cache: Cache) -> None:
    write = cache.writing(keys=["key"])
    in_loop(write.__aenter__)
    in_loop(lambda: write.__aexit__(None, None, None))
    assert write.held and write.confirmed

    async def after() -> None:
        assert await stored(cache, "key")

    in_loop(after)


async def test_a_write_begun_in_a_test_of_its_own_ends_outside_of_it(cache: Cache) -> None:
    write = cache.writing(keys=["key"])
    with cache.testing():
        await write.__aenter__()
    await write.__aexit__(None, None, None)
    assert write.confirmed and not write.held
    assert await stored(cache, "key")


@pytest.mark.parametrize(
    ("names", "error", "named"),
    [
        ({}, ValueError, "^keys, tags: neither"),
        ({"keys": [], "tags": ()}, ValueError, "^keys, tags: neither"),
        ({"keys": "user:42"}, TypeError, "^keys: expected a list of keys, not one str"),
        ({"keys": b"user:42"}, TypeError, "^keys: expected a list of keys, not one bytes"),
        ({"keys": 42}, TypeError, "^keys: expected a list"),
        ({"keys": [42]}, TypeError, "^key: expected a str or bytes, not int"),
        ({"keys": [""]}, ValueError, "^key: it is empty"),
        ({"tags": "users"}, TypeError, "^tags: expected a list of str, not one str"),
        ({"tags": [b"users"]}, TypeError, "^tags: expected a str, not bytes"),
        ({"tags": [""]}, ValueError, "^tags: it is empty"),
        ({"tags": ["x" * (512 << 10)]}, ValueError, "^tags: 524288 bytes, the limit is 1024"),
        ({"tags": [f"t{i}" for i in range(65)]}, ValueError, "^tags: 65 of them"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(cache: Cache, names: Any, error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=named):
        cache.writing(**names)


async def test_names_said_twice_are_one(cache: Cache) -> None:
    async with cache.writing(keys=["key", "key", b"key"], tags=["t"] * 65) as write:
        pass
    assert write.held and await stored(cache, "key", ("t",))


async def test_keys_beyond_512_bytes_are_named_as_everywhere(cache: Cache) -> None:
    long = "k" * 2000
    async with cache.writing(keys=[long]):
        assert not await stored(cache, long)
    assert await stored(cache, long)


async def test_an_object_that_was_copied_ends_once_and_the_copy_invalidates(cache: Cache) -> None:
    write = cache.writing(keys=["key"])
    await write.__aenter__()
    twin = copy.copy(write)
    await write.__aexit__(None, None, None)
    await cache.set("key", 1)
    await twin.__aexit__(None, None, None)
    assert twin.confirmed and not await cache.exists("key")


async def test_one_that_ends_on_another_engine_is_withdrawn_where_it_began(cache: Cache) -> None:
    write = cache.writing(keys=["key"])
    await write.__aenter__()
    with cache.testing():
        await write.__aexit__(None, None, None)
    await eventually(lambda: cache._require_driver()._owner is not None)
    await asyncio.sleep(0)  # the withdrawal is posted
    assert await stored(cache, "key")


async def test_an_answer_that_comes_as_it_is_given_up_is_not_cancelled() -> None:
    """The owner answers between the last look and the giving up: what it has begun is the caller's to end."""
    cache = Cache("memory://", op_timeout=0.05)
    await cache.set("warm", 1)
    driver = cache._require_driver()
    looking, answered = threading.Event(), threading.Event()

    class Loads(dict[Any, Any]):
        """Asked for after the last look: the owner answers this moment."""

        def values(self) -> Any:
            if threading.current_thread() is not threading.main_thread():
                looking.set()
                assert answered.wait(10)
            return super().values()

    driver.loads = Loads()

    def write() -> bool | None:
        with cache.writing(keys=["key"]) as writing:
            assert writing.announced
        return writing.held

    thread = asyncio.get_running_loop().run_in_executor(None, write)
    assert looking.wait(10)  # this loop, the owner, is blocked until the thread's patience is over
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answered.set()
    assert await thread is True
    assert await stored(cache, "key")
