"""What `Cache` answers on memory://: values, keys, expiry, invalidation. Its defaults and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.runs import in_loop
from tiercel import MISSING, Cache, ConfigurationError, NotCacheable, RedisCache, _core
from tiercel._invalidation import Invalidation


@pytest.fixture
def cache() -> Cache:
    return Cache("memory://")


async def test_a_value_comes_out_as_it_went_in(cache: Cache) -> None:
    assert await cache.set("user:42", {"name": "Ada", "tags": [1, 2.5, None, True]}, 300)
    assert await cache.get("user:42") == {"name": "Ada", "tags": [1, 2.5, None, True]}


async def test_mutating_a_value_from_the_cache_harms_nobody_else(cache: Cache) -> None:
    await cache.set("list", [1])
    (await cache.get("list")).append(2)
    assert await cache.get("list") == [1]


async def test_a_miss_is_none_or_the_default_given(cache: Cache) -> None:
    assert await cache.get("nothing") is None
    assert await cache.get("nothing", default=MISSING) is MISSING
    assert await cache.get("nothing", default=7) == 7


@pytest.mark.parametrize("value", [None, 0, False, "", [], {}, b"", 0.0])
def test_none_and_falsy_values_are_values(value: Any) -> None:
    async def run() -> None:
        cache = Cache("memory://")
        await cache.set("key", value)
        got = await cache.get("key", default=MISSING)
        assert got == value and type(got) is type(value)
        assert await cache.exists("key")

    in_loop(run)


async def test_the_first_users_positional_expire_is_seconds(cache: Cache) -> None:
    await cache.set("key", 1, 60)
    assert 59 < (await cache.ttl("key") or 0) <= 60
    await cache.set("hour", 1)
    assert 3599 < (await cache.ttl("hour") or 0) <= 3600
    await cache.set("ever", 1, None)
    assert await cache.ttl("ever") is None and await cache.exists("ever")
    assert await cache.ttl("nothing") is None


async def test_a_value_is_gone_when_it_has_expired(cache: Cache) -> None:
    await cache.set("key", 1, "5m")
    _core.shift_clock(299)
    assert await cache.get("key") == 1
    _core.shift_clock(2)
    assert await cache.get("key") is None
    assert not await cache.exists("key")


@pytest.mark.parametrize("expire", [0, -1, float("nan"), "5 parsecs", "", True, object()])
def test_an_expire_that_cannot_be_meant_is_refused(expire: Any) -> None:
    async def run() -> None:
        with pytest.raises((ValueError, TypeError), match="expire"):
            await Cache("memory://").set("key", 1, expire)

    in_loop(run)


@pytest.mark.parametrize(
    ("key", "error"), [("", ValueError), (b"", ValueError), (42, TypeError), (None, TypeError), ("\ud800", ValueError)]
)
def test_a_key_that_is_not_text_is_refused_by_name(key: Any, error: type[Exception]) -> None:
    async def run() -> None:
        cache = Cache("memory://")
        for ask in (cache.get, cache.exists, cache.ttl, cache.delete, cache.invalidate, lambda k: cache.set(k, 1)):
            with pytest.raises(error, match="key"):
                await ask(key)

    in_loop(run)


@pytest.mark.parametrize("key", ["a b", "a\0b", "a\nb", "{a}", "é", "x" * 1_000_000, b"\xff\xfe", "*?[x]\\"])
def test_unusual_keys_are_keys(key: str | bytes) -> None:
    async def run() -> None:
        cache = Cache("memory://")
        await cache.set(key, 1)
        assert await cache.get(key) == 1
        assert await cache.delete(key) == 1
        assert await cache.get(key) is None

    in_loop(run)


async def test_text_and_its_bytes_are_one_key(cache: Cache) -> None:
    await cache.set("ключ", 1)
    assert await cache.get("ключ".encode()) == 1


async def test_long_keys_differ_in_their_tails(cache: Cache) -> None:
    await cache.set_many({"x" * 600 + "a": 1, "x" * 600 + "b": 2})
    assert await cache.get("x" * 600 + "a") == 1
    assert await cache.get("x" * 600 + "b") == 2
    assert len(_core.canonical_key("x" * 600)) == 512


async def test_what_has_no_codec_is_refused_when_it_is_set(cache: Cache) -> None:
    with pytest.raises(NotCacheable):
        await cache.set("key", object())
    assert await cache.get("key") is None


async def test_delete_counts_what_was_there(cache: Cache) -> None:
    await cache.set_many({"a": 1, "b": 2})
    assert await cache.delete("a", "b", "c") == 2
    assert await cache.delete() == 0
    assert await cache.get_many(["a", "b"]) == {}


async def test_delete_pattern_takes_what_matches_and_nothing_else(cache: Cache) -> None:
    await cache.set_many({"users_list:0:10": 1, "users_list:10:10": 2, "users_lists": 3})
    assert await cache.delete_pattern("users_list:*") == 2
    assert await cache.get_many(["users_list:0:10", "users_list:10:10", "users_lists"]) == {"users_lists": 3}


async def test_get_many_is_a_dict_of_those_found(cache: Cache) -> None:
    assert await cache.set_many({"a": None, "b": 2}, 60) == 2
    assert await cache.get_many(["a", "b", "c", "a"]) == {"a": None, "b": 2}
    assert await cache.get_many([]) == {}


async def test_a_tag_takes_all_that_carry_it(cache: Cache) -> None:
    await cache.set("a", 1, tags=["users"])
    await cache.set("b", 2, tags=["users", "admins"])
    await cache.set("c", 3, tags=["admins"])
    assert await cache.invalidate(tags=["users"]) == Invalidation.CONFIRMED
    assert await cache.get_many(["a", "b", "c"]) == {"c": 3}


async def test_invalidate_takes_keys_and_tags_together(cache: Cache) -> None:
    await cache.set("a", 1)
    await cache.set("b", 2, tags=["t"])
    assert await cache.invalidate("a", tags=["t"])
    assert await cache.get_many(["a", "b"]) == {}


@pytest.mark.parametrize("tags", ["users", [1], [""], ["x" * 1025], [f"t{i}" for i in range(65)]])
def test_tags_that_cannot_be_meant_are_refused(tags: Any) -> None:
    async def run() -> None:
        with pytest.raises((TypeError, ValueError), match="tags"):
            await Cache("memory://")._store("key", b"1", codec=1, usable_for=1.0, tags=tags)

    in_loop(run)


async def test_clear_takes_everything(cache: Cache) -> None:
    await cache.set_many({"a": 1, "b": 2})
    assert await cache.clear() == Invalidation.CONFIRMED
    assert await cache.get_many(["a", "b"]) == {}


def test_a_pending_invalidation_is_false_in_a_condition() -> None:
    assert Invalidation.CONFIRMED and not Invalidation.PENDING


async def test_fresh_is_now_or_seconds(cache: Cache) -> None:
    await cache.set("key", 1)
    assert await cache.get("key", fresh="now") == 1
    assert await cache.get("key", fresh=0.5) == 1
    for fresh in ("soon", -1, float("nan"), True):
        with pytest.raises(ValueError, match="fresh"):
            cache.get("key", fresh=fresh)


def test_an_unknown_argument_of_get_is_named() -> None:
    with pytest.raises(TypeError, match="defualt"):
        Cache("memory://").get("key", defualt=1)  # type: ignore[call-arg]


async def test_a_version_is_an_unsigned_64_bit_number(cache: Cache) -> None:
    assert await cache.set("key", 1, version=2**64 - 1)
    for version in (-1, 2**64, "1"):
        with pytest.raises((TypeError, ValueError)):
            await cache.set("key", 1, version=version)  # type: ignore[arg-type]


async def test_a_damaged_entry_is_a_miss_and_counted(cache: Cache) -> None:
    await cache._store("key", b"\xc1", codec=1, usable_for=60.0)
    assert await cache.get("key", default=MISSING) is MISSING
    assert cache.stats().decode_failures == 1
    assert cache.stats().memory["entries"] == 0


async def test_stats_are_json_and_tell_hits_from_misses(cache: Cache) -> None:
    await cache.get("a")
    await cache.set("a", 1)
    await cache.get("a")
    stats = json.loads(json.dumps(cache.stats()))
    assert (stats["hits"], stats["misses"], stats["hit_ratio"]) == (1, 1, 0.5)
    assert stats["memory"]["entries"] == 1 and stats["memory"]["bytes"] > 0
    assert stats["redis"]["state"] == "none"
    assert cache.stats().hits == 1
    with pytest.raises(AttributeError):
        _ = cache.stats().hitz


def test_stats_can_be_asked_before_first_use() -> None:
    assert Cache("memory://").stats().hits == 0
    assert Cache("redis://127.0.0.1:1").stats().redis["state"] == "idle"


async def test_every_memory_cache_is_a_store_of_its_own(cache: Cache) -> None:
    await cache.set("key", 1)
    assert await Cache("memory://").get("key") is None


def test_a_bad_url_is_refused_when_the_cache_is_made() -> None:
    with pytest.raises(ConfigurationError):
        Cache("http://localhost")
    with pytest.raises(TypeError, match="op_timeout"):
        Cache("memory://", op_timeuot=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="op_timeout"):
        Cache(op_timeout=-1)


def test_its_repr_tells_no_password() -> None:
    cache = Cache("redis://ada:s3cret@127.0.0.1:1/0")
    assert "s3cret" not in repr(cache) and "127.0.0.1" in repr(cache)
    assert repr(RedisCache()) == "<RedisCache, not used yet>"


def test_client_insists_on_a_connection() -> None:
    async def run() -> None:
        async with Cache("memory://") as cache:
            with pytest.raises(RuntimeError, match="Redis not connected"):
                _ = cache.client

    in_loop(run)
    with pytest.raises(RuntimeError, match="Redis not connected"):
        _ = Cache("redis://127.0.0.1:1").client


def test_turned_off_it_keeps_nothing_and_loads_every_time() -> None:
    async def run() -> None:
        cache = Cache("memory://", enabled=False)
        assert not await cache.set("key", 1)
        assert await cache.get("key") is None
        calls = []
        for _ in range(2):
            assert await cache.get_or_load("key", lambda: calls.append(1) or 5) == 5
        assert len(calls) == 2
        assert await cache.invalidate("key")

    in_loop(run)


def test_redis_cache_reads_its_url_at_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIERCEL_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    cache = RedisCache()
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:7777/3")
    assert cache._settings.address == "redis://127.0.0.1:7777/3"
    monkeypatch.setenv("TIERCEL_URL", "memory://")
    assert RedisCache()._settings.in_memory


def test_lifespan_connects_and_lifespan_with_passes_on_the_state() -> None:
    from contextlib import asynccontextmanager

    seen: list[Any] = []

    @asynccontextmanager
    async def other(app: Any) -> Any:
        seen.append(app)
        yield {"db": 1}

    async def run() -> None:
        cache = Cache("memory://")
        async with cache.lifespan("app"):
            assert cache._connected
        assert not cache._connected
        async with cache.lifespan_with(other)("app") as state:
            assert cache._connected and state == {"db": 1}
        assert seen == ["app"] and not cache._connected

    in_loop(run)


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("tags", lambda cache: cache.set("key", 1, tags="users")),
        ("tags", lambda cache: cache.set_many({"key": 1}, tags="users")),
        ("tags", lambda cache: cache.get_or_load("key", lambda: 1, tags="users")),
        ("tags", lambda cache: cache.invalidate("key", tags=b"users")),
        ("keys", lambda cache: cache.get_many("abc")),
        ("loader", lambda cache: cache.get_or_load("key", 5)),
        ("key", lambda cache: cache.set(None, 1)),
        ("key", lambda cache: cache.exists(None)),
    ],
)
async def test_what_is_of_the_wrong_kind_is_named(cache: Cache, what: str, call: Callable[[Cache], Any]) -> None:
    with pytest.raises(TypeError, match=f"^{what}: expected "):
        await call(cache)


@pytest.mark.parametrize("version", [-1, 2**64, True, "1", 1.5])
async def test_a_version_is_a_number_of_64_bits(cache: Cache, version: Any) -> None:
    with pytest.raises(ValueError, match="version: expected an int"):
        await cache.set("key", 1, version=version)
