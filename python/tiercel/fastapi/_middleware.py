"""Owns: `ResponseCacheMiddleware`, a shared HTTP cache (RFC 9111) in front of an ASGI application. Pure ASGI: what it does not store
it passes through as it comes. A hit is one call into C++ and two sends; everything else is an `Exchange` (see _exchange.py).
"""

from __future__ import annotations

import fnmatch
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, Literal

from tiercel import _core
from tiercel._cache import Cache
from tiercel._expiry import Expire, parse_duration
from tiercel.fastapi._exchange import Exchange, Passage
from tiercel.fastapi._note import NOTE, Note
from tiercel.fastapi._routes import Routes
from tiercel.fastapi._token import carrier_of

__all__ = ["CREDENTIAL_HEADERS", "ResponseCacheMiddleware"]

log = logging.getLogger("tiercel.http")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# A request with one of these may tell its caller apart: it gets only what a response calls public.
CREDENTIAL_HEADERS: Final = (
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "x-auth-token",
    "x-access-token",
    "x-forwarded-user",
    "x-forwarded-access-token",
    "remote-user",
)
BODY_BYTES_MAX: Final = 4 << 20


class ResponseCacheMiddleware:
    """`app.add_middleware(ResponseCacheMiddleware, cache=cache, cache_ttl=60)`.

    cache_ttl: how long a response is fresh of which nothing else says it; None: only what responses, policies and `paths` say.
    cache_methods: GET and HEAD, or one of them. cache: the module-level `tiercel.cache` by default.
    paths: defaults by path, {"/static/*": "1d", "/me*": None}; the first pattern that matches decides, None: no default there.
    credential_headers: CREDENTIAL_HEADERS, or these and more of your own. identity_cookies: the cookies that tell callers apart; with
    them a Cookie header counts as a credential only if it holds one of them.
    body_bytes_max: longer bodies are passed through and not stored. x_cache: whether to send X-Cache.
    age: "reset" leaves Age out of hits whose Cache-Control speaks to clients while their lifetime here came from elsewhere, so that
    clients count from when they got it.
    freshness_token: "header" or "cookie": answers to writes give a token, tiercel-fresh, and a request that brings it within a minute sees
    those writes, in whatever process it lands.
    """

    def __init__(
        self,
        app: App,
        cache_ttl: Expire = 60,
        cache_methods: Iterable[str] | None = None,
        *,
        cache: Cache | None = None,
        paths: Mapping[str, Expire] | None = None,
        credential_headers: Iterable[str] = CREDENTIAL_HEADERS,
        identity_cookies: Iterable[str] | None = None,
        body_bytes_max: int = BODY_BYTES_MAX,
        x_cache: bool = True,
        age: Literal["send", "reset"] = "send",
        freshness_token: Literal["cookie", "header"] | None = None,
    ) -> None:
        self.app = app
        self.cache = _cache_or_default(cache)
        self.default = (
            None if cache_ttl is None else parse_duration(cache_ttl, "cache_ttl", advice="None means no default")
        )
        self.paths = _path_rules(paths or {})
        self.body_bytes_max = _checked_size(body_bytes_max)
        self.x_cache = x_cache
        if age not in ("send", "reset"):
            raise ValueError(f'age: {age!r} is neither "send" nor "reset"')
        self.reset_age = age == "reset"
        self.token = carrier_of(self.cache, freshness_token)
        self.identity_cookies = (
            None if identity_cookies is None else frozenset(_names(identity_cookies, "identity_cookies"))
        )
        self.routes = Routes(app, self.identity_cookies)
        self.reserved: dict[bytes, dict[bytes, int]] = {}  # variants on their way into a resource's index
        self.advised: set[str] = set()  # paths whose bypass by a cookie has been explained
        self.rules = _core.HttpRules(
            self.cache,
            credential_headers=[name.lower() for name in _names(credential_headers, "credential_headers")],
            identity_cookies=None if self.identity_cookies is None else sorted(self.identity_cookies),
            mark=x_cache,
            head="HEAD" in _methods(cache_methods),
        )
        self._inspected = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._pass(scope, receive, send)
            return
        if self.token is not None:
            await self.token.heed(scope)
        found = self.rules.find(scope)
        if type(found) is tuple:
            await send(found[0])
            await send(found[1])
            return
        await self._answer(found, scope, receive, send)

    async def _answer(self, request: _core.HttpRequest, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._inspected:
            self._inspect(scope.get("app", self.app))
        outer = scope.get(NOTE)
        tags = request.tags if request.looks else None
        if tags is None:
            note = scope[NOTE] = Note(self.cache, wants_stamps=False, outer=outer)
            await Passage(self, request, note, scope, send).run(receive)
            return
        exchange = Exchange(self, request, tags, scope, receive, send)
        if await exchange.answered():
            return
        scope[NOTE] = exchange.note = Note(self.cache, wants_stamps=not request.head, outer=outer)
        await exchange.run()

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lifespans and websockets go through untouched; but at start-up the application is looked at, and may be refused."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        try:
            self._inspect(scope.get("app", self.app))
        except Exception as error:
            if (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await self.app(scope, receive, send)

    def _inspect(self, app: Any) -> None:
        from tiercel.fastapi._startup import inspect_app

        inspect_app(
            app, by_default=self.default is not None or bool(self.paths), identity_cookies=self.identity_cookies
        )
        self._inspected = True

    def default_for(self, path: str) -> tuple[bool, float | None]:
        """Whether a path rule or cache_ttl says how long, and how long."""
        for matches, lifetime in self.paths:
            if matches(path):
                return lifetime is not None, lifetime
        return self.default is not None, self.default


def _cache_or_default(cache: Cache | None) -> Cache:
    if cache is not None:
        return cache
    from tiercel import cache as default

    return default


def _methods(given: Iterable[str] | None) -> frozenset[str]:
    if given is None:
        return frozenset(("GET", "HEAD"))
    methods = frozenset(method.upper() for method in _names(given, "cache_methods"))
    other = methods - {"GET", "HEAD"}
    if other:
        raise ValueError(f"cache_methods: {sorted(other)[0]} cannot be cached; GET and HEAD can")
    if "GET" not in methods:
        raise ValueError("cache_methods: without GET there is nothing to cache")
    return methods


def _names(given: Iterable[str], argument: str) -> list[str]:
    if isinstance(given, str):
        raise TypeError(f"{argument}: expected a list of str, not one str")
    names = list(given)
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(f"{argument}: {name!r} is not a name")
    return names


def _path_rules(paths: Mapping[str, Expire]) -> list[tuple[Callable[[str], Any], float | None]]:
    rules: list[tuple[Callable[[str], Any], float | None]] = []
    for pattern, expire in paths.items():
        if not pattern.startswith("/"):
            raise ValueError(f"paths: {pattern!r} does not begin with a slash")
        lifetime = None if expire is None else parse_duration(expire, f"paths[{pattern!r}]")
        rules.append((re.compile(fnmatch.translate(pattern)).match, lifetime))
    return rules


def _checked_size(body_bytes_max: int) -> int:
    if isinstance(body_bytes_max, bool) or not isinstance(body_bytes_max, int) or body_bytes_max < 0:
        raise ValueError(f"body_bytes_max: {body_bytes_max!r} is not a number of bytes")
    return body_bytes_max
