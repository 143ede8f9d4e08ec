"""Streams: passed on as they come, kept beside up to a limit, stored only when they are whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from support.asgi import App, ask
from tiercel import Cache
from tiercel.fastapi import ResponseCacheMiddleware

START = {"type": "http.response.start", "status": 200, "headers": []}


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def sending(*messages: Any, raises: Exception | None = None, headers: Sequence[tuple[bytes, bytes]] = ()) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": list(headers)})
        for message in messages:
            await send(message)
        if raises is not None:
            raise raises

    return app


def cached(app: App, **options: Any) -> ResponseCacheMiddleware:
    return ResponseCacheMiddleware(app, cache=Cache("memory://"), **options)


async def test_each_piece_arrives_before_the_next_is_made() -> None:
    arrived = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(part(b"first "))
        await asyncio.wait_for(arrived.wait(), 5)  # set by the client when it has the first piece
        await send(part(b"last", more=False))

    def on_message(message: Any) -> None:
        if message.get("body") == b"first ":
            arrived.set()

    wrapped = cached(app)
    assert (await ask(wrapped, on_message=on_message)).body == b"first last"
    hit = await ask(wrapped)
    assert (hit.x_cache, hit.body) == ("HIT", b"first last")


async def test_a_stream_without_end_is_not_held_back_and_not_kept() -> None:
    seen: list[bytes] = []
    gone = asyncio.Event()

    async def events(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"content-type", b"text/event-stream")]})
        leaving = asyncio.create_task(receive_disconnect(receive))
        while not leaving.done():
            await send(part(b"data: x\n\n"))
            await asyncio.sleep(0)
        await send(part(b"", more=False))  # polite, but cut short all the same

    async def receive_disconnect(receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    def on_message(message: Any) -> None:
        seen.append(message.get("body", b""))
        if len(seen) == 10:
            gone.set()

    wrapped = cached(events)
    first = await ask(wrapped, disconnect=gone, on_message=on_message)
    assert first.body.startswith(b"data: x\n\ndata: x\n\n")
    gone.clear()
    seen.clear()
    assert (await ask(wrapped, disconnect=gone, on_message=on_message)).x_cache == "MISS"


async def test_what_is_longer_than_the_limit_passes_and_is_not_stored() -> None:
    pieces = [part(b"x" * 600), part(b"y" * 600, more=False)]
    assert (await ask(wrapped := cached(sending(*pieces), body_bytes_max=1199))).body == b"x" * 600 + b"y" * 600
    assert (await ask(wrapped)).x_cache == "MISS"
    await ask(wrapped := cached(sending(*pieces), body_bytes_max=1200))
    assert (await ask(wrapped)).x_cache == "HIT"


async def test_what_says_it_is_longer_is_not_even_kept() -> None:
    wrapped = cached(sending(part(b"x" * 9, more=False), headers=[(b"content-length", b"9")]), body_bytes_max=8)
    await ask(wrapped)
    assert (await ask(wrapped)).x_cache == "MISS"


@pytest.mark.parametrize("length", [b"9", b"11"])
async def test_a_body_that_is_not_as_long_as_it_says_is_not_stored(length: bytes) -> None:
    wrapped = cached(sending(part(b"x" * 5), part(b"y" * 5, more=False), headers=[(b"content-length", length)]))
    await ask(wrapped)
    assert (await ask(wrapped)).x_cache == "MISS"
    assert wrapped.cache.stats().stores == 0


async def test_a_body_without_end_is_not_stored() -> None:
    wrapped = cached(sending(part(b"begun")))
    await ask(wrapped)
    assert (await ask(wrapped)).x_cache == "MISS"


async def test_an_application_that_raises_within_the_body_is_not_stored() -> None:
    wrapped = cached(sending(part(b"begun"), raises=RuntimeError("lost its database")))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="lost its database"):
            await ask(wrapped)


async def test_a_client_that_leaves_within_the_body_leaves_nothing_stored() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        await send(part(b"one"))
        assert (await receive())["type"] == "http.disconnect"
        await send(part(b"", more=False))

    gone = asyncio.Event()
    gone.set()
    wrapped = cached(app)
    await ask(wrapped, disconnect=gone)
    assert (await ask(wrapped, disconnect=gone)).x_cache == "MISS"


async def test_a_client_whose_connection_breaks_leaves_nothing_stored() -> None:
    wrapped = cached(sending(part(b"one"), part(b"two", more=False)))

    def break_off(message: Any) -> None:
        if message.get("body") == b"one":
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await ask(wrapped, on_message=break_off)
    assert (await ask(wrapped)).x_cache == "MISS"


async def test_a_disconnect_after_the_whole_response_is_no_cut() -> None:
    gone = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(part(b"whole", more=False))
        gone.set()
        await receive()
        assert (await receive())["type"] == "http.disconnect"

    wrapped = cached(app)
    await ask(wrapped, disconnect=gone)
    assert (await ask(wrapped)).x_cache == "HIT"


@pytest.mark.parametrize(
    "kind", ["http.response.pathsend", "http.response.trailers", "http.response.early_hint", "http.response.debug"]
)
async def test_messages_we_do_not_know_are_forwarded_and_make_it_unstorable(kind: str) -> None:
    extra = {"type": kind, "path": "/etc/hostname"}
    wrapped = cached(sending(extra, part(b"x", more=False)))
    for _ in range(2):
        answer = await ask(wrapped)
        assert extra in answer.messages and answer.x_cache == "MISS"


async def test_the_whole_is_stored_before_its_last_piece_leaves() -> None:
    wrapped = cached(sending(part(b"one"), part(b"two", more=False)))
    found: list[Any] = []

    def look(message: Any) -> None:
        if message.get("body") == b"two":
            found.append(wrapped.rules.find({"type": "http", "method": "GET", "headers": [(b"host", b"test")], "scheme": "http",
                                             "root_path": "", "path": "/", "raw_path": b"/", "query_string": b""}))  # fmt: skip

    await ask(wrapped, on_message=look)
    assert isinstance(found[0], tuple)


async def test_chunks_that_are_reused_are_copied() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        buffer = bytearray(b"one")
        await send(START)
        await send({"type": "http.response.body", "body": buffer, "more_body": True})
        buffer[:] = b"two"
        await send({"type": "http.response.body", "body": memoryview(buffer), "more_body": False})

    wrapped = cached(app)
    await ask(wrapped)
    assert (await ask(wrapped)).body == b"onetwo"


async def test_a_stale_response_stands_in_for_an_error_where_the_response_allows_it() -> None:
    cache = Cache("memory://")
    broken: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if broken == ["raises"]:
            raise RuntimeError("lost its database")
        status = 503 if broken else 200
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"cache-control", b"max-age=10, stale-if-error=30")],
            }
        )
        await send(part(b"down" if broken else b"up", more=False))

    with cache.testing() as t:
        wrapped = ResponseCacheMiddleware(app, cache=cache)
        await ask(wrapped)
        t.advance(11)
        for broken[:] in (["503"], ["raises"]):
            answer = await ask(wrapped)
            assert (answer.status, answer.body, answer.x_cache, len(answer.messages)) == (200, b"up", "STALE", 2)
        t.advance(30)
        with pytest.raises(RuntimeError, match="lost its database"):
            await ask(wrapped)


async def test_a_stream_that_a_middleware_ends_before_it_says_that_it_was_cut_does_not_stay() -> None:
    """Starlette's BaseHTTPMiddleware sends the final piece first and raises afterwards."""
    app = FastAPI()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        raise RuntimeError("cut")

    @app.get("/")
    async def stream() -> StreamingResponse:
        return StreamingResponse(pieces())

    @app.middleware("http")
    async def through(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    wrapped = cached(app)
    for _ in range(3):
        with contextlib.suppress(Exception):
            answer = await ask(wrapped)
            assert answer.x_cache != "HIT"


async def test_headers_may_be_any_iterable() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": iter([(b"content-type", b"text/x"), (b"etag", b'"1"')])})
        await send(part(b"x", more=False))

    wrapped = cached(app)
    for word in ("MISS", "HIT"):
        answer = await ask(wrapped)
        assert (answer.x_cache, answer.header("content-type"), answer.header("etag")) == (word, "text/x", '"1"')


async def test_a_response_with_trailers_is_not_stored() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "trailers": True})
        await send(part(b"x", more=False))
        await send({"type": "http.response.trailers", "headers": [(b"x", b"y")], "more_trailers": False})

    wrapped = cached(app)
    for _ in range(2):
        answer = await ask(wrapped)
        assert answer.x_cache == "MISS" and answer.messages[-1]["type"] == "http.response.trailers"
