"""What may be said of a cached function: expiry, tags, conditions, timeouts; what is refused, and when."""

from __future__ import annotations

import asyncio
import datetime
import functools
import logging
import re
from typing import Any

import pytest
from pydantic import BaseModel

from support.runs import run_child
from tiercel import Cache, NotCacheable, _codec, _core
from tiercel._types import Loaded


@pytest.fixture
def cache() -> Cache:
    return Cache("memory://")


Number = int


class Counted:
    """A function's body: counts, and answers what it is told to."""

    def __init__(self, answer: Any = 1) -> None:
        self.answer, self.calls = answer, 0

    def __call__(self) -> Any:
        self.calls += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def cached_async(cache: Cache, body: Counted, **options: Any) -> Any:
    options.setdefault("prefix", "f")

    @cache.cached(**options)
    async def f(x: int = 1) -> Any:
        return body()

    return f


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


# Expiry


@pytest.mark.parametrize(
    "expire", [60, "1m", 60.0, datetime.timedelta(minutes=1), lambda result: 60, lambda result: "1m"]
)
async def test_expire_is_seconds_text_timedelta_or_a_callable_of_the_result(cache: Cache, expire: Any) -> None:
    with cache.testing() as t:
        body = Counted()
        f = cached_async(cache, body, expire=expire)
        await f()
        t.advance(59)
        await f()
        assert body.calls == 1
        t.advance(2)
        await f()
        assert body.calls == 2


async def test_none_never_expires_and_an_hour_is_the_default(cache: Cache) -> None:
    with cache.testing() as t:
        ever, hour = Counted(), Counted()
        forever, default = cached_async(cache, ever, expire=None), cached_async(cache, hour, prefix="g")
        await forever(), await default()
        t.advance("59m")
        await forever(), await default()
        assert (ever.calls, hour.calls) == (1, 1)
        t.advance("400d")
        await forever(), await default()
        assert (ever.calls, hour.calls) == (1, 2)


@pytest.mark.parametrize("answer", [0, -1, datetime.timedelta(0)])
async def test_zero_or_less_from_a_callable_is_not_stored(cache: Cache, answer: Any) -> None:
    body = Counted()
    f = cached_async(cache, body, expire=lambda result: answer)
    assert await f() == await f() == 1 and body.calls == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"expire": 0}, "expire"), ({"expire": -1}, "expire"), ({"expire": float("nan")}, "expire"), ({"expire": "5x"}, "expire"),
        ({"jitter": 1.5}, "jitter"), ({"jitter": -0.1}, "jitter"), ({"jitter": float("nan")}, "jitter"), ({"jitter": "5x"}, "jitter"),
        ({"stale": 0}, "stale"), ({"stale": 1, "expire": None}, "stale"), ({"soft_timeout": 1}, "needs stale="),
        ({"hard_timeout": -1}, "hard_timeout"), ({"stale": 5, "soft_timeout": 3, "hard_timeout": 2}, "longer than hard_timeout"),
        ({"prefix": ""}, "prefix"), ({"prefix": "\ud800"}, "prefix"), ({"key": "a", "key_builder": str}, "only one"),
        ({"tags": ["user:{nope}"]}, "'nope'"), ({"tags": [""]}, "tags"), ({"tags": [str(n) for n in range(65)]}, "at most 64"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_a_value_error_at_decoration(cache: Cache, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cached_async(cache, Counted(), **options)


async def async_condition(result: Any) -> bool:
    return True


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"expire": True}, "expire"), ({"expire": []}, "expire"), ({"jitter": True}, "jitter"), ({"tags": "user"}, "tags"),
        ({"tags": [1]}, "tags"),
        ({"condition": 1}, "condition"), ({"condition": async_condition}, "condition"), ({"key_builder": "x"}, "key_builder"),
        ({"key_builder": async_condition}, "key_builder"), ({"prefix": 1}, "prefix"), ({"prefix": lambda: 1}, "parentheses"),
        ({"prefix": None}, "prefix"), ({"expires": 1}, "expires"),
    ],
)  # fmt: skip
def test_what_is_of_the_wrong_type_is_a_type_error_at_decoration(
    cache: Cache, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(TypeError, match=words):
        cached_async(cache, Counted(), **options)


async def test_a_partial_is_refused_because_its_key_would_not_tell_what_it_has_bound(cache: Cache) -> None:
    async def add(a: int, b: int) -> int:
        return a + b

    async def numbers(n: int) -> Any:
        yield n

    for partial in (
        functools.partial(add, 1),
        functools.partial(functools.partial(add, b=1), 1),
        functools.partial(numbers, 1),
    ):
        for options in ({"prefix": "f"}, {"key": "f"}, {"prefix": "f", "hard_timeout": 1}):
            for made in (partial, staticmethod(partial)):
                with pytest.raises(TypeError, match=r"functools\.partial\(.*cache \S+\(\) itself"):
                    cache.cached(**options)(made)  # type: ignore[call-overload]
    one, two = (functools.partial(cache.cached("f")(add), bound) for bound in (1, 2))
    assert [await one(1), await two(1), await one(1)] == [2, 3, 2]


async def test_a_bound_method_is_refused_where_its_receiver_stands_in_keys(cache: Cache) -> None:
    class Tenant:
        def __cache_key__(self) -> str:
            return "acme"

        async def get(self, x: int) -> int:
            return x

    with pytest.raises(TypeError, match=r"decorate \S+Tenant\.get\(\) in its class"):
        cache.cached("f")(Tenant().get)


def test_annotations_of_what_wraps_a_partial_or_is_an_object_with_call_are_found(cache: Cache) -> None:
    def add(a: Number, b: Number) -> int:
        return a + b

    wrapped = functools.wraps(functools.partial(add, 1))(lambda b: add(1, b))
    assert cache.cached("f")(wrapped).key(7) == "f:7"

    class Adds:
        def __call__(self, a: Number) -> int:
            return a

    assert cache.cached("f")(Adds()).key(7) == "f:7"


def test_what_is_no_function_or_yields_is_refused_at_decoration(cache: Cache) -> None:
    async def agenerator() -> Any:
        yield 1

    def generator() -> Any:
        yield 1

    class Class: ...

    class Yields:
        def __call__(self) -> Any:
            yield 1

    for wrong in (agenerator, generator, Yields()):
        with pytest.raises(TypeError, match="generator"):
            cache.cached("f")(wrong)
    for wrong in (Class, 3, None):
        with pytest.raises(TypeError, match="expected a function"):
            cache.cached("f")(wrong)  # type: ignore[call-overload]
    for plain in (lambda: 1, Counted()):
        with pytest.raises(ValueError, match=r"hard_timeout: .*\(\) is a `def` function"):
            cache.cached("f", hard_timeout=1)(plain)
    with pytest.raises(TypeError, match=r"tiercel\.Cache"):
        _core.CachedFunction(len, object(), None, ("f", "p", [], None, None), True, False)  # type: ignore[arg-type]


async def test_jitter_takes_away_a_share_by_chance(cache: Cache) -> None:
    for jitter, least in ((0.5, 50), ("20s", 80)):
        f = cached_async(cache, Counted(), expire=100, jitter=jitter)
        await f()
        policy = policy_of(f)
        lives = []
        for dice in (0.0, 0.5, 1.0):
            policy.dice = lambda dice=dice: dice
            lives.append(policy.loaded(1).usable_for)
        assert lives == [100, (100 + least) / 2, least]


def policy_of(function: Any) -> Any:
    """The Python object behind a native function."""
    import gc

    return next(found for found in gc.get_referents(function) if hasattr(found, "planner"))


# Tags and conditions


async def test_a_tag_drops_all_that_carry_it_and_no_other(cache: Cache) -> None:
    calls: list[Any] = []

    @cache.cached("user", tags=["users", "user:{user_id}", "of:{self.name}"])
    async def get_user(self: Any, user_id: int, page: int = 1) -> int:
        calls.append((user_id, page))
        return user_id

    class Named:
        name = "n"

        def __cache_key__(self) -> str:
            return self.name

    who = Named()
    for _ in range(2):
        for user, page in ((1, 1), (1, 2), (2, 1)):
            await get_user(who, user, page)
    assert len(calls) == 3
    await cache.invalidate(tags=["user:1"])
    for user, page in ((1, 1), (1, 2), (2, 1)):
        await get_user(who, user, page)
    assert calls[3:] == [(1, 1), (1, 2)]
    await cache.invalidate(tags=["of:n"])
    await get_user(who, 2)
    assert calls[5:] == [(2, 1)]


async def test_a_tag_without_a_text_of_its_own_is_a_type_error(cache: Cache) -> None:
    @cache.cached("f", exclude=["session"], tags=["s:{session}"])
    async def f(session: object) -> int:
        return 1

    with pytest.raises(TypeError, match="tags"):
        await f(object())


async def test_a_result_that_does_not_meet_the_condition_is_answered_to_all_and_not_stored(cache: Cache) -> None:
    body = Counted(None)
    f = cached_async(cache, body, condition=lambda result: result is not None)
    assert await f() is None and await f() is None and body.calls == 2
    assert await asyncio.gather(f(), f(), f()) == [None] * 3
    body.answer = 5
    assert await f() == 5
    calls = body.calls
    assert await f() == 5 and body.calls == calls


# Stale and timeouts


async def test_past_its_expiry_a_value_serves_while_one_refresh_runs(cache: Cache) -> None:
    with cache.testing() as t:
        body = Counted("old")
        f = cached_async(cache, body, expire=60, stale=60)
        await f()
        t.advance(61)
        body.answer = "new"
        assert await asyncio.gather(f(), f(), f()) == ["old"] * 3
        await settle()
        assert body.calls == 2 and await f() == "new" and body.calls == 2
        t.advance(121)
        body.answer = "newer"
        assert await f() == "newer"


async def test_a_refresh_that_fails_leaves_the_stale_value_until_it_runs_out(cache: Cache, caplog: Any) -> None:
    with cache.testing() as t:
        body = Counted("old")
        f = cached_async(cache, body, expire=60, stale=60)
        await f()
        t.advance(61)
        body.answer = LookupError("database")
        assert await f() == "old"
        await settle()
        assert await f() == "old"
        assert "the refresh of 'f:1' failed" in caplog.text
        t.advance(60)
        with pytest.raises(LookupError):
            await f()


async def test_with_a_soft_timeout_the_refresh_is_waited_for_a_while(cache: Cache) -> None:
    with cache.testing() as t:
        may_return, values = asyncio.Event(), ["old", "new"]

        @cache.cached("f", expire=60, stale=600, soft_timeout=0.02)
        async def f() -> str:
            value = values.pop(0)
            await may_return.wait()
            return value

        may_return.set()
        assert await f() == "old"
        t.advance(61)
        may_return.clear()
        assert await f() == "old"  # not within soft_timeout
        may_return.set()
        await settle()
        assert await f() == "new"
        t.advance(61)
        values.append("newer")
        assert await asyncio.gather(f(), f()) == ["newer", "newer"]  # within it, and one refresh for both


async def test_a_hard_timeout_ends_a_load(cache: Cache) -> None:
    cancelled = asyncio.Event()

    @cache.cached("f", hard_timeout=0.01)
    async def f() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(asyncio.TimeoutError):
        await f()
    assert cancelled.is_set()


# What cannot be cached


class Foreign:
    pass


async def test_strict_raises_and_otherwise_it_is_logged_once_counted_and_answered(cache: Cache, caplog: Any) -> None:
    answer = Foreign()
    f = cached_async(cache, Counted(answer))
    with cache.testing(), pytest.raises(NotCacheable, match="Foreign"):
        await f()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert await f() is answer
        assert [await f(2), await f(2)] == [answer, answer]
    assert len([r for r in caplog.records if "Foreign" in r.message]) == 1
    assert cache.stats().verify_failures >= 1


async def coroutine() -> int:
    return 1


async def test_generators_coroutines_and_responses_are_refused_and_never_shared(cache: Cache, caplog: Any) -> None:
    from starlette.responses import PlainTextResponse

    made: list[Any] = []

    def answers(kind: str) -> Any:
        made.append(
            {"generator": lambda: (x for x in [1]), "coroutine": coroutine, "response": lambda: PlainTextResponse("x")}[
                kind
            ]()
        )
        return made[-1]

    for kind in ("generator", "coroutine", "response"):

        @cache.cached(kind)
        async def f(kind: str) -> Any:
            return answers(kind)

        with cache.testing(), pytest.raises(NotCacheable, match=r"f\(\) returned a"):
            await f(kind)
        first, second = await asyncio.gather(f(kind), f(kind))
        assert first is not second
        if kind == "coroutine":
            for call in made[-3:]:
                call.close()
        assert f"returned a {type(first).__name__}" in caplog.text


class Lossy(BaseModel):
    """Comes out with another value than it went in with."""

    when: str

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        object.__setattr__(self, "when", self.when + "!")


async def test_what_comes_out_otherwise_than_it_went_in_leaves_the_function_uncached(cache: Cache, caplog: Any) -> None:
    calls: list[int] = []

    @cache.cached("lossy")
    async def f(x: int) -> Any:
        calls.append(x)
        return Lossy(when="now") if x else {"a": 1}

    policy = policy_of(f)
    await f(0)
    lossy = type(
        "Codec",
        (),
        {
            "id": 1,
            "name": "lossy",
            "encode": staticmethod(lambda value: b"x"),
            "decode": staticmethod(lambda payload: "x"),
        },
    )
    policy.codec = lossy
    policy._stores = 1000  # the next store is one that is looked at
    await f(1)
    await f(1)
    await f(0)
    assert calls == [0, 1, 1, 0]
    assert "stays uncached" in caplog.text and cache.stats().verify_failures == 1


async def test_one_store_in_a_thousand_is_decoded_and_compared(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(_codec, "verify", lambda codec, value, payload: seen.append(value))
    f = cached_async(cache, Counted())
    policy = policy_of(f)
    policy.codec = _codec.UNTYPED
    loads = [policy.loaded(n) for n in range(2001)]
    assert seen == [0, 1000, 2000] and all(isinstance(load, Loaded) for load in loads)


# What is stored and does not decode


class User(BaseModel):
    id: int


async def test_an_entry_that_does_not_decode_is_a_miss_counted_and_replaced(cache: Cache) -> None:
    calls: list[int] = []

    @cache.cached("user")
    async def get_user(user_id: int) -> User:
        calls.append(user_id)
        return User(id=user_id)

    await get_user(1)
    codec = policy_of(get_user).codec
    await cache._store("user:1", b'{"id": "no number"}', codec=codec.id, usable_for=60)
    assert await get_user(1) == User(id=1) and await get_user(1) == User(id=1)
    assert calls == [1, 1] and cache.stats().decode_failures == 1
    await cache.set("user:1", "of another codec")
    assert await get_user(1) == User(id=1) and calls == [1, 1, 1]
    assert await get_user(1) == User(id=1) and calls == [1, 1, 1]


async def test_a_function_reads_what_the_cache_was_given_under_its_key(cache: Cache) -> None:
    @cache.cached("n")
    async def f(x: int) -> Any:
        return x

    await cache.set("n:1", {"by": "hand"})
    assert await f(1) == {"by": "hand"}
    await cache.delete("n:1")
    assert await f(1) == 1 and await cache.get("n:1") == 1


async def test_long_keys_are_one_entry_for_function_and_cache(cache: Cache) -> None:
    body: list[str] = []

    @cache.cached("long")
    async def f(x: str) -> int:
        body.append(x)
        return len(x)

    text = "é" * 1000
    assert await f(text) == await f(text) == 1000 and len(body) == 1
    assert await cache.get(f.key(text)) == 1000
    await cache.delete(f"long:{text}")
    await f(text)
    assert len(body) == 2


# Loads


async def test_callers_at_once_share_one_load_and_each_has_a_copy(cache: Cache) -> None:
    body = Counted([1])
    release = asyncio.Event()

    @cache.cached("f")
    async def f(x: int) -> list[int]:
        await release.wait()
        return body()

    tasks = [asyncio.ensure_future(f(1)) for _ in range(50)]
    await settle()
    release.set()
    values = await asyncio.gather(*tasks)
    assert body.calls == 1 and values == [[1]] * 50 and len({id(value) for value in values}) == 50
    assert sum(value is body.answer for value in values) == 1


async def test_cancelling_the_first_caller_harms_no_other(cache: Cache) -> None:
    release = asyncio.Event()
    body = Counted("value")

    @cache.cached("f")
    async def f() -> str:
        await release.wait()
        return body()

    first, second = asyncio.ensure_future(f()), asyncio.ensure_future(f())
    await settle()
    first.cancel()
    await settle()
    release.set()
    assert await second == "value" and body.calls == 1


def test_caching_switched_off_calls_straight_through() -> None:
    program = (
        "import asyncio; from tiercel import Cache; cache = Cache('memory://'); n = []\n"
        "@cache.cached('f')\nasync def f(x): n.append(x); return object()\n"
        "@cache.cached('g')\ndef g(x): n.append(x); return x\n"
        "async def main():\n"
        "  await f(1); await f(1); await f.refresh(object); g(1); g(1); g.refresh(1); print(len(n), f.key(1))\n"
        "asyncio.run(main())"
    )
    for setting, expected in (("0", "6 f:~i1"), ("false", "6 f:~i1")):
        assert run_child(program, environment={"TIERCEL_ENABLED": setting}).strip() == expected


@pytest.mark.parametrize(("early", "error", "words"), [
    (True, TypeError, "early: expected a number such as 1.0, or 0 for no early refresh, not bool"),
    ("1", TypeError, "early: expected a number such as 1.0, or 0 for no early refresh, not str"),
    (-1, ValueError, "early: -1 is not a number from 0 (no early refresh) to 1000; 1 is the usual one"),
    (float("nan"), ValueError, "early: nan is not a number from 0"),
])  # fmt: skip
def test_early_that_cannot_be_is_refused(early: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        Cache("memory://").cached(prefix="p", early=early)


async def test_a_tag_of_the_result_may_be_an_item_of_a_mapping() -> None:
    async with Cache("memory://") as cache:

        @cache.cached(prefix="member", tags=["members", "team:{result.team}"])
        async def member(number: int) -> dict[str, str]:
            return {"team": "blue"} if number else {}

        await member(1)
        assert await cache.invalidate(tags=["team:blue"])
        assert not await cache.exists("member:1")
        with pytest.raises(AttributeError, match=r"'team:\{result.team\}': a dict has nothing at 'team'"):
            await member(0)


async def test_nothing_has_no_version_and_no_tags() -> None:
    async with Cache("memory://") as cache:

        @cache.cached(prefix="row", tags=lambda row: [row["tag"]], version=lambda row: row["version"])
        async def row(number: int) -> dict[str, int] | None:
            return None

        assert await row(1) is None
        assert await cache.exists("row:1")
        found = await cache.get_or_load("x", lambda: None, version=lambda row: row["v"], tags=lambda row: [row["t"]])
        assert found is None and await cache.exists("x")
