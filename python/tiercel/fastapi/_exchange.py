"""Owns: one request that memory did not answer. `Passage`: it goes past the cache, though it may invalidate. `Exchange`: Redis is
asked, then the application, whose answer is passed on as it comes and kept beside, and stored once it is whole.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from tiercel import _core
from tiercel._invalidation import is_confirmed
from tiercel.fastapi._note import Note
from tiercel.fastapi._policy import NO_RESPONSE
from tiercel.fastapi._routes import NOT_FOUND
from tiercel.fastapi._store import store_response

if TYPE_CHECKING:
    from tiercel.fastapi._middleware import Message, Receive, ResponseCacheMiddleware, Scope, Send

__all__ = ["Exchange", "Passage"]

log = logging.getLogger("tiercel.http")

CODEC_HTTP: Final = 4
ERRORS: Final = (500, 502, 503, 504)  # RFC 5861 4
RESTRICTING: Final = frozenset(("no-store", "no-cache", "private"))
SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))  # RFC 9110 9.2.1
OWN_HEADERS: Final = (b"x-cache", b"tiercel-cache-control")  # replaced, or for us alone


class Passage:
    """A request that is not looked up. Unsafe ones drop what is stored around their path, before their answer leaves and once more
    when the call has returned: FastAPI runs the exit code of `yield` dependencies, the usual place of commit(), after the response."""

    def __init__(
        self, cache: ResponseCacheMiddleware, request: _core.HttpRequest, note: Note, scope: Scope, send: Send
    ) -> None:
        self.middleware = cache
        self.request = request
        self.note = note
        self.scope = scope
        self._send = send
        self._drops: list[str] = []
        self._pending = False  # the last drop was not confirmed

    async def run(self, receive: Receive) -> None:
        try:
            await self.middleware.app(self.scope, receive, self.send)
        finally:
            await self.drop()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self.note_invalidation(message["status"])
            made_private_where_asked(self.middleware, self.note, self.scope)
            headers = outgoing(message, self.note, "BYPASS", self.middleware.x_cache)
            if self._gives_token(message["status"]) and self.middleware.token is not None:
                headers.append(self.middleware.token.given(self.scope))
            message = {**message, "headers": headers}
        await self._send(message)

    def _gives_token(self, status: int) -> bool:
        return self.request.unsafe and 200 <= status < 400 and not self._pending

    async def note_invalidation(self, status: int) -> None:
        if not 200 <= status < 400:
            return
        # A middleware further in may heed X-HTTP-Method-Override.
        overridden = self.scope["method"] not in SAFE_METHODS
        unsafe = self.request.unsafe_tags if self.request.unsafe or overridden else []
        self._drops = [*unsafe, *self.note.invalidates]
        await self.drop()

    async def drop(self) -> None:
        if self._drops:
            try:
                outcome = await self.middleware.cache._invalidate((), tuple(dict.fromkeys(self._drops)))
                self._pending = not is_confirmed(outcome)
            except Exception:
                self._pending = True
                log.exception("stored responses around %s could not be dropped", self.request.path)


class Exchange:
    def __init__(
        self,
        middleware: ResponseCacheMiddleware,
        request: _core.HttpRequest,
        tags: list[str],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self.middleware = middleware
        self.cache = middleware.cache
        self.request = request
        self.tags = tags
        self.scope = scope
        self.note: Note = None  # type: ignore[assignment]  # set before run()
        self.captured: Any = (
            None  # the stamps of `tags` from before the application was called; None: nothing is to be stored
        )
        self.index: bytes | None = None  # of the variants, as read
        self.decision: _core.HttpDecision | None = None
        self._receive = receive
        self._send = send
        self._stale: Any = None
        self._started = False
        self._replaced = False  # a stale response went out in place of an error
        self._whole = False
        self._kept = False
        self._handled: BaseException | None = None  # what was being handled when the application was called
        self._disconnected = False
        self.head = True  # the route answers HEAD
        self._chunks: list[bytes] | None = None
        self._size = 0
        self._trailers = False
        self._passage: Passage | None = None

    # Looking

    async def answered(self) -> bool:
        """Whether Redis had the answer, which is then on its way. If not, the stamps are taken."""
        found = await self._look(self.request.key)
        if isinstance(found, tuple):
            for message in found:
                await self._send(message)
            return True
        if (
            found.kind == "hit" and not self.request.head
        ):  # not for this request, or to be replaced: its read took no stamps
            found = await self.cache._read(NO_RESPONSE, capture=self.tags)
        if not found.degraded and not self.request.head:  # without Redis the stamps would be this process' own alone
            self.captured = found.captured
        return False

    async def _look(self, key: bytes) -> Any:
        """Messages; or the outcome of the last read, a miss or a hit that is not for this request."""
        outcome = await self.cache._read(key, capture=self.tags)
        if outcome.kind != "hit" or outcome.codec != CODEC_HTTP:
            return outcome
        found = self._for_this_request(outcome)
        if isinstance(found, bytes):
            self.index = outcome.payload
            outcome = await self.cache._read(found, capture=self.tags)
            if outcome.kind != "hit" or outcome.codec != CODEC_HTTP:
                return outcome
            found = self._for_this_request(outcome)
        elif self.request.origin:
            return outcome  # as if every response said Vary: Origin
        if not isinstance(found, tuple):
            return outcome
        if outcome.stale:
            self._stale = found
            return outcome
        return outcome if self.request.forced else found

    def _for_this_request(self, outcome: _core.Outcome) -> Any:
        return self.middleware.rules.answer(
            self.request, outcome.payload or b"", "STALE" if outcome.stale or outcome.degraded else "HIT"
        )

    # Passing on

    async def run(self) -> None:
        self._handled = sys.exc_info()[1]
        try:
            await self.middleware.app(self.scope, self.receive, self.send)
        except BaseException as error:
            if self._kept:  # BaseHTTPMiddleware ends a stream that was cut before it tells
                await self._drop_kept()
            if self._started or self._stale is None or not isinstance(error, Exception):
                raise
            log.warning("%s raised; a stale response was sent instead", self.request.path, exc_info=True)
            await self._send_stale()
        finally:
            if self._passage is not None:
                await self._passage.drop()

    async def _drop_kept(self) -> None:
        try:
            await self.cache._invalidate((), tuple(self.tags[:1]))
        except Exception:
            log.exception("the response of %s could not be dropped", self.request.path)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._whole:
            self._disconnected = True  # what the application ends now is cut short, whatever it says
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            message = {**message, "headers": list(message.get("headers", ()))}  # any iterable, by ASGI
            await self._start(message)
        elif self._replaced:
            return
        elif kind == "http.response.body":
            await self._body(message)
        else:
            self._chunks = (
                None  # pathsend, trailers, early hints and what may come: forwarded, and makes the response unstorable
            )
            await self._send(message)

    async def _start(self, message: Message) -> None:
        if self._stale is not None and message["status"] in ERRORS:
            self._replaced = True
            await self._send_stale()
            return
        self._started = True
        if self.note.invalidates:
            self._passage = Passage(self.middleware, self.request, self.note, self.scope, self._send)
            await self._passage.note_invalidation(message["status"])
        self._trailers = bool(message.get("trailers"))
        word = self._decide(message)
        await self._send({**message, "headers": outgoing(message, self.note, word, self.middleware.x_cache)})

    def _decide(self, message: Message) -> str:
        """Whether to keep the body, and the word for X-Cache."""
        facts = self.middleware.routes.facts(self.scope)
        policy = self.note.policy
        made_private_where_asked(self.middleware, self.note, self.scope)
        given, lifetime = (
            (True, policy.lifetime) if policy is not None else self.middleware.default_for(self.scope["path"])
        )
        headers = with_cache_control(message, self.note)
        for_clients = (
            self.note.cache_control if policy is not None and len(headers) > len(message.get("headers", ())) else None
        )
        if for_clients is not None and not said_in(for_clients) & RESTRICTING:
            headers.pop()  # the policy speaks to this cache, CacheControl to clients
        else:
            for_clients = None
        decision = _core.http_decide(
            self.request, message["status"], headers, given=given, lifetime=lifetime,
            stale=policy.stale if policy is not None else 0.0, is_public=policy is not None and policy.public,
            asks=facts.asks is not None, secured=facts.secured,
        )  # fmt: skip
        if for_clients is not None:
            decision.add(b"cache-control", for_clients.encode())
        self._advise()
        if decision.refusal is not None:
            return "BYPASS" if decision.bypassed or (facts.asks and facts.asks != NOT_FOUND) else "MISS"
        identity = self.middleware.identity_cookies
        if identity is not None and facts.cookies - identity:
            return "BYPASS"
        if self.scope["path"] != self.request.path or sys.exc_info()[1] is not self._handled:
            return "BYPASS"  # rewritten on the way, or an exception handler answers, who is given the whole Request
        if self._may_keep(decision) and not facts.invalidates:
            self.decision, self._chunks, self.head = decision, [], facts.head
        return "MISS"

    def _may_keep(self, decision: _core.HttpDecision) -> bool:
        too_long = decision.length is not None and decision.length > self.middleware.body_bytes_max
        tags_unstamped = bool(self.note.tags) and self.note.captured is None
        return not (too_long or tags_unstamped or self._disconnected or self.captured is None or self._trailers)

    async def _body(self, message: Message) -> None:
        chunks = self._chunks
        more = message.get("more_body", False)
        if chunks is not None:
            body = bytes(message.get("body", b""))
            self._size += len(body)
            if self._size > self.middleware.body_bytes_max or self._disconnected:
                self._chunks = None
            else:
                chunks.append(body)
        if not more and not self._whole:
            self._whole = True
            await self._keep()
        await self._send(message)

    async def _keep(self) -> None:
        """Before the last piece leaves: who has seen the whole response finds it stored."""
        chunks, decision = self._chunks, self.decision
        self._chunks = None
        if chunks is None or decision is None or decision.length not in (None, self._size):
            return
        self._kept = True
        try:
            await store_response(self, decision, b"".join(chunks))
        except Exception:
            log.exception("the response of %s could not be stored", self.request.path)

    async def _send_stale(self) -> None:
        self._started = True
        for message in self._stale:
            await self._send(message)

    def _advise(self) -> None:
        request, advised = self.request, self.middleware.advised
        if (
            not (request.would_hit and request.by_cookie_alone)
            or self.middleware.identity_cookies is not None
            or len(advised) >= 1000
        ):
            return
        route = getattr(self.scope.get("route"), "path", request.path)
        if route not in advised:
            advised.add(route)
            log.info("%s is stored, but went past the cache because the request has a cookie; identity_cookies=(…) of"
                     " ResponseCacheMiddleware names the cookies that tell callers apart", route)  # fmt: skip


def with_cache_control(message: Message, note: Note) -> list[Any]:
    headers = list(message.get("headers", ()))
    if note.cache_control is not None and not any(name.lower() == b"cache-control" for name, _ in headers):
        headers.append((b"cache-control", note.cache_control.encode()))
    return headers


def outgoing(message: Message, note: Note, word: str, mark: bool) -> list[Any]:
    """A list of its own: the application keeps what it sent."""
    headers = [pair for pair in with_cache_control(message, note) if pair[0].lower() not in OWN_HEADERS]
    if mark:
        headers.append((b"x-cache", word.encode()))
    return headers


def made_private_where_asked(middleware: ResponseCacheMiddleware, note: Note, scope: Scope) -> None:
    public = note.policy is not None and note.policy.public
    if note.cache_control is not None and not public and middleware.routes.facts(scope).asks:
        note.cache_control = made_private(note.cache_control)


def made_private(control: str) -> str:
    return control if said_in(control) & {"public", "private", "no-store", "s-maxage"} else f"private, {control}"


def said_in(control: str) -> set[str]:
    return {part.split("=")[0].strip() for part in control.split(",")}
