"""Owns: `cache_router(cache)`: statistics and metrics for whoever may see them; purging and keys only with an admin dependency."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from fastapi.params import Depends as DependsParameter
from fastapi.responses import JSONResponse, PlainTextResponse

from tiercel._cache import Cache

__all__ = ["cache_router"]

NO_STORE = {"cache-control": "no-store"}
KEYS_MAX = 1000


def cache_router(cache: Cache, *, admin: Any = None) -> APIRouter:
    """GET /stats and /metrics. With `admin=Depends(…)`, which must refuse who may not, also POST /purge and GET /keys."""
    if admin is not None and not isinstance(admin, DependsParameter):
        raise TypeError(f"admin: expected Depends(…), not {type(admin).__name__}")
    router = APIRouter()

    @router.get("/stats", response_class=JSONResponse)
    async def stats() -> JSONResponse:
        return JSONResponse(dict(cache.stats()), headers=NO_STORE)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        text = "".join(_metric_lines("tiercel", cache.stats()))
        return PlainTextResponse(text, headers=NO_STORE, media_type="text/plain; version=0.0.4")

    if admin is not None:
        _add_admin(router, cache, admin)
    return router


def _add_admin(router: APIRouter, cache: Cache, admin: Any) -> None:
    @router.post("/purge", dependencies=[admin])
    async def purge(
        keys: Annotated[list[str] | None, Body()] = None,
        tags: Annotated[list[str] | None, Body()] = None,
        pattern: Annotated[str | None, Body()] = None,
    ) -> JSONResponse:
        confirmed = True
        if keys or tags:
            confirmed = bool(await cache.invalidate(*(keys or ()), tags=tags or ()))
        removed = await cache.delete_pattern(pattern) if pattern else 0
        return JSONResponse({"confirmed": confirmed, "matching": removed}, headers=NO_STORE)

    @router.get("/keys", dependencies=[admin])
    async def keys(pattern: str = "*", limit: Annotated[int, Query(ge=1, le=KEYS_MAX)] = 100) -> JSONResponse:
        if cache._settings.in_memory:
            return JSONResponse({"detail": "memory:// does not list its keys"}, status_code=501, headers=NO_STORE)
        found: list[str] = []
        prefix = f"{cache._settings.namespace}:v:"
        async for key in cache.client.scan_iter(match=prefix + pattern):
            found.append(key.removeprefix(prefix))
            if len(found) == limit:
                break
        return JSONResponse({"keys": found}, headers=NO_STORE)


_NAME = re.compile(r"[^a-zA-Z0-9_]")
_GAUGES = ("bytes", "bytes_max", "entries", "hit_ratio", "protocol", "scripts", "invalidations_pending")


def _metric_lines(prefix: str, values: Mapping[str, Any]) -> Iterator[str]:
    """The Prometheus text format, version 0.0.4. Texts become labels of `<prefix>_info`."""
    texts: list[str] = []
    for name, value in values.items():
        metric = _NAME.sub("_", f"{prefix}_{name}")
        if isinstance(value, Mapping):
            yield from _metric_lines(metric, value)
        elif isinstance(value, str):
            texts.append(f'{name}="{_escaped(value)}"')
        elif isinstance(value, (int, float)):
            gauge = name in _GAUGES or isinstance(value, float)
            suffix, kind = ("", "gauge") if gauge else ("_total", "counter")
            yield f"# TYPE {metric}{suffix} {kind}\n{metric}{suffix} {float(value):g}\n"
    if texts:
        yield f"# TYPE {prefix}_info gauge\n{prefix}_info{{{','.join(texts)}}} 1\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
