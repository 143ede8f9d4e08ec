"""`cache.client`: raw commands, text in and out, on a connection of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.servers import Server
from tiercel import Cache, TiercelError, Unavailable
from tiercel._client import RedisError


@pytest.fixture
async def cache(redis_server: Server) -> AsyncIterator[Cache]:
    async with Cache(redis_server.url(), op_timeout=5) as made:
        yield made


async def test_commands_take_and_give_text(cache: Cache) -> None:
    client = cache.client
    assert await client.execute("INCR", "x") == 1
    assert await client.execute("SET", "ключ", "значение") == "OK"
    assert await client.get("ключ") == "значение"
    assert await client.get("nothing") is None
    assert await client.execute("SET", b"bytes", b"\xff") == "OK"
    assert await client.get("bytes") == b"\xff"
    assert await client.execute("HSET", "hash", "field", 1.5, "n", -3) == 2
    assert await client.execute("HGETALL", "hash") == {"field": "1.5", "n": "-3"}
    assert await client.execute("LRANGE", "nothing", 0, -1) == []


async def test_the_usual_ones_have_methods(cache: Cache) -> None:
    client = cache.client
    assert await client.set("a", 1) and await client.setex("b", 60, "text")
    assert not await client.set("a", 2, nx=True)
    assert await client.set("c", 1, ex=10, xx=True) is False
    assert await client.exists("a", "b", "c") == 2
    assert sorted([key async for key in client.scan_iter(match="[ab]")]) == ["a", "b"]
    assert await client.delete("a", "b", "c") == 2
    assert await client.delete() == 0


async def test_a_scan_goes_through_all_pages(cache: Cache) -> None:
    for i in range(1000):
        await cache.client.set(f"page:{i}", i)
    assert {key async for key in cache.client.scan_iter(match="page:*", count=10)} == {f"page:{i}" for i in range(1000)}


async def test_they_use_a_connection_of_their_own_which_is_not_tracked(cache: Cache, redis_server: Server) -> None:
    await cache.set("key", 1)
    assert len(redis_server.clients()) == 1
    await cache.client.execute("PING")
    flags = sorted(client["flags"] for client in redis_server.clients())
    assert flags == ["N", "t"]


async def test_an_error_reply_raises_in_the_servers_words(cache: Cache) -> None:
    await cache.client.set("text", "x")
    with pytest.raises(TiercelError, match="not an integer") as raised:
        await cache.client.execute("INCR", "text")
    assert not isinstance(raised.value, Unavailable)
    with pytest.raises(TiercelError, match="NOSUCH"):
        await cache.client.execute("NOSUCH")
    assert await cache.client.get("text") == "x"


@pytest.mark.parametrize(
    "command",
    [
        "BLPOP k 0", "brpop k 0", "XREAD BLOCK 0 STREAMS s $", "WAIT 1 0", "SUBSCRIBE c", "MONITOR", "SELECT 1", "AUTH x",
        "HELLO 2", "MULTI", "EXEC", "WATCH k", "CLIENT REPLY OFF", "CLIENT TRACKING OFF", "CLIENT SETNAME x", "CLIENT", "RESET",
        "QUIT", "SWAPDB 0 1", "DEBUG SLEEP 1", "REPLCONF LISTENING-PORT 1", "SCRIPT DEBUG YES", "script debug sync",
    ],
)  # fmt: skip
async def test_what_blocks_subscribes_or_changes_the_connection_is_refused(cache: Cache, command: str) -> None:
    with pytest.raises(ValueError, match="a client of your own"):
        await cache.client.execute(*command.split())


async def test_a_reply_too_large_to_take_raises(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5, value_bytes_max=1000) as cache:
        await cache.client.execute("SETRANGE", "large", 200_000, "x")
        await cache.client.set("small", 1)
        with pytest.raises(TiercelError, match="longer than value_bytes_max") as raised:
            await cache.client.get("large")
        assert not isinstance(raised.value, Unavailable)
        with pytest.raises(TiercelError, match="longer than value_bytes_max"):
            await cache.client.execute("MGET", "small", "large")
        assert await cache.client.get("small") == "1"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("return {map={[{1,2}]='x'}}", "unhashable"),
        ("return {map={[{map={}}]='x'}}", "unhashable"),
        ("return {big_number=string.rep('9', 4301)}", "digits"),
        ("return {'fine', redis.error_reply('ERR in it')}", "ERR in it"),
        ("return {map={a={redis.error_reply('ERR in it')}}}", "ERR in it"),
        ("return redis.error_reply('ERR \\255')", "ERR \N{REPLACEMENT CHARACTER}"),
    ],
)
async def test_a_reply_that_python_has_no_value_for_raises(cache: Cache, script: str, why: str) -> None:
    with pytest.raises(RedisError, match=why):
        await cache.client.execute("EVAL", f"redis.setresp(3); {script}", 0)
    assert await cache.client.execute("EVAL", "return {big_number='123456789012345678901234567890'}", 0) == int(
        "123456789012345678901234567890"
    )


async def test_what_is_not_a_command_is_refused(cache: Cache) -> None:
    with pytest.raises(ValueError, match="no command"):
        await cache.client.execute()
    with pytest.raises(TypeError, match="argument 2"):
        await cache.client.execute("SET", "key", {"a": 1})  # type: ignore[arg-type]
    assert await cache.client.execute("CLIENT", "ID") > 0


async def test_text_written_raw_over_a_key_of_ours_is_a_counted_miss(cache: Cache) -> None:
    await cache.client.set("tiercel:v:key", "not a record")
    assert await cache.get("key") is None
    assert cache.stats().damaged == 1
