"""What users, programs and servers do wrong: each ends in a clear error or in a counted miss, and nothing is lost or hangs."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi import Response

from support.scripted import HELLO3, garbage_server, scripted_server
from support.servers import Server
from tiercel import Cache
from tiercel._errors import NotCacheable, ServerTooOld

KEYS: list[str | bytes] = [
    "with spaces and more",
    "nul\x00inside",
    "new\nline\r\n",
    "{braces}{and}more}",
    "stars*and?[marks]",
    b"\xff\xfe not utf-8",
    "ключ-キー-🗝",
    "x" * 1_000_000,
]


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_server").url()
    async with Cache(url, strict=True) as cache:
        yield cache


@pytest.fixture
async def on_redis(redis_server: Server) -> AsyncIterator[Cache]:
    async with Cache(redis_server.url(), strict=True) as cache:
        yield cache


# ---- keys


@pytest.mark.parametrize("key", KEYS, ids=lambda key: repr(key[:20]))
async def test_a_weird_key_is_a_key_like_any_other(cache: Cache, key: str | bytes) -> None:
    assert await cache.set(key, "value", 60)
    assert await cache.get(key) == "value"
    assert await cache.exists(key)
    assert await cache.delete(key) == 1
    assert await cache.get(key) is None


async def test_two_long_keys_that_differ_at_the_end_are_two_keys(cache: Cache) -> None:
    long = "x" * 1_000_000
    await cache.set(long + "1", 1)
    await cache.set(long + "2", 2)
    assert await cache.get(long + "1") == 1
    assert await cache.get(long + "2") == 2


async def test_a_key_named_twice_counts_once(cache: Cache) -> None:
    long = "x" * 1_000_000
    for key in ("one", "two", long):
        await cache.set(key, 1)
    assert await cache.delete("one", "two", "one", b"two", long, long, "none", "none") == 3


@pytest.mark.parametrize("call", ["get", "set", "delete", "exists", "ttl"])
async def test_an_empty_key_is_refused_by_every_operation(cache: Cache, call: str) -> None:
    with pytest.raises(ValueError, match="key"):
        await (cache.set("", 1) if call == "set" else getattr(cache, call)(""))


@pytest.mark.parametrize("key", [None, 42, 4.2, ["a"], object()])
async def test_a_key_that_is_no_text_is_refused(cache: Cache, key: Any) -> None:
    with pytest.raises(TypeError, match="key"):
        await cache.get(key)


# ---- values


@pytest.mark.parametrize("value", [b"", "", 0, False, [], {}, (), None, math.inf], ids=repr)
async def test_empty_and_falsy_values_are_values(cache: Cache, value: object) -> None:
    await cache.set("key", value)
    found = await cache.get("key", default="nothing")
    assert found == value
    assert type(found) is type(value)


async def test_not_a_number_comes_back_as_what_it_was(cache: Cache) -> None:
    await cache.set("key", {"mean": math.nan})
    assert math.isnan((await cache.get("key"))["mean"])


async def test_a_value_larger_than_the_limit_is_answered_not_stored_and_the_old_one_is_gone(cache: Cache) -> None:
    await cache.set("key", "old")
    assert not await cache.set("key", b"x" * (64 << 20))
    assert await cache.get("key") is None
    assert await cache.get_or_load("key", lambda: b"y" * (64 << 20)) == b"y" * (64 << 20)
    assert cache.stats().stores_refused >= 2


async def test_a_value_deeper_than_anything_reads_is_refused(cache: Cache) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NotCacheable):
        await cache.set("key", deep)


async def test_a_cycle_is_refused(cache: Cache) -> None:
    cycle: dict[str, Any] = {}
    cycle["itself"] = cycle
    with pytest.raises(NotCacheable):
        await cache.set("key", cycle)


async def test_an_object_without_a_codec_is_refused_by_name(cache: Cache) -> None:
    class Session:
        pass

    with pytest.raises(NotCacheable, match="Session"):
        await cache.set("key", {"users": [Session()]})


# ---- expire


@pytest.mark.parametrize("expire", [0, -1, math.nan, math.inf, "5 parsecs", "", "-5m", True, [1]])
async def test_an_expire_that_cannot_be_meant_is_refused(cache: Cache, expire: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="expire"):
        await cache.set("key", 1, expire)


async def test_a_year_and_none_are_fine(cache: Cache) -> None:
    year = 365 * 24 * 3600
    await cache.set("year", 1, year)
    await cache.set("forever", 1, None)
    left = await cache.ttl("year")
    assert left is not None
    assert year - 60 < left <= year
    assert await cache.ttl("forever") is None
    assert await cache.get("forever") == 1


# ---- settings


@pytest.mark.parametrize(
    "url",
    ["http://localhost", "redis://localhost:0", "redis://localhost:65536", "redis://localhost:port", "redis://localhost/one",
     "redis://localhost/-1", "localhost:6379", ""],
)  # fmt: skip
def test_a_url_that_cannot_be_meant_is_refused_where_it_is_given(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        Cache(url)


async def test_client_before_connect_is_refused(redis_server: Server) -> None:
    with pytest.raises(RuntimeError, match="Redis not connected"):
        _ = Cache(redis_server.url()).client


# ---- what stands in Redis already


async def test_a_key_of_another_program_under_our_name_is_a_miss_and_counted(
    on_redis: Cache, redis_server: Server
) -> None:
    redis_server.cli("SET", "tiercel:v:text", '{"json": true}')
    redis_server.cli("RPUSH", "tiercel:v:list", "a", "b")
    for key in ("text", "list"):
        assert await on_redis.get(key) is None
        assert await on_redis.get_or_load(key, lambda: "loaded") == "loaded"
        assert await on_redis.get(key) == "loaded"
    assert on_redis.stats().damaged >= 2


@pytest.mark.parametrize("damage", ["older format", "newer format", "flipped bit", "cut", "longer"])
async def test_a_record_of_another_format_or_a_damaged_one_is_a_miss_and_is_replaced(
    on_redis: Cache, redis_server: Server, damage: str
) -> None:
    await on_redis.set("key", "value")
    record = bytearray(redis_server.client.get("tiercel:v:key"))
    if damage == "older format":
        record[2] = 0
    elif damage == "newer format":
        record[2] = 2
    elif damage == "flipped bit":
        record[-1] ^= 1
    elif damage == "cut":
        del record[70:]
    else:
        record += b"tail"
    redis_server.client.set("tiercel:v:key", bytes(record))
    async with Cache(redis_server.url()) as other:
        assert await other.get("key") is None
        assert other.stats().damaged == 1
        assert await other.get_or_load("key", lambda: "new") == "new"
    async with Cache(redis_server.url()) as third:
        assert await third.get("key") == "new"


# ---- servers that are not what they should be


GARBAGE = {
    "not RESP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "endless line": b"+" + b"x" * 200_000,
    "a length beyond all": b"*99999999999999\r\n",
    "a negative length": b"$-7\r\n",
    "random": bytes(range(256)) * 10,
    "replies nobody asked for": b"+OK\r\n" * 100,
    "closes in mid-reply": HELLO3[:20],
    "closes at once": b"",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
async def test_a_server_that_speaks_garbage_costs_the_budget_and_nothing_else(garbage: bytes) -> None:
    async with garbage_server(garbage) as port:
        cache = Cache(f"redis://127.0.0.1:{port}")
        async with asyncio.timeout(5):
            await cache.connect()
            assert await cache.get_or_load("key", lambda: "loaded") == "loaded"
            assert await cache.get("other") is None
            assert not await cache.invalidate("key")
            await cache.disconnect()


async def test_a_server_from_before_resp3_is_too_old_and_says_so() -> None:
    def answer(command: list[bytes]) -> bytes:
        info = b"redis_version:5.0.14\r\n"
        return b"$%d\r\n%b\r\n" % (len(info), info) if command[0] == b"INFO" else b"-ERR unknown command\r\n"

    async with scripted_server(answer) as port:
        cache = Cache(f"redis://127.0.0.1:{port}")
        with pytest.raises(ServerTooOld, match=r"6\.2"):
            await cache.connect()
        assert await cache.get_or_load("key", lambda: "loaded") == "loaded"
        await cache.disconnect()


async def test_a_value_longer_than_the_limit_in_redis_is_read_past(on_redis: Cache, redis_server: Server) -> None:
    redis_server.client.set("tiercel:v:huge", b"x" * (20 << 20))
    assert await on_redis.get("huge") is None
    assert await on_redis.get("after") is None
    assert on_redis.stats().oversized == 1
    assert on_redis.stats()["redis"]["state"] == "ready"


# ---- decorated functions


async def test_what_a_function_raises_reaches_the_caller_and_is_not_stored(cache: Cache) -> None:
    calls: list[int] = []

    @cache.cached(prefix="broken")
    async def broken(number: int) -> int:
        calls.append(number)
        raise LookupError(f"no {number}")

    for _ in range(2):
        with pytest.raises(LookupError, match="no 7"):
            await broken(7)
    assert calls == [7, 7]


async def coroutine_maker() -> int:
    return 1


@pytest.mark.parametrize(
    "make",
    [coroutine_maker, lambda: (n for n in range(3)), lambda: Response("body")],
    ids=["coroutine", "generator", "Response"],
)
async def test_a_result_that_cannot_be_stored_is_refused_by_name(cache: Cache, make: Callable[[], Any]) -> None:
    made = make()

    @cache.cached(prefix="odd")
    async def odd() -> Any:
        return made

    with pytest.raises(NotCacheable, match="odd"):
        await odd()
    if inspect.iscoroutine(made):
        made.close()


def test_a_generator_function_is_refused_at_decoration() -> None:
    with pytest.raises(TypeError, match="numbers"):

        @Cache("memory://").cached(prefix="numbers")
        async def numbers() -> Any:
            yield 1
