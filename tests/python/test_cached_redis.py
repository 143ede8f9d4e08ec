"""Decorated functions over a real Redis: shared by processes, reached by keys and tags, and no trouble when it is away."""

from __future__ import annotations

import asyncio
from typing import Any

import redis
from pydantic import BaseModel

from support.servers import Server
from tiercel import Cache
from tiercel._codec import UNTYPED


class User(BaseModel):
    id: int
    name: str


def users(cache: Cache, calls: list[Any], **options: Any) -> Any:
    @cache.cached(prefix="user", tags=["user:{user_id}"], **options)
    async def get_user(user_id: int) -> User | None:
        calls.append(user_id)
        return User(id=user_id, name="ann") if user_id else None

    return get_user


async def gone(function: Any, cache: Cache, key: str) -> None:
    """Until the push of another process' change has arrived."""
    for _ in range(1000):
        if cache._find(key) is None:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(f"{key} is still in memory")


async def test_what_one_process_loads_the_others_find_under_the_key_a_person_would_write(redis_server: Server) -> None:
    calls: list[Any] = []
    async with Cache(redis_server.url()) as one, Cache(redis_server.url()) as two:
        first, second = users(one, calls), users(two, calls)
        assert await first(1) == await second(1) == User(id=1, name="ann")
        assert await first(0) is None and await second(0) is None
        assert calls == [1, 0]
        with redis.Redis.from_url(redis_server.url()) as raw:
            assert {b"tiercel:v:user:1", b"tiercel:v:user:0"} <= set(raw.keys("*"))


async def test_an_invalidation_by_arguments_key_or_tag_reaches_the_other_process(redis_server: Server) -> None:
    calls: list[Any] = []
    async with Cache(redis_server.url()) as one, Cache(redis_server.url()) as two:
        first, second = users(one, calls), users(two, calls)
        ways: list[Any] = [
            lambda: second.invalidate(1), lambda: two.delete("user:1"), lambda: two.invalidate(tags=["user:1"]), lambda: second.refresh(1)
        ]  # fmt: skip
        for done, way in enumerate(ways):
            await first(1)
            await first(1)
            assert len(calls) == 1 + done
            await way()
            await gone(first, one, "user:1")
        await first(1)
        assert len(calls) == 1 + len(ways)  # the refresh stored what it loaded


async def test_redis_gone_is_no_failure(fresh_redis: Server) -> None:
    calls: list[Any] = []
    async with Cache(fresh_redis.url()) as cache:
        get_user = users(cache, calls)
        await get_user(1)
        fresh_redis.close()
        assert await get_user(2) == User(id=2, name="ann")
        assert await get_user.refresh(3) == User(id=3, name="ann")
        assert bool(await get_user.invalidate(1)) is False


async def test_a_stale_value_found_in_redis_on_the_loops_own_thread_is_refreshed(redis_server: Server) -> None:
    calls: list[int] = []
    async with Cache(redis_server.url(), l1_bytes_max=0) as cache:

        @cache.cached("number", expire=60, stale=60)
        def number() -> int:
            calls.append(len(calls))
            return calls[-1]

        await cache._store("number", UNTYPED.encode(-1), codec=UNTYPED.id, usable_for=60.0, fresh_for=0.001)
        await asyncio.sleep(0.01)
        assert number() == 0
        for _ in range(1000):
            if await cache.get("number") == 1:
                break
            await asyncio.sleep(0.005)
        assert calls == [0, 1] and await cache.get("number") == 1
