"""Redis away, hanging or refusing: requests go on within their budget, what was said is kept, and it recovers by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pytest

from support.servers import Server, free_port
from support.waiting import eventually
from tiercel import Cache, Unavailable
from tiercel._invalidation import Invalidation

BUDGET = 0.1


def state(cache: Cache) -> str:
    return str(cache.stats().redis["state"])


async def ready(cache: Cache) -> None:
    """Recovery is the engine's business, but it notices only what it is asked."""
    deadline = time.monotonic() + 15
    while state(cache) != "ready":
        assert time.monotonic() < deadline, cache.stats().redis
        await cache.get("are you there", fresh="now")
        await asyncio.sleep(0.02)


async def test_away_at_start_nothing_fails_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tiercel"):
        async with Cache(f"redis://127.0.0.1:{free_port()}") as cache:
            for i in range(20):
                assert await cache.get(f"key{i}") is None
                assert await cache.get_or_load(f"key{i}", lambda: i) == i  # noqa: B023
                assert not await cache.set(f"key{i}", i)
                assert not await cache.exists(f"other{i}")
            await asyncio.sleep(0.5)  # several attempts to connect
            assert state(cache) == "away"
            assert "refused" in cache.stats().redis["error"]
    said = [record.message for record in caplog.records if record.name == "tiercel"]
    assert len(said) == 1 and "refused" in said[0] and "start Redis" in said[0]


async def test_connect_does_not_raise_and_does_not_take_long_when_redis_is_away() -> None:
    cache = Cache(f"redis://127.0.0.1:{free_port()}")
    began = time.monotonic()
    await cache.connect()
    assert time.monotonic() - began < 2
    await cache.disconnect()


async def test_it_connects_when_redis_comes(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.stop()
    async with Cache(server.url()) as cache:
        assert await cache.get("key") is None
        server.start()
        await ready(cache)
        assert await cache.set("key", 1)


async def test_lost_in_the_middle_it_goes_on_and_recovers(
    fresh_redis: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tiercel"):
        async with Cache(fresh_redis.url()) as cache:
            await cache.set("key", 1)
            fresh_redis.stop()
            await eventually(lambda: state(cache) != "ready")
            began = time.monotonic()
            for i in range(50):
                assert await cache.get_or_load(f"cold{i}", lambda: 2) == 2
            assert time.monotonic() - began < 50 * BUDGET
            fresh_redis.start()
            await ready(cache)
            assert await cache.set("key", 3)
            assert cache.stats().redis["reconnects"] == 1
    said = [record.message for record in caplog.records if record.name == "tiercel"]
    assert len(said) == 4  # connected, lost, connected, and that it is another run of the server


async def test_an_entry_in_memory_is_not_trusted_beyond_its_bound_while_redis_is_away(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url(), staleness=0.2) as cache:
        await cache.set("key", 1)
        assert await cache.get("key") == 1
        fresh_redis.stop()
        await eventually(lambda: state(cache) != "ready")
        await asyncio.sleep(0.3)
        assert await cache.get("key") is None


async def test_invalidations_made_meanwhile_are_kept_and_sent(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url(), op_timeout=2) as other, Cache(fresh_redis.url()) as cache:
        await other.set("user:42", "old", tags=["users"])
        await other.set("user:43", "old", tags=["users"])
        await other.set("list:1", "old")
        await cache.get("user:42")
        fresh_redis.cli("SAVE")
        fresh_redis.stop(keep_data=True)
        await eventually(lambda: state(cache) != "ready")
        assert await cache.invalidate("user:42") == Invalidation.PENDING
        assert await cache.invalidate(tags=["users"]) == Invalidation.PENDING
        await cache.delete_pattern("list:*")
        assert await cache.get("user:42") is None
        assert cache.stats().invalidations_pending >= 3
        fresh_redis.start()
        await ready(cache)
        assert await cache.get_many(["user:42", "user:43", "list:1"]) == {}
        await eventually(lambda: cache.stats().invalidations_pending == 0)
        await ready(other)
        for key in ("user:42", "user:43", "list:1"):
            assert await other.get(key, fresh="now") is None


async def test_a_hanging_server_costs_each_call_its_budget_and_then_nothing(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url()) as cache:
        await cache.set("key", 1)
        fresh_redis.pause()
        try:
            took = []
            for i in range(12):
                began = time.monotonic()
                assert await cache.get_or_load(f"cold{i}", lambda: 2) == 2
                took.append(time.monotonic() - began)
            assert max(took) < 4 * BUDGET
            assert sum(took) < 8 * BUDGET  # after three overruns in a row Redis is left alone for a second
            assert state(cache) == "resting"
            began = time.monotonic()
            assert not await cache.invalidate("key")
            assert await cache.get("key") is None
            assert time.monotonic() - began < 4 * BUDGET
        finally:
            fresh_redis.resume()
        await ready(cache)
        assert await cache.get("key", fresh="now") is None
        assert await cache.set("key", 2)


async def test_a_full_server_refuses_values_and_takes_invalidations(start_server: Callable[..., Server]) -> None:
    server = start_server(config=["maxmemory-policy noeviction"])
    async with Cache(server.url()) as cache:
        await cache.set("key", 1)
        server.cli("CONFIG", "SET", "maxmemory", "1mb")
        assert not await cache.set("other", "x" * 2_000_000)
        assert await cache.get_or_load("cold", lambda: 2) == 2
        assert cache.stats().stores_refused + cache.stats().redis["errors"] > 0
        assert await cache.delete("key") == 1
        assert server.cli("EXISTS", "tiercel:v:key") == 0
        server.cli("CONFIG", "SET", "maxmemory", "0")
        await ready(cache)
        assert await cache.set("key", 3)


async def test_a_replica_refuses_writes_and_requests_go_on(start_server: Callable[..., Server]) -> None:
    primary = start_server()
    replica = start_server(replicaof=primary)
    async with Cache(replica.url()) as cache:
        assert not await cache.set("key", 1)
        assert await cache.get_or_load("key", lambda: 2) == 2
        assert not await cache.invalidate("key")  # pending: this server cannot take it
        assert cache.stats().invalidations_pending == 1
        replica.cli("REPLICAOF", "NO", "ONE")
        await eventually(lambda: replica.cli("ROLE")[0] == b"master")
        deadline = time.monotonic() + 10
        while not await cache.set("key", 3):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_the_client_says_unavailable_and_nothing_else_does(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url()) as cache:
        assert await cache.client.execute("PING") == "PONG"
        fresh_redis.stop()
        await eventually(lambda: state(cache) != "ready")
        with pytest.raises(Unavailable):
            await cache.client.get("key")
        assert await cache.get("key") is None


async def test_a_killed_connection_is_made_anew(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url()) as cache:
        for _ in range(3):
            await cache.set("key", 1)
            fresh_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await eventually(lambda: state(cache) != "ready" or cache.stats().redis["reconnects"] > 0)
            await ready(cache)
        assert await cache.set("key", 2)
        assert len(fresh_redis.clients()) <= 2
