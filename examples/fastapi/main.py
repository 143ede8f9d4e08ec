"""Owns: the application, put together. Read this first, then cities.py and users.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response
from fastapi_swagger import patch_fastapi  # type: ignore[import-untyped]

from tiercel.fastapi import ResponseCacheMiddleware, cache_router

from . import cities_api, users_api
from .caching import cache
from .database import data_folder, database
from .filling import fill_if_missing


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    file = data_folder() / "cities.db"
    await fill_if_missing(file)
    database.open(file)
    await cache.connect()
    yield
    await cache.disconnect()
    await database.close()


app = FastAPI(
    title="The world's cities",
    description="Cities from GeoNames (CC BY 4.0), cached by Tiercel. Look at `X-Cache`, and at `/cache/stats`.",
    lifespan=lifespan,
    docs_url=None,  # patch_fastapi serves /docs with files from this machine (docs/decisions/0006-offline-docs.md)
    redoc_url=None,
    swagger_ui_oauth2_redirect_url=None,
)
app.add_middleware(ResponseCacheMiddleware, cache=cache, cache_ttl=60)
app.include_router(cities_api.router)
app.include_router(users_api.router)
app.include_router(cache_router(cache), prefix="/cache", tags=["statistics"])
patch_fastapi(app, swagger_ui_parameters={"tryItOutEnabled": True, "validatorUrl": None})


@app.get("/database", tags=["statistics"])
async def count_statements(response: Response) -> dict[str, int]:
    """How many statements the database was sent since the start. Ask again after a hit: it has not moved."""
    response.headers["Cache-Control"] = "no-store"
    return {"statements": database.statements}
