"""Owns: events and what they invalidate. Who changes something says what happened; here stands what that makes stale."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from tiercel._invalidation import Invalidation
from tiercel._types import Pattern, Tag

if TYPE_CHECKING:
    from tiercel._cache import Cache

__all__ = ["CacheInvalidator"]

Handler = TypeVar("Handler", bound=Callable[..., Any])
_NESTED_MAX = 8


class CacheInvalidator:
    """Events by declaration (`on`), by methods `on_<event>` of a subclass, or both; `emit` runs them all.

    A handler, plain or async, returns what is stale: a key, a `Pattern`, a `Tag`, an iterable of these, or None. A
    method may as well do it itself by `self.cache`. Declare events where the application starts; `emit` may be called
    from any task.
    """

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    def on(self, event: str) -> Callable[[Handler], Handler]:
        """Declares what an event makes stale. An event may have several handlers."""
        if not isinstance(event, str) or not event.isidentifier():
            raise ValueError(f"event: {event!r} is not a name")

        def declare(handler: Handler) -> Handler:
            if not callable(handler):
                raise TypeError(f"event {event!r}: the handler is not callable")
            self._declared().setdefault(event, []).append(handler)
            return handler

        return declare

    async def emit(self, event: str, /, **facts: Any) -> Invalidation:
        """Runs the event's handlers with the facts, then invalidates what they name: keys and tags in one round trip,
        then patterns.

        A handler that raises keeps nobody else from being heard: what the others named is invalidated, then its error
        is raised.
        """
        handlers = self._handlers(event)
        stale: list[Any] = []
        error: Exception | None = None
        for handler in handlers:
            try:
                answer = handler(**facts)
                stale.append(await answer if inspect.isawaitable(answer) else answer)
            except Exception as raised:
                error = error or raised
        keys, tags, patterns, amiss = _sorted(stale, event)
        confirmed = await self._invalidate(keys, tags, patterns)
        if error is not None or amiss is not None:
            raise error or amiss or AssertionError
        return confirmed

    @property
    def events(self) -> list[str]:
        """The names `emit` knows."""
        methods = {
            name[3:] for name in dir(type(self)) if name.startswith("on_") and callable(getattr(type(self), name))
        }
        return sorted(methods | self._declared().keys())

    def _handlers(self, event: str) -> list[Callable[..., Any]]:
        handlers = list(self._declared().get(event, ()))
        method = getattr(self, f"on_{event}", None) if isinstance(event, str) else None
        if callable(method):
            handlers.append(method)
        if not handlers:
            known = ", ".join(self.events) or "none; declare them with on(event) or methods on_<event>"
            raise ValueError(f"event: {event!r} is not known; known are {known}")
        return handlers

    def _declared(self) -> dict[str, list[Callable[..., Any]]]:
        # Not made in __init__: a subclass that has its own need not call ours.
        declared: dict[str, list[Callable[..., Any]]] = self.__dict__.setdefault("_declared_events", {})
        return declared

    async def _invalidate(self, keys: list[str | bytes], tags: list[str], patterns: list[str]) -> Invalidation:
        confirmed = True
        if keys or tags:
            confirmed = (await self.cache._invalidate(keys, tags)).kind == "invalidated"
        for pattern in patterns:
            confirmed = (await self.cache._invalidate_matching(pattern)).kind == "invalidated" and confirmed
        return Invalidation(True, self.cache.token()) if confirmed else Invalidation.PENDING


def _sorted(stale: list[Any], event: str) -> tuple[list[str | bytes], list[str], list[str], TypeError | None]:
    """What handlers returned, by kind, each thing once. Something else among it is told after the rest was invalidated."""
    keys: dict[str | bytes, None] = {}
    tags: dict[str, None] = {}
    patterns: dict[str, None] = {}
    amiss: TypeError | None = None
    pending = [(part, 0) for part in reversed(stale)]
    while pending:
        part, depth = pending.pop()
        if part is None:
            continue
        if isinstance(part, (str, bytes)):
            keys[part] = None
        elif isinstance(part, Tag):
            tags[part.name] = None
        elif isinstance(part, Pattern):
            patterns[part.text] = None
        elif isinstance(part, Iterable) and not isinstance(part, Mapping) and depth < _NESTED_MAX:
            pending.extend((member, depth + 1) for member in reversed(list(part)))
        else:
            amiss = TypeError(
                f"event {event!r}: a handler returned a {type(part).__qualname__}; "
                "expected keys, Pattern, Tag, iterables of them, or None"
            )
    return list(keys), list(tags), list(patterns), amiss
