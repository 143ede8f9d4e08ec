"""The middleware's freshness token: who has written in one process sees it in another, in stored responses and in handlers' reads."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from support.asgi import App, ask
from support.proxy import Proxy
from support.servers import Server
from support.waiting import eventually
from tiercel import Cache
from tiercel.fastapi import ResponseCacheMiddleware


class Shop:
    """One process of an application with a price, which its handlers read through a cached function."""

    def __init__(self, cache: Cache, prices: dict[str, int], **options: Any) -> None:
        @cache.cached("price", expire="5m")
        async def price() -> int:
            return prices["now"]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["method"] == "PUT":
                prices["now"] += 1
                await cache.invalidate(price.key())
            body = b"" if scope["method"] == "PUT" else str(await price()).encode()
            status = 500 if scope["path"] == "/fails" else 200
            length = str(len(body)).encode()
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", length)]})
            await send({"type": "http.response.body", "body": body})

        self.app: App = ResponseCacheMiddleware(app, cache_ttl=60, cache=cache, **options)


def brought(by: str, line: str | None) -> list[tuple[str, str]]:
    assert line is not None
    return [("tiercel-fresh", line)] if by == "header" else [("cookie", f"a=b; {line.split(';')[0]}")]


@pytest.mark.parametrize("by", ["header", "cookie"])
async def test_who_wrote_in_one_process_reads_it_in_another(redis_server: Server, by: Any) -> None:
    prices = {"now": 0}
    with Proxy(redis_server.port) as far:
        far.delay = 0.05  # what the reader's process is told comes late
        async with Cache(redis_server.url(), op_timeout=5) as one, Cache(far.url(), op_timeout=5) as two:
            await write_and_read(by, one, two, prices)


@pytest.mark.parametrize("tracking", ["off", "broadcast"])
async def test_it_holds_where_the_server_does_not_tell_in_time(redis_server: Server, tracking: str) -> None:
    prices = {"now": 0}
    given: dict[str, Any] = {"op_timeout": 5, "staleness": 5, "tracking": tracking}
    with Proxy(redis_server.port) as far:
        far.delay = 0.05
        async with Cache(redis_server.url(), **given) as one, Cache(far.url(), **given) as two:
            await write_and_read("header", one, two, prices)


async def write_and_read(by: Any, one: Cache, two: Cache, prices: dict[str, int]) -> None:
    options: dict[str, Any] = {"freshness_token": by, "identity_cookies": ["session"]}
    first, second = Shop(one, prices, **options), Shop(two, prices, **options)
    for number in range(1, 4):
        await ask(second.app, "/price")
        await asyncio.sleep(0.2)  # the push of its own load has come and gone
        assert (await ask(second.app, "/price")).x_cache == "HIT"
        wrote = await ask(first.app, "/price", "PUT")
        assert (
            await ask(second.app, "/price")
        ).x_cache == "HIT"  # who brings no token may get the old one for a moment
        line = wrote.header("tiercel-fresh" if by == "header" else "set-cookie")
        read = await ask(second.app, "/price", headers=brought(by, line))
        assert read.body == str(number).encode()
        read = await ask(second.app, f"/new{number}", headers=brought(by, line))  # the handler's own read
        assert read.body == str(number).encode()


async def test_a_cookie_is_what_it_should_be(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache:
        shop = Shop(cache, {"now": 0}, freshness_token="cookie")
        wrote = await ask(shop.app, "/price", "PUT")
        form = r"tiercel-fresh=t1\.[0-9a-f]{16}\.[0-9]{10}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax"
        assert re.fullmatch(form, wrote.header("set-cookie") or "")
        wrote = await ask(shop.app, "/price", "PUT", scheme="https")
        assert re.fullmatch(form + "; Secure", wrote.header("set-cookie") or "")


async def test_only_writes_that_succeeded_and_were_confirmed_give_one(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url(), op_timeout=2) as cache:
        shop = Shop(cache, {"now": 0}, freshness_token="header")
        assert (await ask(shop.app, "/price")).header("tiercel-fresh") is None
        assert (await ask(shop.app, "/fails", "PUT")).header("tiercel-fresh") is None
        assert (await ask(shop.app, "/price", "PUT")).header("tiercel-fresh") is not None
        assert (await ask(Shop(cache, {"now": 0}).app, "/price", "PUT")).header("tiercel-fresh") is None
        fresh_redis.stop()
        await eventually(lambda: cache.stats().redis["state"] != "ready")
        assert (await ask(shop.app, "/price", "PUT")).header("tiercel-fresh") is None


async def test_only_a_token_of_the_cache_costs_a_round_trip(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5, staleness=30) as cache:
        shop = Shop(cache, {"now": 0}, freshness_token="header")
        await ask(shop.app, "/price")
        asked = redis_server.calls("get")
        for text in ("", "now", "t1.", "t1.0000000000000000.9999999999", "x" * 10_000, "\xff"):
            assert (await ask(shop.app, "/price", headers=[("tiercel-fresh", text)])).x_cache == "HIT"
        assert redis_server.calls("get") == asked
        answer = await ask(shop.app, "/price", headers=[("tiercel-fresh", cache.token())])
        assert answer.x_cache == "HIT" and redis_server.calls("get") == asked + 1


async def test_on_memory_it_is_carried_and_costs_nothing() -> None:
    cache = Cache("memory://")
    shop = Shop(cache, {"now": 0}, freshness_token="header")
    line = (await ask(shop.app, "/price", "PUT")).header("tiercel-fresh")
    assert (await ask(shop.app, "/price", headers=brought("header", line))).body == b"1"
    assert (await ask(shop.app, "/price", headers=brought("header", line))).x_cache == "HIT"


@pytest.mark.parametrize("wrong", ["Cookie", "", True, 1])
def test_another_way_to_carry_it_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"^freshness_token: "):
        ResponseCacheMiddleware(
            Shop(Cache("memory://"), {"now": 0}).app, cache=Cache("memory://"), freshness_token=wrong
        )
