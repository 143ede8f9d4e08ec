"""`early=` over a real server: before an entry expires, one caller of two caches loads it anew, and nobody waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from support.servers import Server
from support.waiting import eventually
from tiercel import Cache

# A load of 0.1 s begins anew so early that nearly every process decides at once for an entry of 10 s; over ten entries some do.
EAGER = 1000.0
ENTRIES = range(10)


async def test_a_herd_of_two_caches_makes_one_refresh_of_each_and_nobody_waits(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as one, Cache(redis_server.url(), op_timeout=5) as two:
        loads: Counter[int] = Counter()
        refreshing = asyncio.Event()

        def wrapped(cache: Cache) -> Callable[[int], Coroutine[Any, Any, int]]:
            @cache.cached(prefix="slow", expire=10, early=EAGER)
            async def slow(number: int) -> int:
                loads[number] += 1
                await (asyncio.sleep(0.1) if loads[number] == 1 else refreshing.wait())
                return loads[number]

            return slow

        slow, slow_too = wrapped(one), wrapped(two)
        assert await asyncio.gather(*map(slow, ENTRIES)) == [1] * len(ENTRIES)
        for number in ENTRIES:
            answers = await asyncio.gather(*(each(number) for _ in range(100) for each in (slow, slow_too)))
            assert set(answers) == {1}  # while the refreshes that they began cannot end
        await eventually(lambda: sum(loads.values()) > len(ENTRIES))
        refreshing.set()
        refreshed = [number for number in ENTRIES if loads[number] == 2]
        assert refreshed
        await eventually(lambda: sum(loads.values()) == len(ENTRIES) + len(refreshed))
        for number in refreshed:
            assert await two.get(f"slow:{number}", fresh="now") in (1, 2)
        assert max(loads.values()) == 2


async def test_get_or_load_refreshes_behind_its_answer(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache:
        loads: Counter[str] = Counter()

        async def ask(key: str, early: float) -> int:
            async def load() -> int:
                loads[key] += 1
                await asyncio.sleep(0.1)
                return loads[key]

            return await cache.get_or_load(key, load, 10, early=early)

        keys = [f"key:{number}" for number in ENTRIES]
        assert await asyncio.gather(*(ask(key, 1) for key in keys)) == [1] * len(keys)
        assert await asyncio.gather(*(ask(key, 0) for key in keys)) == [1] * len(keys)
        await asyncio.sleep(0.05)
        assert sum(loads.values()) == len(keys)
        assert await asyncio.gather(*(ask(key, EAGER) for key in keys)) == [1] * len(keys)
        await eventually(lambda: sum(loads.values()) > len(keys))
        refreshed = next(key for key in keys if loads[key] == 2)
        for _ in range(50):
            if await cache.get(refreshed) == 2:
                break
            await asyncio.sleep(0.05)
        assert await cache.get(refreshed) == 2


async def test_a_refresh_that_fails_is_logged_and_the_value_goes_on_serving(
    redis_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache:
        failing = False

        @cache.cached(prefix="fails", expire=10, early=EAGER)
        async def fails(number: int) -> int:
            await asyncio.sleep(0.1)
            if failing:
                raise RuntimeError("no")
            return number

        assert await asyncio.gather(*map(fails, ENTRIES)) == list(ENTRIES)
        failing = True
        assert await asyncio.gather(*map(fails, ENTRIES)) == list(ENTRIES)
        await eventually(lambda: "the refresh of 'fails:" in caplog.text)
        assert await asyncio.gather(*map(fails, ENTRIES)) == list(ENTRIES)


def test_a_def_function_is_refreshed_in_a_thread(fresh_redis: Server) -> None:
    cache = Cache(fresh_redis.url(), op_timeout=5)  # the background thread keeps its connection
    loads: Counter[int] = Counter()

    @cache.cached(prefix="plain", expire=10, early=EAGER)
    def plain(number: int) -> int:
        loads[number] += 1
        threading.Event().wait(0.05)
        return loads[number]

    assert [plain(number) for number in ENTRIES] == [1] * len(ENTRIES)
    answers = [plain(number) for number in ENTRIES]
    deadline = time.monotonic() + 5
    while sum(loads.values()) == len(ENTRIES) and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert sum(loads.values()) > len(ENTRIES)
    assert set(answers) <= {1, 2}
