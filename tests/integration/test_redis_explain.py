"""`cache.explain` over a real server: each state a key can have, by its name and in words."""

from __future__ import annotations

import asyncio
from typing import Any

from support.servers import Server
from support.waiting import eventually
from tiercel import Cache, _core
from tiercel._explain import Explanation


async def seen(cache: Cache, key: str, state: str, *words: str) -> Explanation:
    made = await cache.explain(key)
    assert made["redis"]["state"] == state, made
    for word in words:
        assert word in made["why"], made["why"]
    return made


async def test_values_and_what_became_of_their_tags(any_server: Server) -> None:
    async with Cache(any_server.url(), op_timeout=5) as cache, Cache(any_server.url(), op_timeout=5) as other:
        await other.set("key", 1, 300, tags=["a", "b"], version=7)
        made = await seen(cache, "key", "value", "Memory has nothing", "it is served")
        assert made["served_from"] == "redis" and made["redis"]["tags"] == {"a": "current", "b": "current"}
        assert made["redis"]["version"] == 7 and 299 < (made["redis"]["fresh_for"] or 0) < 301
        assert await cache.get("key") == 1
        made = await seen(cache, "key", "value", "Memory serves it")
        assert made["served_from"] == "memory" and made["memory"] is not None and made["memory"]["tracked"]
        await cache.invalidate(tags=["b"])
        made = await seen(cache, "key", "value", "its tag 'b' was invalidated")
        assert made["served_from"] is None and made["redis"]["tags"] == {"a": "current", "b": "changed"}
        any_server.cli("DEL", "tiercel:t:a")
        assert (await cache.explain("key"))["redis"]["tags"]["a"] == "missing"
        await other.set("key", 2, None, tags=["a"])
        await cache.clear()
        made = await seen(cache, "key", "value", "everything was invalidated")
        assert made["redis"]["ends_in"] is None and not made["redis"]["serves"]


async def test_a_load_under_way_one_that_failed_and_a_write(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache, Cache(redis_server.url(), op_timeout=5) as other:
        may_end = asyncio.Event()

        async def load() -> Any:
            await may_end.wait()
            raise RuntimeError("no luck")

        loading = asyncio.create_task(other.get_or_load("key", load))
        await eventually(lambda: redis_server.cli("EXISTS", "tiercel:v:key") == 1)
        made = await seen(cache, "key", "lease", "is loading it")
        assert 0 < (made["redis"]["fresh_for"] or 0) < 2.1
        may_end.set()
        await asyncio.wait([loading])
        assert isinstance(loading.exception(), RuntimeError)
        await eventually(
            lambda: (_core.record_facts(redis_server.cli("GET", "tiercel:v:key")) or {}).get("state") == "pass"
        )
        await seen(cache, "key", "pass", "readers load for themselves")
        async with other.writing(keys=["key"], tags=["t"]):
            await seen(cache, "key", "intent", "write of it is under way")
        await other.set("tagged", 1, tags=["t"])
        async with other.writing(tags=["t"]):
            made = await seen(cache, "tagged", "value", "write of its tag 't' is under way")
            assert made["redis"]["tags"] == {"t": "being written"}
        await other.invalidate("key", version=8)
        await seen(cache, "key", "floor", "named version 8")
        await seen(cache, "nothing", "nothing", "the next reader loads it")
        redis_server.cli("SET", "tiercel:v:key", "of another program")
        await seen(cache, "key", "damaged", "damaged")
        redis_server.cli("DEL", "tiercel:v:key")
        redis_server.cli("LPUSH", "tiercel:v:key", "a list")
        await seen(cache, "key", "damaged", "damaged")


async def test_redis_away_is_told_and_no_error(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url(), staleness=0.2) as cache:
        await cache.set("key", 1)
        await cache.get("key")
        fresh_redis.stop()
        await eventually(lambda: cache.stats().redis["state"] != "ready")
        await asyncio.sleep(0.3)
        made = await seen(cache, "key", "unknown", "could have missed a change", "Redis cannot be asked")
        assert made["served_from"] is None
