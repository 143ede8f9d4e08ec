"""Owns: what stands beside a route: CachePolicy, Invalidates, CacheControl. Each is FastAPI's `Depends` over a callable that only
notes in the scope what the middleware does.

(No `from __future__ import annotations`: FastAPI 0.115 cannot resolve the annotations of callable objects when they are text.)
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from fastapi import Depends, Response
from starlette.requests import HTTPConnection

from tiercel._errors import ConfigurationError
from tiercel._expiry import Expire, parse_duration, parse_expire
from tiercel._types import Tag
from tiercel.fastapi._note import notes_of
from tiercel.fastapi._routes import path_values
from tiercel.fastapi._templates import TagTemplates

__all__ = ["NO_RESPONSE", "CacheControl", "CachePolicy", "Control", "Invalidates", "Invalidation", "Policy"]

# A key under which nothing is ever stored: reading it takes the stamps of tags.
NO_RESPONSE = b"~http none"


def CachePolicy(
    *,
    expire: Expire,
    stale: float | str | timedelta | None = None,
    tags: Iterable[str | Tag] = (),
    public: bool = False,
) -> Any:
    """This route's responses are fresh for `expire`, unless they say otherwise themselves.

    `stale`: how much longer one may stand in for an error of the application. `tags`: with path parameters, "product:{id}".
    `public=True`: the answer is the same for every caller, although the route takes a Request, a header or a cookie; never on a route
    with a security scheme.
    """
    return Depends(
        Policy(
            parse_expire(expire),
            0.0 if stale is None else parse_duration(stale, "stale"),
            TagTemplates(tags, "tags"),
            public,
        )
    )


def Invalidates(*, tags: Iterable[str | Tag]) -> Any:
    """Answered with 2xx or 3xx, this route drops everything that carries one of the tags, beside what its path drops."""
    templates = TagTemplates(tags, "tags")
    if not templates.texts:
        raise ValueError("tags: it is empty; leave Invalidates out, the path is invalidated anyway")
    return Depends(Invalidation(templates))


def CacheControl(
    *,
    max_age: Expire = None,
    s_maxage: Expire = None,
    stale_while_revalidate: Expire = None,
    stale_if_error: Expire = None,
    public: bool = False,
    private: bool = False,
    no_cache: bool = False,
    no_store: bool = False,
    must_revalidate: bool = False,
    immutable: bool = False,
) -> Any:
    """The Cache-Control header for clients, where the handler set none. What this cache itself does is CachePolicy's business."""
    flags = {"public": public, "private": private, "no-cache": no_cache, "no-store": no_store}
    flags |= {"must-revalidate": must_revalidate, "immutable": immutable}
    times = {"max-age": max_age, "s-maxage": s_maxage}
    times |= {"stale-while-revalidate": stale_while_revalidate, "stale-if-error": stale_if_error}
    parts = [name for name, on in flags.items() if on]
    for name, value in times.items():
        if value is not None:
            seconds = 0 if value == 0 else int(parse_duration(value, name.replace("-", "_")))
            parts.append(f"{name}={seconds}")
    if not parts:
        raise ValueError("CacheControl: it says nothing; give max_age= or another directive")
    if public and private:
        raise ValueError("CacheControl: public and private exclude each other")
    return Depends(Control(", ".join(parts)))


class Policy:
    def __init__(self, lifetime: float | None, stale: float, tags: TagTemplates, public: bool) -> None:
        self.lifetime = lifetime
        self.stale = stale
        self.tags = tags
        self.public = public

    async def __call__(self, connection: HTTPConnection) -> None:
        tags = _filled(self.tags, connection)
        if tags is None:
            return  # the path's parameters are not valid: FastAPI answers 422
        for note in _notes(connection, "CachePolicy"):
            note.policy = self
            note.tags = tags
            if tags and note.wants_stamps:
                outcome = await note.cache._read(NO_RESPONSE, capture=tags)
                note.captured = None if outcome.degraded else outcome.captured


class Invalidation:
    def __init__(self, tags: TagTemplates) -> None:
        self.tags = tags

    async def __call__(self, connection: HTTPConnection) -> None:
        tags = _filled(self.tags, connection)
        for note in _notes(connection, "Invalidates"):
            note.invalidates.extend(tags or ())


class Control:
    def __init__(self, text: str) -> None:
        self.text = text
        self.shares = "public" in text or "s-maxage" in text

    async def __call__(self, connection: HTTPConnection, response: Response) -> None:
        noted = False
        for note in notes_of(connection.scope):
            note.cache_control, noted = self.text, True
        if not noted:
            response.headers.setdefault("cache-control", self.text)


def _notes(connection: HTTPConnection, what: str) -> list[Any]:
    notes = list(notes_of(connection.scope))
    if not notes and connection.scope["type"] == "http":
        raise ConfigurationError(
            f"{what}: the application has no ResponseCacheMiddleware; add app.add_middleware(ResponseCacheMiddleware)"
        )
    return notes


def _filled(templates: TagTemplates, connection: HTTPConnection) -> tuple[str, ...] | None:
    if not templates.names:
        return templates.texts
    values = path_values(connection.scope, templates.names)
    return None if values is None else templates.filled(values)
