"""Cached `def` functions: a plain call that returns the value, from threads and on a loop's own thread."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import logging
import threading
import types
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.waiting import eventually
from tiercel import Cache, _codec
from tiercel._codec import UNTYPED


@pytest.fixture
def cache() -> Cache:
    return Cache("memory://")


class Rates:
    def __init__(self, cache: Cache, **options: Any) -> None:
        self.cache = cache
        self.calls: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.answer: Callable[[str], Any] = lambda currency: {currency: 1.0}

        @cache.cached("rates", **options)
        def get(currency: str = "EUR") -> Any:
            self.calls.append(currency)
            self.gate.wait(5)
            return self.answer(currency)

        self.get = get


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def refreshed() -> None:
    """Until no thread refreshes any more; the loop goes on meanwhile, because the threads may wait for it."""
    while any(thread.name == "tiercel-refresh" for thread in threading.enumerate()):
        await asyncio.sleep(0.001)


def test_a_call_returns_the_value(cache: Cache) -> None:
    rates = Rates(cache)
    assert not inspect.iscoroutinefunction(rates.get)
    first, second = rates.get("USD"), rates.get("USD")
    assert first == second == {"USD": 1.0} and first is not second and rates.calls == ["USD"]
    assert rates.get() == rates.get(currency="EUR") == {"EUR": 1.0} and rates.calls == ["USD", "EUR"]
    with pytest.raises(TypeError, match="unexpected keyword argument 'nope'"):
        rates.get(nope=1)


def test_its_methods_are_plain_too(cache: Cache) -> None:
    rates = Rates(cache)
    rates.get()
    assert rates.get.key() == "rates:EUR"
    assert bool(rates.get.invalidate()) is True
    rates.get()
    assert rates.get.refresh() == rates.get.uncached() == {"EUR": 1.0}
    assert rates.get.function() == {"EUR": 1.0} and inspect.isfunction(rates.get.function)
    assert len(rates.calls) == 4


def test_exceptions_come_through_and_are_not_stored(cache: Cache) -> None:
    rates = Rates(cache)

    def fail(currency: str) -> Any:
        raise LookupError(currency)

    rates.answer = fail
    for _ in range(2):
        with pytest.raises(LookupError, match="EUR"):
            rates.get()
    assert len(rates.calls) == 2


def test_what_decodes_lives_until_it_has_decoded(cache: Cache) -> None:
    rates = Rates(cache)
    rates.get()
    alive: list[bool] = []

    def decode(payload: bytes) -> str:
        rates.get._set_codec(types.SimpleNamespace(id=UNTYPED.id, decode=str))  # as another thread's first call does
        alive.append(decoder() is not None)
        return "decoded"

    codec = types.SimpleNamespace(id=UNTYPED.id, decode=functools.partial(decode))
    decoder = weakref.ref(codec.decode)
    rates.get._set_codec(codec)
    del codec
    assert rates.get() == "decoded" and alive == [True] and decoder() is None


def test_first_calls_that_meet_settle_on_one_codec(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    meet = threading.Barrier(2)
    installed: list[Any] = []

    def build(annotation: Any) -> Any:
        meet.wait(5)
        return dataclasses.replace(UNTYPED)

    monkeypatch.setattr(_codec, "codec_for", build)

    @cache.cached("number")
    def number(x: int) -> int:
        return x

    number._set_codec = installed.append  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(number, (1, 2))) == [1, 2]
    assert len(installed) == 2 and installed[0] is installed[1]


def test_a_stop_iteration_comes_through_too(cache: Cache) -> None:
    rates = Rates(cache)
    rates.answer = lambda currency: next(iter(()))
    for call in (rates.get, rates.get.refresh, rates.get.uncached):
        with pytest.raises(StopIteration):
            call()
    rates.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(rates.get, "USD") for _ in range(4)]
        while cache.stats().joined < 3:
            threading.Event().wait(0.001)
        rates.gate.set()
        assert [type(one.exception(5)) for one in waiting] == [StopIteration] * 4
    assert cache.stats().load_failures == cache.stats().loads == 3


async def test_a_stop_iteration_comes_through_on_the_loops_own_thread(cache: Cache) -> None:
    rates = Rates(cache)

    def stop(currency: str) -> Any:
        raise StopIteration("no", currency)

    rates.answer = stop
    with pytest.raises(StopIteration) as raised:
        rates.get()
    assert raised.value.args == ("no", "EUR") and "stop" in [frame.name for frame in raised.traceback]
    await settle()
    rates.answer = lambda currency: 1
    assert rates.get() == 1


def test_threads_share_one_load(cache: Cache) -> None:
    rates = Rates(cache)
    rates.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(rates.get) for _ in range(8)]
        while not rates.calls:
            threading.Event().wait(0.001)
        rates.gate.set()
        assert [one.result(5) for one in waiting] == [{"EUR": 1.0}] * 8
    assert rates.calls == ["EUR"]


async def test_from_a_thread_it_waits_for_the_connected_loop(cache: Cache) -> None:
    rates = Rates(cache)
    async with cache:
        assert await asyncio.to_thread(rates.get) == {"EUR": 1.0}
        assert await cache.get("rates:EUR") == {"EUR": 1.0}
        assert rates.get() == {"EUR": 1.0} and rates.calls == ["EUR"]


async def test_on_the_loops_own_thread_it_calls_at_once_and_leaves_the_fill(cache: Cache, caplog: Any) -> None:
    rates = Rates(cache)
    with caplog.at_level(logging.WARNING):
        assert rates.get("USD") == {"USD": 1.0} and rates.get("EUR") == {"EUR": 1.0}
        await settle()
        assert rates.get("USD") == {"USD": 1.0} and rates.get("EUR") == {"EUR": 1.0}
    assert rates.calls == ["USD", "EUR"]
    assert len([record for record in caplog.records if "running event loop" in record.message]) == 1
    assert cache.stats().loads == 2


async def test_what_is_left_to_the_loop_is_fenced_against_an_invalidation_meanwhile(cache: Cache) -> None:
    rates = Rates(cache)
    rates.get()
    await cache.delete("rates:EUR")
    await settle()
    assert await cache.get("rates:EUR") is None


async def test_a_failure_on_the_loops_own_thread_leaves_nothing_behind(cache: Cache) -> None:
    rates = Rates(cache)

    def fail(currency: str) -> Any:
        raise LookupError(currency)

    rates.answer = fail
    with pytest.raises(LookupError):
        rates.get()
    await settle()
    rates.answer = lambda currency: 1
    assert rates.get() == 1


async def begin_in_thread(rates: Rates) -> None:
    """Cached by a thread, for which the background loop works until this loop has taken the cache over."""
    await asyncio.to_thread(rates.get)
    await rates.cache.get("-")
    await eventually(lambda: rates.cache._require_driver()._owner is asyncio.get_running_loop())


async def test_an_invalidation_on_the_loops_own_thread_is_pending_and_can_be_awaited(cache: Cache) -> None:
    rates = Rates(cache)
    await begin_in_thread(rates)
    pending = rates.get.invalidate()
    assert not pending and bool(await pending) is True
    await asyncio.to_thread(rates.get)
    assert len(rates.calls) == 2


async def test_an_invalidation_on_the_loops_own_thread_holds_at_once(cache: Cache) -> None:
    rates = Rates(cache)
    await begin_in_thread(rates)
    rates.get.invalidate()
    rates.answer = lambda currency: "new"
    assert rates.get() == "new"
    await settle()
    assert rates.get() == "new" and len(rates.calls) == 2 and await cache.get("rates:EUR") == "new"


async def test_an_invalidation_holds_at_once_where_another_loop_owns_the_cache(cache: Cache) -> None:
    rates = Rates(cache)
    await asyncio.to_thread(rates.get)

    def on_another_loop() -> tuple[object, bool]:
        async def invalidate() -> tuple[object, bool]:
            pending = rates.get.invalidate()
            return cache._find("rates:EUR"), bool(await pending)

        return asyncio.run(invalidate())

    assert await asyncio.to_thread(on_another_loop) == (None, True)


async def test_past_its_expiry_a_value_serves_on_the_loops_own_thread_while_a_thread_refreshes(cache: Cache) -> None:
    with cache.testing() as t:
        rates = Rates(cache, expire=60, stale=60)
        await begin_in_thread(rates)
        t.advance(61)
        rates.answer = lambda currency: "new"
        assert rates.get() == rates.get() == {"EUR": 1.0}
        await refreshed()
        assert rates.get() == "new" and len(rates.calls) == 2


async def test_past_its_expiry_a_value_does_not_serve_a_function_that_did_not_ask_for_it(cache: Cache) -> None:
    with cache.testing() as t:
        await begin_in_thread(Rates(cache, expire=60, stale=60))
        t.advance(61)
        rates = Rates(cache, expire=60)
        rates.answer = lambda currency: "new"
        assert rates.get() == "new"
        await settle()
        assert rates.get() == "new" and len(rates.calls) == 1


async def test_what_does_not_decode_is_replaced_on_the_loops_own_thread(cache: Cache) -> None:
    await cache._store("rates:EUR", b"?", codec=2, usable_for=60.0)
    rates = Rates(cache)
    assert rates.get() == {"EUR": 1.0}
    await settle()
    assert rates.get() == {"EUR": 1.0} and len(rates.calls) == 1


def test_past_its_expiry_a_value_serves_while_a_thread_refreshes(cache: Cache) -> None:
    with cache.testing() as t:
        rates = Rates(cache, expire=60, stale=60)
        rates.get()
        t.advance(61)
        rates.answer = lambda currency: "new"
        assert rates.get() == {"EUR": 1.0}
        for thread in threading.enumerate():
            if thread.name == "tiercel-refresh":
                thread.join(5)
        assert rates.get() == "new" and len(rates.calls) == 2


def test_where_no_thread_can_be_started_the_stale_value_serves_and_the_next_call_tries_again(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with cache.testing() as t:
        rates = Rates(cache, expire=60, stale=60)
        rates.get()
        t.advance(61)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            assert rates.get() == rates.get() == {"EUR": 1.0} and len(rates.calls) == 1
        rates.get()
        for thread in threading.enumerate():
            if thread.name == "tiercel-refresh":
                thread.join(5)
        assert len(rates.calls) == 2


def test_methods_and_class_methods(cache: Cache) -> None:
    class Service:
        calls = 0

        @cache.cached("m")
        def get(self, x: int) -> int:
            type(self).calls += 1
            return x

        @classmethod
        @cache.cached("c")
        def make(cls, x: int) -> str:
            cls.calls += 1
            return cls.__name__

    service = Service()
    assert service.get(1) == service.get(1) == Service.get(service, 1) == 1 and Service.calls == 1
    assert Service.get.key(1) == service.get.key(1) == "m:1"
    assert Service.make(1) == Service.make(1) == "Service" and Service.calls == 2


def test_without_a_loop_a_hundred_requests_of_a_test_client_hit_from_the_second_on(cache: Cache) -> None:
    from fastapi import FastAPI

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Starlette's newest would like another HTTP client
        from fastapi.testclient import TestClient

    rates = Rates(cache)
    app = FastAPI()
    app.get("/rates")(rates.get)
    client = TestClient(app)
    for _ in range(100):
        assert client.get("/rates", params={"currency": "CHF"}).json() == {"CHF": 1.0}
    assert rates.calls == ["CHF"]
