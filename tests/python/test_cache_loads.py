"""One load per key in a process: who starts it, who waits, who leaves, and what each of them gets."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from typing import Any

import pytest

from tiercel import MISSING, Cache


@pytest.fixture
def cache() -> Cache:
    return Cache("memory://")


class Loader:
    """Counts its calls, and returns when it is let."""

    def __init__(self, value: Any = 1) -> None:
        self.calls = 0
        self.cancelled = 0
        self.value = value
        self.may_return = asyncio.Event()

    async def __call__(self) -> Any:
        self.calls += 1
        try:
            await self.may_return.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_hundred_callers_of_a_cold_key_make_one_load(cache: Cache) -> None:
    load = Loader({"id": 1})
    calls = [asyncio.create_task(cache.get_or_load("key", load)) for _ in range(100)]
    await settle()
    load.may_return.set()
    assert await asyncio.gather(*calls) == [{"id": 1}] * 100
    assert load.calls == 1
    assert cache.stats().joined == 99
    assert await cache.get_or_load("key", load) == {"id": 1} and load.calls == 1


async def test_who_joined_gets_a_copy_of_its_own(cache: Cache) -> None:
    load = Loader([1])
    load.may_return.set()
    first, second = await asyncio.gather(cache.get_or_load("key", load), cache.get_or_load("key", load))
    assert first == second and first is not second


@pytest.mark.parametrize("leaver", [0, 1, 2])
async def test_cancelling_a_waiter_the_first_too_harms_no_other(cache: Cache, leaver: int) -> None:
    load = Loader()
    calls = [asyncio.create_task(cache.get_or_load("key", load)) for _ in range(3)]
    await settle()
    calls[leaver].cancel()
    await settle()
    assert calls[leaver].cancelled() and load.cancelled == 0
    load.may_return.set()
    stayed = [call for i, call in enumerate(calls) if i != leaver]
    assert await asyncio.gather(*stayed) == [1, 1]
    assert load.calls == 1


async def test_the_last_to_leave_cancels_the_load(cache: Cache) -> None:
    load = Loader()
    calls = [asyncio.create_task(cache.get_or_load("key", load)) for _ in range(2)]
    await settle()
    for call in calls:
        call.cancel()
    await settle()
    assert load.cancelled == 1
    load.may_return.set()
    assert await cache.get_or_load("key", load) == 1 and load.calls == 2


async def test_a_load_that_may_outlive_its_callers_goes_on_and_is_stored(cache: Cache) -> None:
    from tiercel._types import Loaded

    done = asyncio.Event()

    async def load() -> Loaded:
        await done.wait()
        return Loaded("value", cache._codecs.encode(5), cache._codecs.id, 60.0)

    call = asyncio.ensure_future(cache._get_or_load("key", load, behind=True))
    await settle()
    call.cancel()
    await settle()
    done.set()
    await settle()
    assert await cache.get("key") == 5


async def test_a_failure_reaches_all_who_wait_and_is_not_stored(cache: Cache) -> None:
    load = Loader(KeyError("no such user"))
    calls = [asyncio.create_task(cache.get_or_load("key", load)) for _ in range(3)]
    await settle()
    load.may_return.set()
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(failure) for failure in failures] == [KeyError] * 3
    assert load.calls == 1
    assert await cache.get("key", default=MISSING) is MISSING


async def test_when_it_fails_after_the_first_has_left_the_next_ones_own_loader_runs(cache: Cache) -> None:
    first, second = Loader(KeyError("first")), Loader("second")
    second.may_return.set()
    left = asyncio.create_task(cache.get_or_load("key", first))
    await settle()
    stayed = asyncio.create_task(cache.get_or_load("key", second))
    await settle()
    left.cancel()
    await settle()
    first.may_return.set()
    assert await stayed == "second"
    assert (first.calls, second.calls) == (1, 1)


async def test_a_loader_that_cancels_itself_cancels_its_caller_only(cache: Cache) -> None:
    async def load() -> int:
        raise asyncio.CancelledError

    other = Loader("other")
    other.may_return.set()
    call = asyncio.create_task(cache.get_or_load("key", load))
    joined = asyncio.create_task(cache.get_or_load("key", other))
    assert await joined == "other"
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_plain_function_may_load(cache: Cache) -> None:
    assert await cache.get_or_load("key", lambda: 3) == 3
    assert await cache.get("key") == 3


async def test_what_has_no_bytes_is_answered_and_not_stored(cache: Cache) -> None:
    value = object()
    assert await cache.get_or_load("key", lambda: value) is value
    assert await cache.get("key", default=MISSING) is MISSING


async def test_a_load_sees_a_copy_of_the_first_callers_context(cache: Cache) -> None:
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request")
    request.set("first")

    async def load() -> str:
        seen = request.get()
        request.set("changed by the load")
        return seen

    assert await cache.get_or_load("key", load) == "first"
    assert request.get() == "first"


async def test_a_load_carries_tags(cache: Cache) -> None:
    await cache.get_or_load("key", lambda: 1, tags=["t"])
    await cache.invalidate(tags=["t"])
    assert await cache.get("key") is None


async def test_an_invalidation_during_the_load_keeps_its_value_out(cache: Cache) -> None:
    load = Loader("old")
    call = asyncio.create_task(cache.get_or_load("key", load))
    await settle()
    await cache.invalidate("key")
    load.may_return.set()
    assert await call == "old"
    assert await cache.get("key", default=MISSING) is MISSING


async def test_operations_are_coroutines_to_asyncio(cache: Cache) -> None:
    await cache.set("key", 1)
    assert asyncio.iscoroutine(operation := cache.get("key"))
    assert await asyncio.create_task(operation) == 1
    assert await asyncio.gather(cache.get("key"), cache.get("nothing"), cache.get("key", fresh="now")) == [1, None, 1]
    assert await asyncio.wait_for(cache.get("key"), 1) == 1
    assert await asyncio.shield(cache.get("key")) == 1


async def test_an_operation_does_nothing_until_awaited_and_says_when_it_never_was(cache: Cache) -> None:
    operation = cache._invalidate(["key"], [])
    await cache.set("key", 1)
    with pytest.warns(RuntimeWarning, match=r"Cache\.invalidate' was never awaited"):
        del operation
    assert await cache.get("key") == 1
    operation = cache._invalidate(["key"], [])
    operation.close()
    with pytest.raises(RuntimeError, match="already awaited"):
        await operation


def test_an_operation_outside_of_a_loop_says_so() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        Cache("memory://").get("key").send(None)


async def test_nothing_is_left_of_operations_that_have_ended(cache: Cache) -> None:
    load = Loader()
    calls = [asyncio.create_task(cache.get_or_load(f"key{i % 7}", load)) for i in range(50)]
    await settle()
    for call in calls[::2]:
        call.cancel()
    load.may_return.set()
    await asyncio.gather(*calls, return_exceptions=True)
    await settle()
    driver = cache._require_driver()
    assert driver._waiting == 0 and driver.loads == {}


async def test_a_failed_load_is_not_kept_alive(cache: Cache) -> None:
    import weakref

    class Failure(Exception):
        pass

    async def load() -> None:
        raise Failure

    try:
        await cache.get_or_load("key", load)
    except Failure as failure:
        trace = weakref.ref(failure)
    gc.collect()
    assert trace() is None


async def test_the_expiry_may_depend_on_the_result(cache: Cache) -> None:
    for value, expire, left in (("short", "1m", 60.0), ("long", 3600, 3600.0), ("ever", None, None)):
        asked: list[Any] = []

        def of_result(result: Any, asked: list[Any] = asked, expire: Any = expire) -> Any:
            asked.append(result)
            return expire

        assert await cache.get_or_load(value, lambda value=value: value, expire=of_result) == value
        assert await cache.ttl(value) == (left if left is None else pytest.approx(left, abs=1)) and asked == [value]


@pytest.mark.parametrize("expire", [0, -5])
async def test_an_expiry_of_the_result_that_is_not_above_zero_answers_all_and_keeps_nothing(
    cache: Cache, expire: int
) -> None:
    load = Loader([1])
    calls = [asyncio.create_task(cache.get_or_load("key", load, expire=lambda result: expire)) for _ in range(3)]
    await settle()
    load.may_return.set()
    assert await asyncio.gather(*calls) == [[1]] * 3 and load.calls == 1
    assert not await cache.exists("key")


async def test_an_expiry_of_the_result_that_cannot_be_meant_raises(cache: Cache) -> None:
    for expire, error in (("5 parsecs", ValueError), ([1], TypeError)):
        with pytest.raises(error, match="expire"):
            await cache.get_or_load("key", lambda: 1, expire=lambda result, expire=expire: expire)  # type: ignore[misc]
    assert await cache.get("key") is None
