"""The response cache behind a real server on a real socket: uvicorn with uvloop and httptools, and httpx in front."""

import gzip
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from support.serving import serving
from tiercel import Cache
from tiercel.fastapi import CachePolicy, ResponseCacheMiddleware

BINARY = os.urandom(1_000_000)
TEXT = b"all work and no play " * 500


class Site:
    """An application with one endpoint a feature, and what tests wait for or count."""

    def __init__(self, url: str = "memory://", before: Any = None, after: Any = None, **settings: Any) -> None:
        self.cache = Cache(url, **settings)
        self.app = FastAPI(lifespan=self.cache.lifespan)
        self.go_on = threading.Event()
        self.events_ended = threading.Event()
        self.numbers: dict[int, int] = {}
        self._routes(self.app)
        if before is not None:
            before(self.app)  # inside: nearer to the application
        self.app.add_middleware(ResponseCacheMiddleware, cache=self.cache, cache_ttl=60)
        if after is not None:
            after(self.app)

    def _routes(self, app: FastAPI) -> None:
        @app.get("/numbers/{number}")
        async def read(number: int) -> int:
            return self.numbers.get(number, 0)

        @app.put("/numbers/{number}")
        async def write(number: int, value: int) -> None:
            self.numbers[number] = value

        @app.get("/binary")
        async def binary() -> Response:
            return Response(BINARY, media_type="application/octet-stream")

        @app.get("/text")
        async def text() -> PlainTextResponse:
            return PlainTextResponse(TEXT)

        @app.get("/file")
        async def file() -> FileResponse:
            return FileResponse(__file__)

        @app.get("/stream")
        def stream() -> StreamingResponse:
            def pieces() -> Iterator[bytes]:
                yield b"first,"
                assert self.go_on.wait(10)
                yield b"last"

            return StreamingResponse(pieces(), media_type="text/plain")

        @app.get("/events")
        async def events(request: Request) -> StreamingResponse:
            import asyncio

            async def pieces() -> Any:
                try:
                    while not await request.is_disconnected():
                        yield b"data: tick\n\n"
                        await asyncio.sleep(0.01)
                finally:
                    self.events_ended.set()

            return StreamingResponse(pieces(), media_type="text/event-stream", headers={"cache-control": "max-age=60"})


def words(client: httpx.Client, path: str, **options: Any) -> list[str]:
    return [client.get(path, **options).headers["x-cache"] for _ in range(2)]


@pytest.fixture
def site() -> Iterator[tuple[Site, httpx.Client]]:
    one = Site()
    with serving(one.app) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield one, client


@pytest.mark.parametrize("settings", [{"loop": "uvloop", "http": "httptools"}, {"loop": "asyncio", "http": "h11"}])
def test_a_hit_is_the_response_again_whatever_the_loop_and_parser(settings: dict[str, Any]) -> None:
    with serving(Site().app, **settings) as url, httpx.Client(base_url=url) as client:
        first, second = client.get("/binary"), client.get("/binary")
        assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
        assert first.content == second.content == BINARY
        assert second.headers["content-length"] == "1000000"
        assert second.headers["content-type"] == first.headers["content-type"]
        assert len(second.headers.get_list("date")) == 1
        assert client.get("/nowhere").status_code == 404 and client.get("/nowhere").headers["x-cache"] == "MISS"
        assert client.get("/text").content == client.get("/text").content == TEXT


def test_the_first_piece_arrives_before_the_last_is_made(site: tuple[Site, httpx.Client]) -> None:
    one, client = site
    with client.stream("GET", "/stream") as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"first,"
        one.go_on.set()
        assert b"".join(pieces) == b"last"
    hit = client.get("/stream")
    assert (hit.headers["x-cache"], hit.content) == ("HIT", b"first,last")


def test_server_sent_events_are_not_held_back_and_end_with_their_client(site: tuple[Site, httpx.Client]) -> None:
    one, client = site
    for _ in range(2):
        one.events_ended.clear()
        with client.stream("GET", "/events") as response:
            assert response.headers["x-cache"] == "MISS"
            assert b"data: tick" in next(response.iter_raw())
        assert one.events_ended.wait(10)


def test_a_write_is_seen_by_the_next_read(site: tuple[Site, httpx.Client]) -> None:
    _, client = site
    assert words(client, "/numbers/1?x=1") == ["MISS", "HIT"]
    client.put("/numbers/1", params={"value": 7}).raise_for_status()
    answer = client.get("/numbers/1?x=1")
    assert (answer.headers["x-cache"], answer.json()) == ("MISS", 7)


def test_files_are_stored_and_answer_conditions(site: tuple[Site, httpx.Client]) -> None:
    _, client = site
    assert words(client, "/file") == ["MISS", "HIT"]
    answer = client.get("/file")
    assert answer.content == Path(__file__).read_bytes()
    assert client.get("/file", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert client.get("/file", headers={"range": "bytes=0-1"}).headers["x-cache"] == "BYPASS"


def test_head_is_answered_as_the_route_would(site: tuple[Site, httpx.Client]) -> None:
    _, client = site
    client.get("/text")
    assert client.head("/text").status_code == 405  # FastAPI's GET routes have no HEAD


def gzip_middleware(app: FastAPI) -> None:
    app.add_middleware(GZipMiddleware, minimum_size=100)


def cors(app: FastAPI) -> None:
    app.add_middleware(CORSMiddleware, allow_origins=["https://a", "https://b"], allow_credentials=True)


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_gzip_works_inside_and_outside(where: str) -> None:
    site = Site(before=gzip_middleware) if where == "inside" else Site(after=gzip_middleware)
    with serving(site.app) as url, httpx.Client(base_url=url) as client:
        for encoding in ("gzip", "identity", "gzip", "identity"):
            with client.stream("GET", "/text", headers={"accept-encoding": encoding}) as response:
                raw = b"".join(response.iter_raw())
            assert ("content-encoding" in response.headers) == (encoding == "gzip")
            assert (gzip.decompress(raw) if encoding == "gzip" else raw) == TEXT
        assert response.headers["x-cache"] == "HIT"


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_cors_works_inside_and_outside(where: str) -> None:
    site = Site(before=cors) if where == "inside" else Site(after=cors)
    with serving(site.app) as url, httpx.Client(base_url=url) as client:
        assert words(client, "/text") == ["MISS", "HIT"]
        for _ in range(2):
            for origin in ("https://a", "https://b"):
                answer = client.get("/text", headers={"origin": origin})
                assert answer.headers["access-control-allow-origin"] == origin
            assert "access-control-allow-origin" not in client.get("/text", headers={"origin": "https://evil"}).headers
            assert "access-control-allow-origin" not in client.get("/text").headers
        assert answer.headers["x-cache"] == "HIT"


def test_sub_applications_and_root_paths_have_their_own_resources() -> None:
    outer, cache = FastAPI(), Cache("memory://")
    for name in ("one", "two"):
        sub = FastAPI()

        @sub.get("/page", dependencies=[CachePolicy(expire=60, tags=["page"])])
        async def page(name: str = name) -> str:
            return name

        @sub.put("/page")
        async def change() -> None:
            pass

        outer.mount(f"/{name}", sub)
    outer.mount("/static", StaticFiles(directory=Path(__file__).parent))
    outer.add_middleware(ResponseCacheMiddleware, cache=cache)
    for root_path in ("", "/behind"):
        with serving(outer, root_path=root_path) as url, httpx.Client(base_url=url) as client:
            for name in ("one", "two"):
                assert words(client, f"/{name}/page") == ["MISS", "HIT"]
                assert client.get(f"/{name}/page").json() == name
            client.put("/one/page").raise_for_status()
            assert client.get("/one/page").headers["x-cache"] == "MISS"
            assert client.get("/two/page").headers["x-cache"] == "HIT"
            assert words(client, f"/static/{Path(__file__).name}") == ["MISS", "HIT"]


def test_a_client_that_leaves_in_the_middle_leaves_nothing_stored(site: tuple[Site, httpx.Client]) -> None:
    one, client = site
    with client.stream("GET", "/stream") as response:
        assert next(response.iter_raw()) == b"first,"
    one.go_on.set()
    assert client.get("/stream").headers["x-cache"] == "MISS"
    assert client.get("/stream").headers["x-cache"] == "HIT"


def test_raw_requests_that_disagree_with_themselves_are_not_stored(site: tuple[Site, httpx.Client]) -> None:
    _, client = site
    host, port = str(client.base_url.host), int(client.base_url.port or 0)
    for request in (b"GET /text HTTP/1.1\r\nHost: a\r\nX: \xff\xfe\r\nConnection: close\r\n\r\n",
                    b"GET /te%78t HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"):  # fmt: skip
        with socket.create_connection((host, port)) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert b"200 OK" in answer and b"x-cache: MISS" in answer


# Over Redis


def test_two_processes_share_what_is_stored_and_what_is_dropped(redis_server: Any) -> None:
    one, two = Site(redis_server.url()), Site(redis_server.url())
    two.numbers = one.numbers
    with (
        serving(one.app) as first,
        serving(two.app) as second,
        httpx.Client(base_url=first) as here,
        httpx.Client(base_url=second, headers={"host": here.base_url.netloc.decode()}) as there,
    ):
        assert here.get("/numbers/1").headers["x-cache"] == "MISS"
        assert there.get("/numbers/1").headers["x-cache"] == "HIT"
        there.put("/numbers/1", params={"value": 7}).raise_for_status()
        for client in (there, here):
            assert client.get("/numbers/1").json() == 7
        assert words(here, "/binary") == ["MISS", "HIT"]
        assert there.get("/binary").content == BINARY


def test_a_hit_that_comes_from_redis_every_time(redis_server: Any) -> None:
    site = Site(redis_server.url(), l1_bytes_max=0)
    with serving(site.app) as url, httpx.Client(base_url=url) as client:
        assert words(client, "/text") == ["MISS", "HIT"]
        languages = [{"accept-language": "de", "origin": "https://a"}, {"accept-language": "en", "origin": "https://b"}]
        for headers in languages:
            assert words(client, "/text", headers=headers) == ["MISS", "HIT"]


def test_redis_away_fails_no_request(fresh_redis: Any) -> None:
    site = Site(fresh_redis.url())
    with serving(site.app) as url, httpx.Client(base_url=url) as client:
        assert words(client, "/numbers/1") == ["MISS", "HIT"]
        fresh_redis.close()
        for value in (7, 8):
            client.put("/numbers/1", params={"value": value}).raise_for_status()
            for _ in range(3):
                assert client.get("/numbers/1").json() == value
