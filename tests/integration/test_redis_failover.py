"""Redis away for longer than staleness, and tags of results on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from support.asgi import ask, responding
from support.servers import Server
from support.waiting import eventually
from tiercel import Cache
from tiercel.fastapi import ResponseCacheMiddleware


async def test_memory_bridges_an_outage_for_as_long_as_was_said_and_says_so(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    async with Cache(server.url(), staleness=0.1, outage_staleness=60) as cache:
        assert await cache.set("k", "value", tags=["t"])
        assert await cache.set("gone", "value")
        assert [await cache.get("k"), await cache.get("gone")] == ["value", "value"]
        server.stop()
        await eventually(lambda: cache.stats().redis["state"] == "away")
        await asyncio.sleep(0.3)
        assert await cache.get("k") == "value"
        assert await cache.get_or_load("k", lambda: "loaded") == "value"
        assert cache.stats().outage == 2
        why = await cache.explain("k")
        assert why["served_from"] == "memory" and why["memory"] and why["memory"]["outage"]
        assert "outage_staleness" in why["why"]
        assert not await cache.invalidate("gone", tags=["t"])  # pending, and it holds here
        assert [await cache.get("k"), await cache.get("gone")] == [None, None]
        server.start()
        await eventually(lambda: cache.stats().redis["state"] == "ready", 15)
        assert await cache.get("k") is None


async def test_a_response_that_bridges_an_outage_is_marked_stale(start_server: Callable[..., Server]) -> None:
    server = start_server()
    async with Cache(server.url(), staleness=0.1, outage_staleness=60) as cache:
        app = ResponseCacheMiddleware(responding(b"hello"), cache=cache)
        assert [(await ask(app)).x_cache for _ in range(2)] == ["MISS", "HIT"]
        server.stop()
        await eventually(lambda: cache.stats().redis["state"] == "away")
        await asyncio.sleep(0.3)
        answer = await ask(app)
        assert (answer.x_cache, answer.body) == ("STALE", b"hello")


async def test_tags_of_a_result_are_invalidated_by_another_process(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url()) as one, Cache(fresh_redis.url()) as two:
        assert await one.get_or_load("page", lambda: {"team": 7}, tags=lambda page: [f"team:{page['team']}"]) == {
            "team": 7
        }
        assert await two.get("page") == {"team": 7}
        assert await two.invalidate(tags=["team:7"])
        assert await two.get("page") is None
        assert await one.get("page", fresh="now") is None


async def test_a_tag_invalidated_by_another_process_keeps_a_load_out_whose_result_names_it(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url()) as one, Cache(fresh_redis.url()) as two:
        assert await two.invalidate(tags=["team:7"])

        async def load() -> dict[str, int]:
            assert await two.invalidate(tags=["team:7"])
            return {"team": 7}

        assert await one.get_or_load("page", load, tags=lambda page: [f"team:{page['team']}"]) == {"team": 7}
        assert await two.get("page", fresh="now") is None
        assert await one.get("page", fresh="now") is None
