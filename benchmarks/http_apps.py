"""The applications that benchmarks/http.py puts behind uvicorn, by name: `uvicorn benchmarks.http_apps:NAME`."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI

from benchmarks.rivals.adapters import User, some_user
from tiercel import Cache
from tiercel.fastapi import ResponseCacheMiddleware

BODY = some_user(42).model_dump_json().encode()
HEADERS = [(b"content-length", str(len(BODY)).encode()), (b"content-type", b"application/json")]


async def bare(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: RET503
    """The least an ASGI application can do: two ready messages."""
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
    await send({"type": "http.response.body", "body": BODY})


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _application(**options: Any) -> FastAPI:
    application = FastAPI(**options)

    @application.get("/users/{user_id}")
    async def read_user(user_id: int) -> User:
        return some_user(user_id)

    return application


def _cached(url: str, **settings: Any) -> FastAPI:
    cache = Cache(url, **settings)
    application = _application(lifespan=cache.lifespan)
    application.add_middleware(ResponseCacheMiddleware, cache=cache, cache_ttl=3600)
    return application


uncached = _application()
memory = _cached("memory://")
redis = _cached(os.environ.get("BENCHMARK_REDIS", "memory://"), l1_bytes_max=0)
