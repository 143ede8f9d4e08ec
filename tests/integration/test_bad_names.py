"""Tags, versions and tokens that cannot be meant: refused where they are given, by their argument, and nothing is stored."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from support.servers import Server
from tiercel import Cache
from tiercel._fresh import issue

Call = Callable[[Cache, Any], Awaitable[Any]]


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_server").url()
    async with Cache(url, op_timeout="5s") as cache:
        yield cache


async def by_function(cache: Cache, tags: Any) -> Any:
    @cache.cached("function", tags=tags)
    async def row() -> int:
        return 1

    return await row()


async def by_writing(cache: Cache, tags: Any) -> None:
    async with cache.writing(tags=tags):
        pass


CARRIERS: dict[str, Call] = {
    "set": lambda cache, tags: cache.set("key", 1, tags=tags),
    "set_many": lambda cache, tags: cache.set_many({"key": 1}, tags=tags),
    "get_or_load": lambda cache, tags: cache.get_or_load("key", lambda: 1, tags=tags),
    "cached": by_function,
}
NAMERS: dict[str, Call] = {
    **CARRIERS,
    "invalidate": lambda cache, tags: cache.invalidate(tags=tags),
    "writing": by_writing,
}
WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "an empty name": ([""], ValueError, "tags: it is empty"),
    "a name of 512 KiB": (["x" * (512 << 10)], ValueError, "tags: 524288 bytes, the limit is 1024"),
    "half a character": (["\ud800"], ValueError, "tags: '.ud800' has lone surrogates"),
    "one str": ("users", TypeError, "tags: expected a list"),
    "one bytes": (b"users", TypeError, "tags: expected a list"),
    "a number": (5, TypeError, "tags: expected a list"),
    "None": (None, TypeError, "tags: expected a list"),
    "bytes": ([b"users"], TypeError, "tags: expected a str"),
    "None in a list": ([None], TypeError, "tags: expected a str"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("call", NAMERS.values(), ids=NAMERS.keys())
async def test_tags_that_cannot_be_meant_are_refused_by_name(
    cache: Cache, call: Call, wrong: tuple[Any, type[Exception], str]
) -> None:
    given, error, said = wrong
    with pytest.raises(error, match=said):
        await call(cache, given)
    assert not await cache.exists("key")


@pytest.mark.parametrize("call", CARRIERS.values(), ids=CARRIERS.keys())
async def test_an_entry_carries_64_tags_and_no_65th(cache: Cache, call: Call) -> None:
    names = [f"tag-{number}" for number in range(65)]
    with pytest.raises(ValueError, match="tags: 65 of them; an entry carries at most 64"):
        await call(cache, names)
    assert await call(cache, names[:64])


@pytest.mark.parametrize("call", NAMERS.values(), ids=NAMERS.keys())
async def test_a_tag_said_65_times_is_one(cache: Cache, call: Call) -> None:
    await call(cache, ["twice"] * 65)
    await cache.invalidate(tags=["twice", "twice"])
    assert not await cache.exists("key") and not await cache.exists("function")


@pytest.mark.parametrize("call", CARRIERS.values(), ids=CARRIERS.keys())
async def test_no_tags_are_no_mistake(cache: Cache, call: Call) -> None:
    assert await call(cache, [])
    assert await cache.invalidate(tags=[])


async def test_keys_in_a_list_are_refused_with_advice(cache: Cache) -> None:
    for call in (cache.invalidate, cache.delete):
        with pytest.raises(
            TypeError, match=r"^key: expected a str or bytes, not list; several keys are given one by one"
        ):
            await call(["a", "b"])  # type: ignore[arg-type]


async def test_a_version_for_tags_alone_is_refused(cache: Cache) -> None:
    """It would be taken for a promise that it is not."""
    await cache.set("key", 1, tags=["t"], version=8)
    with pytest.raises(ValueError, match=r"^version: it says what of the keys may stay, and no key is given"):
        await cache.invalidate(tags=["t"], version=7)
    assert await cache.exists("key")


async def test_versions_that_go_backwards_leave_the_newer_everywhere(cache: Cache) -> None:
    version = 8

    @cache.cached("row", version=lambda _: version)
    async def row() -> int:
        return version

    assert await row() == 8
    for version in (7, 0):
        assert not await cache.set("row", version, version=version)
        assert await cache.get("row") == 8
    await cache.invalidate("row", version=8)
    assert await row() == 0  # loaded, and answered; Redis remembers for a minute that 8 is outdated
    for version in (2**64 - 1, 2**64 - 2):
        await cache.set("row", version, version=version)
    assert await cache.get("row") == 2**64 - 1


# ---- tokens


async def test_a_token_of_another_namespace_says_nothing_and_is_no_error(redis_server: Server) -> None:
    async with Cache(redis_server.url(), namespace="one") as one, Cache(redis_server.url(), namespace="two") as two:
        await two.set("key", 1)
        assert two.fresh_of(one.token()) is None
        assert await two.get("key", fresh=one.token()) == 1


async def test_a_token_of_another_redis_costs_a_round_trip_at_most(redis_server: Server, fresh_redis: Server) -> None:
    """It names a namespace, and no server: it can ask for nothing but for more freshness."""
    async with Cache(redis_server.url()) as here, Cache(fresh_redis.url()) as there:
        await here.set("key", "here")
        assert await here.get("key", fresh=there.token()) == "here"


@pytest.mark.parametrize(
    "text",
    [lambda token: token[:-1], lambda token: token[:20], lambda token: token[:3], lambda token: token + "0", str.upper,
     lambda token: token.replace("t1.", "t2."), lambda token: "t1." + "f" * 16 + token[19:]],
    ids=["its last digit gone", "half of it", "its beginning", "a digit more", "in capitals", "of another kind", "forged"],
)  # fmt: skip
async def test_no_token_that_was_damaged_or_forged_makes_a_read_fail(cache: Cache, text: Callable[[str], str]) -> None:
    await cache.set("key", 1)
    given = text(cache.token())
    assert cache.fresh_of(given) is None
    if given.startswith("t1."):
        assert await cache.get("key", fresh=given) == 1
    else:  # no token at all, so it is the program that is wrong
        with pytest.raises(ValueError, match=r"^fresh: expected"):
            await cache.get("key", fresh=given)


async def test_a_token_of_an_hour_ago_or_of_tomorrow_says_nothing(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for off in (-3600, 86_400):
        with monkeypatch.context() as patch:
            at = time.time() + off
            patch.setattr(time, "time", lambda at=at: at)
            token = issue("tiercel")
        assert cache.fresh_of(token) is None
