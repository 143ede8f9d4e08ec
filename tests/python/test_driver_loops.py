"""Who owns an engine: several event loops, threads, blocked and closed owners. On memory://; the same over Redis in tests/integration."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.waiting import eventually
from tiercel import Cache, _sync
from tiercel._driver import Driver
from tiercel._types import Loaded


@pytest.fixture
def cache() -> Cache:
    return Cache("memory://", op_timeout=0.2)


class Other:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Any, timeout: float = 10) -> Any:
        async def awaited() -> Any:
            return await coroutine

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(timeout)

    def close(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()


@pytest.fixture
def other() -> Iterator[Other]:
    made = Other()
    yield made
    made.close()


def loaded(cache: Cache, value: Any) -> Loaded:
    return Loaded("value", cache._codecs.encode(value), cache._codecs.id, 60.0)


def test_a_hundred_loops_one_after_the_other_hit_from_the_second_on(cache: Cache) -> None:
    calls = []

    async def request() -> int:
        return await cache.get_or_load("key", lambda: calls.append(1) or 7)

    assert [asyncio.run(request()) for _ in range(100)] == [7] * 100
    assert len(calls) == 1 and cache.stats().hits == 99


def test_another_loop_gets_and_loads_through_the_owner(cache: Cache, other: Other) -> None:
    other.run(cache.set("key", 1))
    owner = cache._require_driver()._owner
    assert owner is other.loop

    async def here() -> None:
        where: list[Any] = []

        async def load() -> int:
            where.append(asyncio.get_running_loop())
            return 2

        assert await cache.get("key") == 1  # memory is everybody's
        assert await cache.get("key", fresh="now") == 1  # through the owner
        assert await cache.get_or_load("other", load) == 2
        assert where == [asyncio.get_running_loop()]  # a loader runs in its caller's loop
        assert await cache.delete("key") == 1

    asyncio.run(here())
    assert cache._require_driver()._owner is owner
    assert other.run(cache.get("other")) == 2


def test_callers_in_two_loops_share_one_load(cache: Cache, other: Other) -> None:
    other.run(cache.set("warm", 1))
    calls: list[int] = []

    async def load() -> int:
        calls.append(1)
        await asyncio.sleep(0.1)
        return 3

    async def here() -> int:
        theirs = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(cache.get_or_load("key", load), other.loop))
        ours = await cache.get_or_load("key", load)
        assert await theirs == 3
        return ours

    assert asyncio.run(here()) == 3
    assert len(calls) == 1


def test_a_failure_and_a_cancellation_cross_loops(cache: Cache, other: Other) -> None:
    other.run(cache.set("warm", 1))
    begun = asyncio.Event()
    cancelled: list[int] = []

    async def fails() -> None:
        raise KeyError("there")

    async def hangs() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def here() -> None:
        with pytest.raises(KeyError, match="there"):
            await cache.get_or_load("a", fails)
        call = asyncio.create_task(cache.get_or_load("b", hangs))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        while not cancelled:
            await asyncio.sleep(0.001)

    asyncio.run(here())


def test_a_blocked_owner_costs_one_budget_and_then_the_loader_runs(cache: Cache, other: Other) -> None:
    other.run(cache.set("key", 1))
    awake = threading.Event()
    other.loop.call_soon_threadsafe(awake.wait, 20)

    async def here() -> None:
        began = time.monotonic()
        assert await cache.get("key") == 1  # memory asks nobody
        assert await cache.get("nothing") is None
        assert await cache.get_or_load("cold", lambda: 5) == 5
        assert not await cache.invalidate("key")  # pending: said, not yet done
        assert await cache.get("key") is None
        assert 0.5 < time.monotonic() - began < 5

    try:
        asyncio.run(here())
    finally:
        awake.set()
    other.run(asyncio.sleep(0))
    assert other.run(cache.get("cold")) is None  # what ran without a lease is stored nowhere


def test_an_owner_that_blocks_during_the_load_costs_no_second_load(cache: Cache, other: Other) -> None:
    other.run(cache.set("warm", 1))
    awake = threading.Event()
    calls: list[int] = []

    async def load() -> int:
        calls.append(1)
        other.loop.call_soon_threadsafe(awake.wait, 20)
        await asyncio.sleep(0.01)
        return 5

    async def here() -> None:
        assert await asyncio.wait_for(cache.get_or_load("key", load), 10) == 5
        awake.set()

    asyncio.run(here())
    assert len(calls) == 1


def test_when_the_owner_is_closed_the_next_loop_takes_over(cache: Cache, other: Other) -> None:
    other.run(cache.set("key", 1))
    other.close()

    async def here() -> None:
        assert await cache.get("key", fresh="now") == 1
        assert cache._require_driver()._owner is asyncio.get_running_loop()
        assert await cache.get_or_load("cold", lambda: 5) == 5

    asyncio.run(here())


def test_a_loop_that_ends_with_a_load_in_flight_leaves_nobody_hanging(cache: Cache, other: Other) -> None:
    begun = threading.Event()

    async def hangs() -> None:
        begun.set()
        await asyncio.sleep(60)

    async def ends() -> None:
        call = asyncio.create_task(cache.get_or_load("key", hangs))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        assert not call.done()

    async def waits() -> Any:
        return await cache.get_or_load("key", lambda: 9)

    joined = ThreadPoolExecutor(1).submit(lambda: (begun.wait(), other.run(waits()))[1])
    asyncio.run(ends())
    assert joined.result(10) == 9


def test_a_load_of_a_loop_closed_without_ceremony_does_not_hold_up_the_next(cache: Cache) -> None:
    async def hangs() -> None:
        await asyncio.sleep(60)

    async def begins() -> asyncio.Task[Any]:
        call = asyncio.create_task(cache.get_or_load("key", hangs))
        await asyncio.sleep(0.01)
        return call

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # asyncio says of both tasks that they were destroyed while pending
    call = loop.run_until_complete(begins())
    loop.close()

    async def here() -> int:
        return await asyncio.wait_for(cache.get_or_load("key", lambda: 9), 5)

    assert asyncio.run(here()) == 9
    assert not call.done()


def test_a_load_of_a_loop_that_stopped_does_not_hold_up_the_next_owner(cache: Cache) -> None:
    loop = asyncio.new_event_loop()
    call = loop.run_until_complete(_begin_to_hang(cache))  # and the loop is neither run again nor closed

    async def here() -> int:
        return await asyncio.wait_for(cache.get_or_load("key", lambda: 9), 5)

    assert asyncio.run(here()) == 9
    call.cancel()
    loop.run_until_complete(asyncio.wait([call]))
    loop.close()


def test_a_load_of_another_loop_closed_without_ceremony_does_not_hold_up_the_owner(cache: Cache, other: Other) -> None:
    other.run(cache.set("warm", 1))
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    call = loop.run_until_complete(_begin_to_hang(cache))
    loop.close()
    assert other.run(cache.get_or_load("key", lambda: 9), 5) == 9
    assert not call.done()


def test_a_threads_load_that_ended_while_no_owner_ran_frees_its_key(cache: Cache) -> None:
    begun, go = threading.Event(), threading.Event()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(cache.set("warm", 1))

    def load() -> Loaded:
        begun.set()
        go.wait(10)
        return loaded(cache, 1)

    async def until_begun() -> None:
        await eventually(begun.is_set)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_sync.get_or_load, cache, "key", load)
        loop.run_until_complete(until_begun())  # and then the owner stops
        go.set()
        assert first.result(10).payload is not None

    async def here() -> int:
        return await asyncio.wait_for(cache.get_or_load("key", lambda: 9), 5)

    assert asyncio.run(here()) in (1, 9)
    loop.close()


def test_a_disconnect_that_crosses_a_takeover_leaves_an_engine_that_can_be_owned(cache: Cache) -> None:
    _sync.get_or_load(cache, "warm", lambda: loaded(cache, 1))
    driver = cache._require_driver()
    background = driver._owner
    assert background is not None

    async def here() -> None:
        background.call_soon_threadsafe(time.sleep, 0.02)  # both wait for it
        await asyncio.gather(cache.disconnect(), cache.get("a"))
        assert await cache.set("key", 1)
        await eventually(lambda: driver._owner is asyncio.get_running_loop())

    asyncio.run(here())


async def _begin_to_hang(cache: Cache) -> asyncio.Task[Any]:
    begun = asyncio.Event()

    async def hangs() -> None:
        begun.set()
        await asyncio.sleep(60)

    call = asyncio.create_task(cache.get_or_load("key", hangs))
    await begun.wait()
    return call


@pytest.mark.parametrize("how", ["tag", "pattern", "everything"])
def test_an_invalidation_holds_in_this_process_although_the_owner_is_blocked(
    cache: Cache, other: Other, how: str
) -> None:
    other.run(cache.set("user:1", 1, tags=["users"]))
    awake = threading.Event()
    other.loop.call_soon_threadsafe(awake.wait, 20)

    async def here() -> None:
        assert await cache.get("user:1") == 1
        if how == "tag":
            assert not await cache.invalidate(tags=["users"])
        elif how == "pattern":
            await cache.delete_pattern("user:*")
        else:
            await cache.clear()
        assert await cache.get("user:1") is None

    try:
        asyncio.run(here())
    finally:
        awake.set()
    assert other.run(cache.get("user:1")) is None


async def test_a_disconnect_while_it_connects_ends_what_waits_for_the_connection() -> None:
    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    cache = Cache(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", op_timeout=30)
    waiting = [
        asyncio.create_task(cache.get("key")),
        asyncio.create_task(cache.get_or_load("cold", lambda: 7)),
        asyncio.create_task(cache.invalidate("key")),
    ]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in waiting)
    await cache.disconnect()
    got, loaded_value, confirmed = await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert got is None and loaded_value == 7 and not confirmed
    server.close()


def test_many_threads_without_a_loop_share_one_load_in_a_callers_thread(cache: Cache) -> None:
    calls: list[str] = []

    def load() -> Loaded:
        calls.append(threading.current_thread().name)
        time.sleep(0.05)  # allowed: long enough for the other threads to arrive
        return loaded(cache, 4)

    def request(_: int) -> Any:
        outcome = _sync.get_or_load(cache, "key", load)
        assert outcome.payload is not None
        return cache._codecs.decode(outcome.payload)

    with ThreadPoolExecutor(8, thread_name_prefix="worker") as pool:
        assert list(pool.map(request, range(8))) == [4] * 8
    assert len(calls) == 1 and calls[0].startswith("worker")


def test_threads_that_begin_at_once_make_one_engine(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Driver] = []

    def slowly(settings: Any) -> Driver:
        time.sleep(0.02)  # allowed: the other threads arrive meanwhile
        made.append(Driver(settings))
        return made[-1]

    monkeypatch.setattr("tiercel._cache.Driver", slowly)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: _sync.get_or_load(cache, f"key{n}", lambda: loaded(cache, 4)), range(8)))
    assert len(made) == 1


def test_a_thread_waits_for_the_connected_loop_and_not_for_one_of_its_own(cache: Cache, other: Other) -> None:
    other.run(cache.connect())
    assert _sync.get_or_load(cache, "key", lambda: loaded(cache, 4)).kind == "loaded"
    assert cache._require_driver()._owner is other.loop


def test_a_loop_relieves_the_background_thread(cache: Cache) -> None:
    assert (
        _sync.wait(cache, cache._store("key", cache._codecs.encode(1), codec=cache._codecs.id, usable_for=60.0)).kind
        == "stored"
    )
    driver = cache._require_driver()
    background, leave, where = driver._owner, driver.leave, []

    def leaves(**options: Any) -> None:
        if driver._owner is background:
            where.append(threading.current_thread().name)
        leave(**options)

    driver.leave = leaves  # type: ignore[method-assign]

    async def here() -> None:
        assert await cache.get("nothing") is None
        await eventually(lambda: driver._owner is asyncio.get_running_loop() is not background)
        assert await cache.get("key") == 1
        assert await cache.get("key", fresh="now") == 1

    asyncio.run(here())
    assert where == ["tiercel"]  # nobody touches an engine whose owner runs, but that owner


def test_a_failure_in_a_threads_load_is_its_callers(cache: Cache) -> None:
    def load() -> Loaded:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        _sync.get_or_load(cache, "key", load)


def test_a_threads_load_sees_its_callers_context(cache: Cache) -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    name.set("caller")
    seen: list[str] = []

    def load() -> Loaded:
        seen.append(name.get())
        return loaded(cache, 1)

    _sync.get_or_load(cache, "key", load)
    assert seen == ["caller"]


async def test_on_a_loops_own_thread_a_miss_is_uncached_and_said_once(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    def load() -> Loaded:
        raise AssertionError("the caller runs it, not the cache")

    with caplog.at_level(logging.WARNING, "tiercel"):
        for _ in range(3):
            assert _sync.get_or_load(cache, "key", load).kind == "run_loader"
    assert len([record for record in caplog.records if "running event loop" in record.message]) == 1
    await cache.set("key", 1)
    assert _sync.get_or_load(cache, "key", load).kind == "hit"


async def test_a_connection_does_not_keep_the_context_of_who_opened_it() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="none")
    name.set("request")
    seen: list[str] = []
    loop = asyncio.get_running_loop()
    original = loop.create_connection

    async def spy(*arguments: Any, **options: Any) -> Any:
        seen.append(name.get())
        return await original(*arguments, **options)

    loop.create_connection = spy  # type: ignore[method-assign]
    cache = Cache("redis://127.0.0.1:1")
    await cache.get("key")
    await cache.disconnect()
    assert seen and set(seen) == {"none"}
