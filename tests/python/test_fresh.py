"""How fresh an answer must be: `fresh=` on reads, and the tokens that writes give. And invalidations that insist on being confirmed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tiercel import Cache, ConfigurationError, _fresh
from tiercel._invalidation import Invalidation


@pytest.fixture
def cache() -> Cache:
    return Cache("memory://")


READS: dict[str, Callable[[Cache, Any], Any]] = {
    "get": lambda cache, fresh: cache.get("key", fresh=fresh),
    "get_many": lambda cache, fresh: cache.get_many(["key"], fresh=fresh),
    "get_or_load": lambda cache, fresh: cache.get_or_load("key", lambda: 2, fresh=fresh),
    "exists": lambda cache, fresh: cache.exists("key", fresh=fresh),
}
ANSWERS = {"get": 1, "get_many": {"key": 1}, "get_or_load": 1, "exists": True}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "fresh", [None, "now", 0, 0.0, 0.5, 3, 1e12, "500ms", "1m30s", timedelta(seconds=1), timedelta(0)]
)
async def test_every_read_takes_every_form(cache: Cache, read: str, fresh: Any) -> None:
    await cache.set("key", 1)
    assert await READS[read](cache, fresh) == ANSWERS[read]
    assert await READS[read](cache, cache.token()) == ANSWERS[read]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "fresh",
    [
        "soon",
        "",
        "NOW",
        "5 parsecs",
        "x" * 100_000,
        -1,
        -0.5,
        float("nan"),
        True,
        b"now",
        [],
        timedelta(-1),
        -(10**400),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_name(cache: Cache, read: str, fresh: Any) -> None:
    with pytest.raises(ValueError, match=r'^fresh: expected "now", seconds') as refusal:
        await READS[read](cache, fresh)
    assert len(str(refusal.value)) < 300


def test_the_promise_is_a_setting_and_checked() -> None:
    assert Cache("memory://", staleness="250ms")._settings.staleness == 0.25
    for wrong in (0, -1, "soon", float("nan")):
        with pytest.raises(ConfigurationError, match="staleness"):
            Cache("memory://", staleness=wrong)


# Tokens


def reads_as(token: Any, namespace: str = "tiercel") -> float | None:
    return _fresh.parse_fresh(token, namespace)


async def test_a_confirmed_write_gives_a_token_that_reads_as_now(cache: Cache) -> None:
    invalidation = await cache.invalidate("key")
    assert reads_as(invalidation.token) == 0.0
    assert reads_as((await cache.clear()).token) == 0.0
    async with cache.writing(keys=["key"]) as write:
        assert write.token is None
    assert reads_as(write.token) == 0.0
    await cache.set("key", 1)
    assert reads_as(cache.token()) == 0.0
    assert Invalidation.PENDING.token is None


def test_a_token_says_nothing_after_a_minute(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    token, now = cache.token(), time.time()
    monkeypatch.setattr(_fresh.time, "time", lambda: now + 58)
    assert reads_as(token) == 0.0
    monkeypatch.setattr(_fresh.time, "time", lambda: now + 61)
    assert reads_as(token) is None


def test_what_is_no_token_of_this_namespace_says_nothing_and_is_no_error(cache: Cache) -> None:
    token = cache.token()
    head, digest, expiry = token.split(".")
    assert head == "t1" and len(digest) == 16 and len(token) <= 32
    assert reads_as(token, "shop") is None
    for length in range(3, len(token)):
        truncated = token[:length]
        assert reads_as(truncated) is None
    forged = [
        f"t1.{digest}.", f"t1.{digest}.0", f"t1.{digest}.-1", f"t1.{digest}.99999999999", f"t1.{digest}.{'9' * 100_000}",
        f"t1.{digest}.{expiry}\n", f"t1.{digest}.{expiry}.1", f"t1.{digest.upper()}x.{expiry}", f"t1.{digest}.{expiry} ",
        f"t1.{digest}.٣{expiry[1:]}", "t1.\ud800", "t1.\x00", "t1." + "a" * 1_000_000,
    ]  # fmt: skip
    for text in forged:
        assert reads_as(text) is None, text[:80]


def test_any_text_from_outside_may_be_asked_whether_it_is_a_token(cache: Cache) -> None:
    assert cache.fresh_of(cache.token()) == "now"
    for text in (None, "", "now", "soon", "500ms", "t1", "\ud800", cache.token()[:-1] + "x", "x" * 1_000_000):
        assert cache.fresh_of(text) is None


# Invalidations that insist


async def test_on_memory_an_invalidation_is_always_confirmed(cache: Cache) -> None:
    await cache.set("key", 1)
    assert (await cache.invalidate("key", strict=True)).confirmed
    assert await cache.delete_pattern("*", strict=True) == 0
    assert await cache.clear(strict=True)


def test_how_an_invalidation_stands_is_compared_by_that_alone() -> None:
    assert Invalidation(True, "t1.x") == Invalidation.CONFIRMED and hash(Invalidation(True)) == hash(
        Invalidation.CONFIRMED
    )
    assert Invalidation.CONFIRMED != Invalidation.PENDING and Invalidation.PENDING != False  # noqa: E712
    assert bool(Invalidation.CONFIRMED) and not Invalidation.PENDING
    assert repr(Invalidation.PENDING) == "<Invalidation pending>"
