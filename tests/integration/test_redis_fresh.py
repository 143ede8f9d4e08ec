"""`fresh=` and tokens over a real server and two caches; and invalidations that insist on being confirmed."""

from __future__ import annotations

import asyncio

import pytest

from support.proxy import Proxy
from support.servers import Server
from support.waiting import eventually
from tiercel import Cache, Unavailable


def reads(server: Server) -> int:
    """Of records: in full, or of their heads alone, where memory has the rest."""
    return server.calls("get") + server.calls("getrange")


async def test_a_thousand_readers_of_now_cost_redis_two_commands_at_most(redis_server: Server) -> None:
    keys = [f"key:{number}" for number in range(1000)]
    async with Cache(redis_server.url(), op_timeout=5, staleness=30) as cache:
        await cache.set_many(dict.fromkeys(keys, 1), tags=["all"])
        await cache.get_many(keys)
        asked, beats = reads(redis_server), redis_server.calls("time")
        one_key = await asyncio.gather(*(cache.get("key:0", fresh="now") for _ in range(1000)))
        assert one_key == [1] * 1000
        assert reads(redis_server) == asked
        assert redis_server.calls("time") - beats <= 2

        beats = redis_server.calls("time")
        tasks = [asyncio.create_task(cache.get_or_load(key, lambda: 2, fresh=cache.token())) for key in keys]
        assert await asyncio.gather(*tasks) == [1] * 1000
        assert await cache.get_many(keys, fresh="now") == dict.fromkeys(keys, 1)
        assert reads(redis_server) == asked
        assert redis_server.calls("time") - beats <= 4


async def test_a_read_that_asks_for_less_staleness_hears_from_redis_first(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5, staleness=30) as cache:
        await cache.set("key", 1)
        await cache.get("key")
        asked, beats = reads(redis_server), redis_server.calls("time")
        assert await cache.get("key") == 1 and await cache.get("key", fresh=20) == 1
        assert await cache.get("key", fresh="20s") == 1
        assert redis_server.calls("time") == beats
        await asyncio.sleep(0.1)
        assert await cache.get("key", fresh=0.01) == 1
        assert await cache.get("key", fresh="now") == 1
        assert await cache.get_many(["key"], fresh="now") == {"key": 1}
        assert await cache.exists("key", fresh="now")
        assert await cache.get_or_load("key", lambda: 2, fresh="now") == 1
        assert redis_server.calls("time") >= beats + 5
        assert reads(redis_server) == asked


async def test_a_token_of_a_writer_lets_a_reader_elsewhere_see_its_write(any_server: Server) -> None:
    async with Cache(any_server.url(), op_timeout=5) as writer, Cache(any_server.url(), op_timeout=5) as reader:
        for number in range(50):
            await writer.set("key", number)
            assert await reader.get("key", fresh=writer.token()) == number
            async with writer.writing(keys=["key"]) as write:
                pass
            assert await reader.get("key", fresh=write.token) is None
            await writer.set("key", number, tags=["t"])
            await reader.get("key", fresh="now")
            done = await writer.invalidate(tags=["t"])
            assert await reader.get("key", fresh=done.token) is None


async def test_what_a_token_promises_holds_where_pushes_come_late(redis_server: Server) -> None:
    with Proxy(redis_server.port) as far:
        far.delay = 0.05
        async with Cache(redis_server.url(), op_timeout=5) as writer, Cache(far.url(), op_timeout=5) as reader:
            for number in range(3):
                await writer.set("key", number)
                assert await reader.get("key", fresh="now") == number
                done = await writer.invalidate("key")
                assert await reader.get("key") == number  # who asks for nothing may get it for a moment
                assert await reader.get("key", fresh=done.token) is None


async def test_a_forged_token_costs_a_read_nothing_or_one_round_trip(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5, staleness=30) as cache:
        await cache.set("key", 1)
        await cache.get("key")
        beats = redis_server.calls("time")
        assert await cache.get("key", fresh="t1.0000000000000000.9999999999") == 1
        assert redis_server.calls("time") == beats
        assert await cache.get("key", fresh=cache.token()) == 1
        assert redis_server.calls("time") == beats + 1


async def test_a_load_that_began_before_is_not_joined_by_who_asks_for_now(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache:
        may_end = asyncio.Event()
        loads: list[str] = []

        async def load(name: str) -> str:
            loads.append(name)
            await may_end.wait()
            return name

        first = asyncio.create_task(cache.get_or_load("key", lambda: load("first")))
        await eventually(lambda: loads == ["first"])
        joins = asyncio.create_task(cache.get_or_load("key", lambda: load("joins")))
        own = asyncio.create_task(cache.get_or_load("key", lambda: load("own"), fresh="now"))
        await asyncio.sleep(0.1)
        may_end.set()
        assert await first == "first" and await joins == "first"
        assert await own in ("first", "own")  # another's lease stands: it waits for that one's value, or loads


async def test_strict_raises_when_it_is_only_pending_and_it_is_sent_all_the_same(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url(), op_timeout=2) as other, Cache(fresh_redis.url()) as cache:
        for key in ("a", "b", "c"):
            await other.set(key, 1, tags=[f"tag:{key}"])
        fresh_redis.stop(keep_data=True)
        await eventually(lambda: cache.stats().redis["state"] != "ready")
        with pytest.raises(Unavailable, match=r"^the invalidation is pending: Redis is away"):
            await cache.invalidate("a", strict=True)
        with pytest.raises(Unavailable, match="pending"):
            await cache.invalidate(tags=["tag:b"], strict=True)
        with pytest.raises(Unavailable, match="pending"):
            await cache.delete_pattern("c*", strict=True)
        assert not await cache.invalidate("a")
        fresh_redis.start()
        await eventually(lambda: cache.stats().invalidations_pending == 0, 20)
        async with Cache(fresh_redis.url(), op_timeout=5) as another:
            assert await another.get_many(["a", "b", "c"]) == {}
        fresh_redis.stop()
        await eventually(lambda: cache.stats().redis["state"] != "ready")
        with pytest.raises(Unavailable, match="pending"):
            await cache.clear(strict=True)
