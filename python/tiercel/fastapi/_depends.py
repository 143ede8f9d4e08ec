"""Owns: the cache as a FastAPI dependency. `get_cache` is what tests override: app.dependency_overrides[get_cache] = lambda: other."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from tiercel._cache import Cache
from tiercel.fastapi._note import notes_of

__all__ = ["CacheDep", "get_cache"]


async def get_cache(connection: HTTPConnection = None) -> Cache:  # type: ignore[assignment]
    """The cache of the response middleware around this request; without one the module-level `tiercel.cache`."""
    if connection is not None:
        for note in notes_of(connection.scope):
            return note.cache
    from tiercel import cache

    return cache


CacheDep = Annotated[Cache, Depends(get_cache)]
