"""The ladder over real servers: which rung a cache takes with what a server or a proxy refuses, how it says so, and that it caches on each.
docs/guides/consistency.md prints these rungs as a table.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.proxy import Proxy
from support.rungs import PERMITTED, RUNGS, Rung, user_without
from support.servers import Server
from support.waiting import eventually
from tiercel import Cache, Unavailable
from tiercel._client import RedisError

GUIDE = Path(__file__).resolve().parents[2] / "docs/guides/consistency.md"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


class Two:
    """Two caches, as two processes would have them, on one rung."""

    def __init__(self, rung: Rung, url: str) -> None:
        given: dict[str, Any] = {"op_timeout": 5, "staleness": 0.3, **rung.settings}
        self.one, self.two = Cache(url, **given), Cache(url, **given)


@asynccontextmanager
async def on(rung: Rung, server: Server) -> AsyncIterator[Two]:
    with Proxy(server.port, refuses=rung.refuses) as proxy:
        both = Two(rung, proxy.url(login=rung.login))
        async with both.one, both.two:
            yield both


@pytest.fixture(params=RUNGS, ids=lambda rung: rung.name)
def rung(request: pytest.FixtureRequest) -> Rung:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def server(rung: Rung, start_server: Callable[..., Server]) -> Server:
    return start_server("redis-7.0", users=rung.users)


async def test_the_rung_is_seen_and_told(rung: Rung, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with on(rung, server) as both:
        redis = both.one.stats().redis
        assert (redis["tracking"], redis["protocol"], redis["scripts"]) == (rung.tracking, rung.protocol, rung.scripts)
    told = {line for line in warnings(caplog) if "Redis gives less" in line}
    assert len(told) == (1 if rung.warns else 0)  # both say the same
    for word in rung.warns:
        assert word in "".join(told)


async def test_values_are_shared_and_invalidations_heard(rung: Rung, server: Server) -> None:
    async with on(rung, server) as both:
        assert await both.one.get_or_load("key", lambda: "old", tags=["t"]) == "old"
        assert await both.one.set("given", "old", tags=["t"])
        if rung.scripts:
            assert await both.two.get_or_load("key", lambda: "not loaded twice", tags=["t"]) == "old"
        assert await both.two.get("given") == "old"
        assert await both.one.invalidate(tags=["t"])
        assert await both.two.get("key", fresh="now") is None
        assert await both.two.get("given", fresh="now") is None
        assert await both.one.set("given", "new")
        await asyncio.sleep(0.35)  # the staleness
        assert await both.two.get("given") == "new"
        assert await both.one.delete_pattern("g*") == 1
        assert await both.two.get("given", fresh="now") is None


async def test_who_waits_for_anothers_load_gets_its_value(rung: Rung, server: Server) -> None:
    async with on(rung, server) as both:
        loads: list[str] = []

        async def load() -> str:
            loads.append("one")
            await asyncio.sleep(0.3)
            return f"value {len(loads)}"

        values = await asyncio.gather(*(cache.get_or_load("slow", load) for cache in (both.one, both.two, both.one)))
        assert len(loads) == (1 if rung.scripts else 2)
        assert set(values) <= {"value 1", "value 2"}


async def test_a_write_is_announced_or_refused_before_its_commit(rung: Rung, server: Server) -> None:
    async with on(rung, server) as both:
        if not rung.scripts:
            with pytest.raises(Unavailable, match="eval"):
                async with both.one.writing(keys=["key"]):
                    raise AssertionError("the block is not entered")
            return
        for _ in range(2):  # the second meets the intent of the first
            async with both.one.writing(keys=["key"], tags=["t"]) as first, both.two.writing(keys=["key"]) as second:
                assert await both.two.get_or_load("key", lambda: "during") == "during"
            assert first.held and second.held
        assert await both.two.get("key", fresh="now") is None


async def test_raw_commands_answer_alike(rung: Rung, start_server: Callable[..., Server]) -> None:
    server = start_server("redis-7.0", users=["app on >pw ~* +@all -client|tracking"])
    async with on(rung, server) as both:
        client = both.one.client
        assert await client.get("nothing") is None
        assert await client.set("text", "a") and not await client.set("text", "b", nx=True)
        assert await client.execute("HSET", "hash", "a", "1", "b", "2") == 2
        assert await client.execute("HGETALL", "hash") == {"a": "1", "b": "2"}
        assert (await client.execute("CONFIG", "GET", "maxmemory"))["maxmemory"] == "0"
        assert await client.exists("text", "hash", "nothing") == 2
        assert {"hash", "text"} <= {key async for key in client.scan_iter("*")}
        assert await client.execute("EVAL", "return {1, false, 'x'}", 0) == [1, None, "x"]
        with pytest.raises(RedisError, match="WRONGTYPE"):
            await client.get("hash")


async def test_in_broadcast_mode_memory_holds_until_somebody_changes_it(fresh_redis: Server) -> None:
    async with (
        Cache(fresh_redis.url(), op_timeout=5, tracking="broadcast") as one,
        Cache(fresh_redis.url(), op_timeout=5, tracking="broadcast") as two,
    ):
        await one.get_or_load("key", lambda: "value", tags=["t"])
        await one.get("key")
        assert one._find("key") is not None
        before = fresh_redis.calls("get") + fresh_redis.calls("getrange")
        await asyncio.sleep(1.5)
        assert await one.get("key") == "value"
        assert fresh_redis.calls("get") + fresh_redis.calls("getrange") == before, "for longer than the staleness"
        await two.invalidate(tags=["t"])
        await eventually(lambda: one._find("key") is None)
        await one.set("other", 1)
        assert await one.get("other") == 1 and one._find("other") is not None
        await two.set("other", 2)
        await eventually(lambda: one._find("other") is None)


async def test_a_proxy_without_time_cannot_be_used_and_says_why(fresh_redis: Server) -> None:
    with Proxy(fresh_redis.port, refuses=("HELLO", "TIME", "INFO")) as proxy:
        cache = Cache(proxy.url(), op_timeout=5)
        assert await cache.get_or_load("key", lambda: "value") == "value"
        await eventually(lambda: "TIME" in cache.stats().redis["error"])
        assert cache.stats().redis["state"] == "failed"
        await cache.disconnect()


async def test_without_scan_a_pattern_stays_pending_and_nothing_under_it_is_believed(fresh_redis: Server) -> None:
    with Proxy(fresh_redis.port, refuses=("SCAN",)) as proxy:
        async with Cache(proxy.url(), op_timeout=5) as cache:
            await cache.set("user:1", "old")
            with pytest.raises(Unavailable):
                await cache.delete_pattern("user:*", strict=True)
            assert await cache.get("user:1") is None
            assert cache.stats().invalidations_pending == 1
            assert await cache.clear() and not await cache.get("user:1")


def test_the_guide_names_what_a_user_needs() -> None:
    text = GUIDE.read_text()
    assert user_without().removeprefix("app on >pw ") in text
    assert all(f"`{rung.tracking}`" in text for rung in RUNGS) and PERMITTED
