"""Vary: one variant for each value of the headers it names, at most 64, never with a star; and Origin as if always named."""

from __future__ import annotations

import asyncio
from typing import Any

from support.asgi import ask
from tiercel import Cache
from tiercel.fastapi import ResponseCacheMiddleware


def speaking(vary: str = "Accept-Language", **options: Any) -> tuple[ResponseCacheMiddleware, list[str]]:
    made: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        language = dict(scope["headers"]).get(b"accept-language", b"none")
        made.append(language.decode())
        await asyncio.sleep(0)
        headers = [(b"vary", vary.encode())] if vary else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": language})

    return ResponseCacheMiddleware(app, cache=options.pop("cache", None) or Cache("memory://"), **options), made


def language(value: str) -> list[tuple[str, str]]:
    return [("accept-language", value)]


async def test_each_value_has_a_response_of_its_own() -> None:
    app, made = speaking()
    for value in ("de", "en", "de, en", "DE"):
        assert (await ask(app, headers=language(value))).x_cache == "MISS"
    for value in ("de", "en", "de, en", "DE"):
        answer = await ask(app, headers=language(value))
        assert (answer.x_cache, answer.body) == ("HIT", value.encode())
    assert len(made) == 4


async def test_absent_and_empty_are_different_values() -> None:
    app, _ = speaking()
    await ask(app, headers=language(""))
    assert (await ask(app)).x_cache == "MISS"
    assert (await ask(app)).body == b"none"
    assert (await ask(app, headers=language(""))).body == b""


async def test_headers_that_vary_does_not_name_do_not_matter() -> None:
    app, _ = speaking()
    await ask(app, headers=[*language("de"), ("accept", "x")])
    assert (await ask(app, headers=[*language("de"), ("accept", "y")])).x_cache == "HIT"


async def test_two_hundred_values_take_no_more_than_sixty_four_places() -> None:
    app, _ = speaking()
    for number in range(200):
        assert (await ask(app, headers=language(f"x{number}"))).body == b"x%d" % number
    hits = [(await ask(app, headers=language(f"x{number}"))).x_cache for number in range(200)].count("HIT")
    assert hits == 64


async def test_values_that_come_together_take_no_more_places_either() -> None:
    app, _ = speaking()
    answers = await asyncio.gather(*(ask(app, headers=language(f"x{number}")) for number in range(200)))
    assert [answer.body for answer in answers] == [b"x%d" % number for number in range(200)]
    hits = [(await ask(app, headers=language(f"x{number}"))).x_cache for number in range(200)].count("HIT")
    assert hits == 64
    assert app.reserved == {}


async def test_values_that_come_together_over_redis_take_no_more_places_either(redis_server: Any) -> None:
    async with Cache(redis_server.url()) as cache:
        app, _ = speaking(cache=cache)
        await asyncio.gather(*(ask(app, headers=language(f"x{number}")) for number in range(100)))
        hits = [(await ask(app, headers=language(f"x{number}"))).x_cache for number in range(100)].count("HIT")
        assert 1 < hits <= 64
        assert app.reserved == {}
        assert (await ask(app, headers=language("x0"))).body == b"x0"


async def test_places_are_free_again_after_an_invalidation() -> None:
    app, _ = speaking()
    for number in range(64):
        await ask(app, headers=language(f"x{number}"))
    await ask(app, method="POST")
    await ask(app, headers=language("late"))
    assert (await ask(app, headers=language("late"))).x_cache == "HIT"
    assert (await ask(app, headers=language("x1"))).x_cache == "MISS"


async def test_vary_star_is_never_stored() -> None:
    for vary in ("*", "Accept, *"):
        app, _ = speaking(vary)
        await ask(app)
        assert (await ask(app)).x_cache == "MISS"


async def test_more_than_sixteen_names_are_not_stored() -> None:
    for count, expected in ((16, "HIT"), (17, "MISS")):
        app, _ = speaking(", ".join(f"x-{number}" for number in range(count)))
        await ask(app)
        assert (await ask(app)).x_cache == expected


async def test_a_request_with_origin_selects_as_if_every_response_said_vary_origin() -> None:
    app, _ = speaking(vary="")
    origin = [("origin", "https://a")]
    await ask(app)
    assert (await ask(app, headers=origin)).x_cache == "MISS"
    assert (await ask(app, headers=origin)).x_cache == "HIT"
    assert (await ask(app, headers=[("origin", "https://b")])).x_cache == "MISS"
    assert (await ask(app)).x_cache == "MISS"  # once: it moves behind the index
    assert (await ask(app)).x_cache == "HIT"
    assert (await ask(app, headers=origin)).x_cache == "HIT"  # and the two do not push each other aside


async def test_no_cache_replaces_the_one_variant() -> None:
    app, made = speaking()
    await ask(app, headers=language("de"))
    await ask(app, headers=language("en"))
    await ask(app, headers=[*language("de"), ("cache-control", "no-cache")])
    assert made == ["de", "en", "de"]
    for value in ("de", "en"):
        assert (await ask(app, headers=language(value))).x_cache == "HIT"


async def test_two_hundred_variants_do_not_outlive_the_response() -> None:
    cache = Cache("memory://")
    with cache.testing() as t:
        app, made = speaking(cache=cache, cache_ttl=60)
        for value in ("de", "de"):
            await ask(app, headers=language(value))
        t.advance(61)
        assert (await ask(app, headers=language("de"))).x_cache == "MISS"
    assert made == ["de", "de"]
