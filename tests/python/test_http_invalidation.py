"""Unsafe requests drop the stored responses of their path, of the path above it and of all below, whatever the query."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.asgi import App, ask
from tiercel import Cache
from tiercel.fastapi import ResponseCacheMiddleware


class Shop:
    """An application with one number, read by GET and changed by everything else."""

    def __init__(self, **options: Any) -> None:
        self.number = 0
        self.status = 200
        self.commit_late = False
        self.app = ResponseCacheMiddleware(self.answer, cache=Cache("memory://"), **options)

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        unsafe = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if unsafe and not self.commit_late:
            self.number += 1
        await send({"type": "http.response.start", "status": self.status if unsafe else 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % self.number})
        if unsafe and self.commit_late:
            self.number += 1

    async def get(self, path: str, **options: Any) -> tuple[str | None, bytes]:
        answer = await ask(self.app, path, **options)
        return answer.x_cache, answer.body


STORED = [
    "/",
    "/cities",
    "/cities?country=FI&skip=1",
    "/cities/",
    "/cities/42",
    "/cities/42?full=1",
    "/cities/42/streets/7",
    "/cities/43",
    "/towns",
    "/citie",
]
DROPPED = [
    "/cities",
    "/cities?country=FI&skip=1",
    "/cities/",
    "/cities/42",
    "/cities/42?full=1",
    "/cities/42/streets/7",
]


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE", "PURGEALL"])
async def test_the_path_the_one_above_and_all_below_are_dropped(method: str) -> None:
    shop = Shop()
    for path in STORED:
        await shop.get(path)
    await ask(shop.app, "/cities/42", method)
    for path in STORED:
        expected = ("MISS", b"1") if path in DROPPED else ("HIT", b"0")
        assert await shop.get(path) == expected, path


async def test_percent_encodings_and_hosts_of_one_path_are_dropped_together() -> None:
    shop = Shop()
    await shop.get("/caf%C3%A9", host="one")
    await shop.get("/caf%c3%a9", host="two")
    await ask(shop.app, "/caf%C3%A9", "DELETE", host="one")
    assert (await shop.get("/caf%c3%a9", host="two"))[0] == "MISS"
    assert (await shop.get("/caf%C3%A9", host="one"))[0] == "MISS"


@pytest.mark.parametrize(
    ("status", "drops"), [(200, True), (204, True), (303, True), (400, False), (404, False), (500, False)]
)
async def test_only_an_answer_of_2xx_or_3xx_drops(status: int, drops: bool) -> None:
    shop = Shop()
    shop.status = status
    await shop.get("/cities/42")
    await ask(shop.app, "/cities/42", "PUT")
    assert (await shop.get("/cities/42"))[0] == ("MISS" if drops else "HIT")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE"])
async def test_safe_methods_drop_nothing(method: str) -> None:
    shop = Shop()
    await shop.get("/cities/42")
    await ask(shop.app, "/cities/42", method)
    assert (await shop.get("/cities/42"))[0] == "HIT"


async def test_the_drop_comes_before_the_answer_leaves() -> None:
    shop = Shop()
    await shop.get("/cities/42")
    found: list[Any] = []

    def look(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.append(shop.app.cache._find(_key(shop, "/cities/42")))

    assert shop.app.cache._find(_key(shop, "/cities/42")) is not None
    await ask(shop.app, "/cities/42", "PUT", on_message=look)
    assert found == [None]


async def test_a_commit_after_the_response_is_followed_by_a_second_drop() -> None:
    shop = Shop()
    shop.commit_late = True
    read_between: list[asyncio.Task[Any]] = []

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            await send(message)
            if scope["method"] == "PUT" and message["type"] == "http.response.body":
                read_between.append(asyncio.create_task(shop.get("/cities/42")))
                await read_between[0]  # a reader stores the old value after the response, before the commit

        await shop.answer(scope, receive, sending)

    shop.app.app = slow
    await shop.get("/cities/42")
    await ask(shop.app, "/cities/42", "PUT")
    assert read_between[0].result() == ("MISS", b"0")
    assert await shop.get("/cities/42") == ("MISS", b"1")


async def test_a_commit_that_fails_after_the_response_drops_all_the_same() -> None:
    shop = Shop()

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await shop.answer(scope, receive, send)
        if scope["method"] == "PUT":
            await shop.get("/cities/42")
            raise RuntimeError("the commit failed")

    shop.app.app = failing
    await shop.get("/cities/42")
    with pytest.raises(RuntimeError, match="the commit failed"):
        await ask(shop.app, "/cities/42", "PUT")
    assert (await shop.get("/cities/42"))[0] == "MISS"


async def test_a_response_made_before_an_invalidation_is_never_served_after_it() -> None:
    shop = Shop()
    reading, written = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            old = b"%d" % shop.number
            reading.set()
            await written.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": old})
        else:
            await shop.answer(scope, receive, send)

    shop.app.app = slow
    reader = asyncio.create_task(shop.get("/cities/42"))
    await reading.wait()
    await ask(shop.app, "/cities/42", "PUT")
    written.set()
    assert await reader == ("MISS", b"0")
    assert await shop.get("/cities/42") == ("MISS", b"1")
    assert await shop.get("/cities/42") == ("HIT", b"1")


async def test_a_variant_made_before_an_invalidation_is_never_served_after_it() -> None:
    app, cache = _varying(), Cache("memory://")
    wrapped = ResponseCacheMiddleware(app, cache=cache)
    for value in ("de", "en"):
        await ask(wrapped, headers=[("accept-language", value)])
    await ask(wrapped, method="PUT")
    for value in ("de", "en"):
        assert (await ask(wrapped, headers=[("accept-language", value)])).x_cache == "MISS"


def _varying() -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"vary", b"accept-language")]})
        await send({"type": "http.response.body", "body": b"x"})

    return app


def _key(shop: Shop, path: str) -> bytes:
    scope = {"type": "http", "method": "GET", "headers": [(b"host", b"test"), (b"cache-control", b"no-cache")], "scheme": "http",
             "root_path": "", "path": path, "raw_path": path.encode(), "query_string": b""}  # fmt: skip
    return bytes(shop.app.rules.find(scope).key)


async def test_paths_too_deep_to_be_invalidated_are_not_stored() -> None:
    shop = Shop()
    deep = "/d" * 33
    assert [await shop.get(deep) for _ in range(2)] == [("BYPASS", b"0")] * 2
    assert [(await shop.get("/d" * 32))[0] for _ in range(2)] == ["MISS", "HIT"]


async def test_an_endless_path_is_dropped_too() -> None:
    shop = Shop()
    path = "/" + "x" * 5000
    await shop.get(path + "/y")
    await ask(shop.app, path, "PUT")
    assert (await shop.get(path + "/y"))[0] == "MISS"


async def test_an_encoded_slash_hides_nothing_from_a_write() -> None:
    shop = Shop()
    for path in ("/files", "/files/a%2Fb", "/files/a"):
        await shop.get(path)
    await ask(shop.app, "/files/a%2Fb", "PUT")
    for path in ("/files", "/files/a%2Fb", "/files/a"):
        assert await shop.get(path) == ("MISS", b"1")


@pytest.mark.parametrize("written", ["/cities/1", "/api/cities/1"])
async def test_a_root_path_makes_no_second_resource(written: str) -> None:
    shop = Shop()
    for path in ("/cities", "/api/cities"):
        await shop.get(path, root_path="/api")
    await ask(shop.app, written, "PUT", root_path="/api")
    for path in ("/cities", "/api/cities"):
        assert await shop.get(path, root_path="/api") == ("MISS", b"1")


async def test_a_method_overridden_further_in_is_a_write() -> None:
    shop = Shop()

    async def overriding(scope: Any, receive: Any, send: Any) -> None:
        scope["method"] = dict(scope["headers"]).get(b"x-http-method-override", scope["method"].encode()).decode()
        await shop.answer(scope, receive, send)

    shop.app.app = overriding
    await shop.get("/x")
    await ask(shop.app, "/x", headers=[("x-http-method-override", "DELETE")])
    assert await shop.get("/x") == ("MISS", b"1")
