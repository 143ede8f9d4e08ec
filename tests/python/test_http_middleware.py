"""ResponseCacheMiddleware over bare ASGI applications: what is stored, what is served, and what goes past."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from support.asgi import Answer, App, ask, responding
from tiercel import Cache
from tiercel.fastapi import CREDENTIAL_HEADERS, ResponseCacheMiddleware


@pytest.fixture
def calls() -> list[Any]:
    return []


def cached(app: App, **options: Any) -> ResponseCacheMiddleware:
    return ResponseCacheMiddleware(app, cache=options.pop("cache", None) or Cache("memory://"), **options)


async def twice(app: App, *arguments: Any, **options: Any) -> list[str | None]:
    return [(await ask(app, *arguments, **options)).x_cache for _ in range(2)]


async def test_the_second_request_is_answered_from_the_cache(calls: list[Any]) -> None:
    app = cached(responding(b"hello", headers=[("content-type", "text/plain"), ("content-length", "5")], calls=calls))
    first, second = await ask(app), await ask(app)
    assert (first.x_cache, second.x_cache) == ("MISS", "HIT")
    assert (second.status, second.body, second.header("content-type"), second.header("age")) == (
        200,
        b"hello",
        "text/plain",
        "0",
    )
    assert first.header("age") is None
    assert len(calls) == 1


async def test_bodies_are_bytes_of_any_kind_and_header_lines_are_kept(calls: list[Any]) -> None:
    body = bytes(range(256)) * 4096  # 1 MiB
    app = cached(responding(body, headers=[("link", "<a>"), ("x-b", "\xe9"), ("link", "<b>")], calls=calls))
    await ask(app)
    hit = await ask(app)
    assert hit.x_cache == "HIT" and hit.body == body
    assert hit.lines("link") == ["<a>", "<b>"] and hit.lines("x-b") == ["\xe9"]


async def test_an_empty_body_is_a_response() -> None:
    app = cached(responding(b"", status=204))
    assert await twice(app) == ["MISS", "HIT"]
    assert (await ask(app)).status == 204


@pytest.mark.parametrize("status", [201, 203, 299])
async def test_complete_2xx_answers_are_stored(status: int) -> None:
    assert await twice(cached(responding(status=status))) == ["MISS", "HIT"]


@pytest.mark.parametrize("status", [206, 301, 302, 304, 400, 404, 416, 500, 503])
async def test_other_answers_are_not(status: int) -> None:
    assert await twice(cached(responding(status=status))) == ["MISS", "MISS"]


@pytest.mark.parametrize(
    "headers",
    [
        [("cache-control", "no-store")],
        [("cache-control", "private")],
        [("cache-control", "max-age=60, private=\"x\"")],
        [("cache-control", "max-age=60"), ("cache-control", "no-cache")],
        [("cache-control", "max-age=0")],
        [("cache-control", "s-maxage=0, max-age=60")],
        [("cache-control", "max-age=60"), ("set-cookie", "session=1")],
        [("expires", "0")],
        [("vary", "*")],
        [("content-length", "4")],
        [("content-length", "6")],
        [("x", "a\nb")],
        [("content-range", "bytes 0-4/10")],
    ],
)  # fmt: skip
async def test_what_a_response_forbids_is_not_stored(headers: list[tuple[str, str]]) -> None:
    assert await twice(cached(responding(b"hello", headers=headers))) == ["MISS", "MISS"]


@pytest.mark.parametrize("control", ["max-age=60", "s-maxage=60", "public, max-age=5"])
async def test_without_a_default_only_what_responses_say_is_stored(control: str) -> None:
    assert await twice(cached(responding(headers=[("cache-control", control)]), cache_ttl=None)) == ["MISS", "HIT"]
    assert await twice(cached(responding(), cache_ttl=None)) == ["MISS", "MISS"]


async def test_a_targeted_field_beats_cache_control_and_stays_here() -> None:
    app = cached(responding(headers=[("tiercel-cache-control", "max-age=60"), ("cache-control", "no-store")]))
    first, second = await ask(app), await ask(app)
    assert (first.x_cache, second.x_cache) == ("MISS", "HIT")
    for answer in (first, second):
        assert answer.header("tiercel-cache-control") is None
        assert answer.header("cache-control") == "no-store"


async def test_age_can_be_reset_where_cache_control_speaks_to_others() -> None:
    for control, expected in ((("tiercel-cache-control", "max-age=60"), None), (("x-none", "1"), "0")):
        app = cached(responding(headers=[("cache-control", "max-age=5"), control]), age="reset")
        await ask(app)
        assert (await ask(app)).header("age") == expected


async def test_path_rules_come_before_the_default() -> None:
    app = cached(responding(), paths={"/static/*": "1d", "/me*": None}, cache_ttl=60)
    assert await twice(app, "/static/x.css") == ["MISS", "HIT"]
    assert await twice(app, "/me/settings") == ["MISS", "MISS"]
    assert await twice(app, "/other") == ["MISS", "HIT"]
    assert await twice(cached(responding(), paths={"/static/*": 5}, cache_ttl=None), "/other") == ["MISS", "MISS"]


async def test_a_response_expires(calls: list[Any]) -> None:
    cache = Cache("memory://")
    with cache.testing() as t:
        app = cached(responding(calls=calls), cache=cache, cache_ttl=60)
        assert await twice(app) == ["MISS", "HIT"]
        t.advance(61)
        assert await twice(app) == ["MISS", "HIT"]
    assert len(calls) == 2


async def test_the_request_decides_whether_it_is_looked_up(calls: list[Any]) -> None:
    app = cached(responding(lambda: b"%d" % len(calls), calls=calls))
    await ask(app)
    for headers in (
        [("cache-control", "no-store")],
        [("range", "bytes=0-1")],
        [("if-match", "*")],
        [("upgrade", "websocket")],
        [("x-http-method-override", "DELETE")],
        [("content-length", "3")],
        [("transfer-encoding", "chunked")],
        [("host", "second")],
    ):
        assert (await ask(app, headers=headers)).x_cache == "BYPASS", headers
    assert (await ask(app, headers=[("content-length", "0")])).x_cache == "HIT"
    assert (await ask(app, headers=[("cache-control", "max-age=0")])).x_cache == "HIT"
    assert (await ask(app)).body == b"1"


async def test_no_cache_is_answered_by_the_application_and_replaces_what_is_stored(calls: list[Any]) -> None:
    app = cached(responding(lambda: b"%d" % len(calls), calls=calls))
    await ask(app)
    forced = await ask(app, headers=[("cache-control", "no-cache")])
    assert (forced.x_cache, forced.body) == ("MISS", b"2")
    assert ((await ask(app)).x_cache, (await ask(app)).body) == ("HIT", b"2")


async def test_get_and_head_share_what_get_stored(calls: list[Any]) -> None:
    app = cached(responding(b"hello", headers=[("content-length", "5")], calls=calls))
    assert (await ask(app, method="HEAD")).x_cache == "MISS"
    assert (await ask(app)).x_cache == "MISS"  # a HEAD poisons no GET
    head = await ask(app, method="HEAD")
    assert (head.x_cache, head.body, head.header("content-length")) == ("HIT", b"", "5")
    assert len(head.messages) == 2
    only_get = cached(responding(), cache_methods=["GET"])
    await ask(only_get)
    assert (await ask(only_get, method="HEAD")).x_cache == "BYPASS"


async def test_if_none_match_on_a_stored_response_is_a_304() -> None:
    app = cached(responding(headers=[("etag", '"v1"'), ("content-type", "text/plain"), ("x-kept", "1")]))
    await ask(app)
    answer = await ask(app, headers=[("if-none-match", 'W/"v1"')])
    assert (answer.status, answer.body, answer.header("etag"), answer.header("content-type")) == (
        304,
        b"",
        '"v1"',
        None,
    )
    assert answer.header("x-kept") == "1" and answer.x_cache == "HIT"
    assert (await ask(app, headers=[("if-none-match", '"v2"')])).status == 200


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("/a", {}), ("/A", {})),
        (("/a", {}), ("/%61", {})),
        (("/a/b", {}), ("/a%2Fb", {})),
        (("/a?b", {}), ("/a%3Fb", {})),
        (("/a?x=1&y=2", {}), ("/a?y=2&x=1", {})),
        (("/a?x=1", {}), ("/a?x=1&x=1", {})),
        (("/a", {}), ("/a?", {"host": "other"})),
        (("/a", {"scheme": "http"}), ("/a", {"scheme": "https"})),
        (("/a", {"root_path": ""}), ("/a", {"root_path": "/api"})),
        (("/\xff", {}), ("/\xfe", {})),
    ],
)
async def test_different_targets_are_different_resources(one: Any, other: Any) -> None:
    app = cached(responding())
    await ask(app, one[0], **one[1])
    assert (await ask(app, other[0], **other[1])).x_cache == "MISS"
    assert (await ask(app, one[0], **one[1])).x_cache == "HIT"


async def test_hosts_differ_by_port_and_not_by_case(calls: list[Any]) -> None:
    app = cached(responding(calls=calls))
    await ask(app, host="Example.com")
    assert (await ask(app, host="example.COM")).x_cache == "HIT"
    assert (await ask(app, host="example.com:8080")).x_cache == "MISS"
    assert (await ask(app, host="evil host")).x_cache == "BYPASS"


@pytest.mark.parametrize("header", CREDENTIAL_HEADERS)
async def test_a_request_with_credentials_gets_only_what_is_public(header: str, calls: list[Any]) -> None:
    app = cached(responding(lambda: b"%d" % len(calls), calls=calls))
    await ask(app)
    answer = await ask(app, headers=[(header, "alice")])
    assert (answer.x_cache, answer.body) == ("BYPASS", b"2")
    assert (await ask(app)).body == b"1"  # and what was made for alice is stored for nobody
    for control in ("public, max-age=60", "s-maxage=60"):
        public = cached(responding(headers=[("cache-control", control)]))
        assert await twice(public, headers=[(header, "alice")]) == ["MISS", "HIT"]
        assert (await ask(public)).x_cache == "HIT"


async def test_a_header_of_your_own_can_be_a_credential() -> None:
    app = cached(responding(), credential_headers=[*CREDENTIAL_HEADERS, "X-Tenant-Token"])
    assert await twice(app, headers=[("x-tenant-token", "alice")]) == ["BYPASS", "BYPASS"]


async def test_identity_cookies_leave_the_others_out_of_account(caplog: pytest.LogCaptureFixture) -> None:
    app = cached(responding(), identity_cookies=("session",))
    assert await twice(app, headers=[("cookie", "theme=dark")]) == ["MISS", "HIT"]
    assert (await ask(app, headers=[("cookie", "theme=dark; session=alice")])).x_cache == "BYPASS"
    assert (await ask(app, headers=[("cookie", "theme=dark"), ("authorization", "x")])).x_cache == "BYPASS"


async def test_the_first_bypass_by_a_cookie_is_explained_once(caplog: pytest.LogCaptureFixture) -> None:
    app = cached(responding())
    await ask(app)
    with caplog.at_level(logging.INFO, logger="tiercel.http"):
        await twice(app, headers=[("cookie", "theme=dark")])
    assert [record.message for record in caplog.records if "identity_cookies" in record.message] != []
    assert len(caplog.records) == 1


async def test_a_message_may_be_written_into_by_who_is_outside(calls: list[Any]) -> None:
    app = cached(responding(b"hello", headers=[("x-a", "1")], calls=calls))

    async def vandal(scope: Any, receive: Any, send: Any) -> None:
        async def changed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"][0] = (b"x-a", b"spoilt")
                message["headers"].append((b"x-more", b"1"))
            else:
                message["body"] = b"spoilt"
            message["status"] = 201
            await send(message)

        await app(scope, receive, changed)

    for _ in range(3):
        await ask(vandal)
    hit = await ask(app)
    assert (hit.status, hit.body, hit.lines("x-a"), hit.lines("x-more")) == (200, b"hello", ["1"], [])


async def test_an_application_keeps_the_message_it_sent() -> None:
    headers = [(b"x-a", b"1")]
    start = {"type": "http.response.start", "status": 200, "headers": headers}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": bytearray(b"hello")})

    wrapped = cached(app)
    first, second = await ask(wrapped), await ask(wrapped)
    assert headers == [(b"x-a", b"1")] and start["headers"] is headers
    assert (
        second.x_cache == "HIT" and type(second.messages[1]["body"]) is bytes and second.body == b"hello" == first.body
    )


async def test_x_cache_can_be_switched_off() -> None:
    app = cached(responding(), x_cache=False)
    assert await twice(app) == [None, None]


async def test_other_scopes_pass_untouched() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    wrapped = cached(app)
    for kind in ("websocket", "lifespan"):
        scope, receive, send = {"type": kind}, object(), object()
        await wrapped(scope, receive, send)  # type: ignore[arg-type]
        assert seen.pop() == ({"type": kind}, receive, send)


async def test_what_is_damaged_in_the_store_is_a_miss(calls: list[Any]) -> None:
    cache = Cache("memory://")
    app = cached(responding(calls=calls), cache=cache)
    await ask(app)
    key = app.rules.find(_scope("/forced")).key.replace(b"/forced", b"/")
    for payload, codec in (
        (b"", 4),
        (b"\x02\x00", 4),
        (b"\x01\x00\x00\x00", 4),
        (b"\x01\x01\x00\x00", 4),
        (b"hello", 1),
    ):
        await cache._store(key, payload, codec=codec, usable_for=60)
        assert (await ask(app)).x_cache == "MISS", payload
        assert (await ask(app)).x_cache == "HIT"


def _scope(path: str) -> Any:
    from support.asgi import scope_of

    return scope_of(path, "GET", [("cache-control", "no-cache")], "test", {})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cache_ttl": 0}, "cache_ttl"),
        ({"cache_ttl": -1}, "cache_ttl"),
        ({"cache_ttl": "5 parsecs"}, "cache_ttl"),
        ({"cache_methods": ["POST"]}, "cache_methods: POST"),
        ({"cache_methods": []}, "cache_methods"),
        ({"credential_headers": ["not a header"]}, "not a header"),
        ({"credential_headers": ["host"]}, "host"),
        ({"paths": {"static": 60}}, "paths: 'static'"),
        ({"paths": {"/static": 0}}, "paths"),
        ({"body_bytes_max": -1}, "body_bytes_max"),
        ({"age": "never"}, "age"),
    ],
)
def test_options_that_cannot_be_meant_are_value_errors(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        cached(responding(), **options)


async def test_an_http_1_0_request_without_host_is_answered() -> None:
    app = cached(responding())
    answers: list[Answer] = [await ask(app, host=None) for _ in range(2)]
    assert [answer.x_cache for answer in answers] == ["MISS", "HIT"]
