"""Owns: what is found out about an application before its first request: policies that cannot be meant are errors, routes that are
never cached are named in the log, once, with the reason."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from typing import Any

from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.routing import Mount

from tiercel._errors import ConfigurationError
from tiercel.fastapi import _middleware
from tiercel.fastapi._policy import Control, Invalidation, Policy
from tiercel.fastapi._routes import RouteFacts, contexts_of, facts_of_tree

__all__ = ["check_app", "inspect_app"]

log = logging.getLogger("tiercel.http")

_inspected: weakref.WeakSet[Any] = weakref.WeakSet()


def check_app(app: Any) -> None:
    """Raises ConfigurationError if a route has a CachePolicy or Invalidates and no ResponseCacheMiddleware is there to follow it."""
    if app in _inspected or _has_middleware(app):
        return
    for path, _, facts in _routes_of(app, None):
        for one in facts.own:
            if isinstance(one, (Policy, Invalidation)):
                word = "CachePolicy" if isinstance(one, Policy) else "Invalidates"
                raise ConfigurationError(
                    f"{path}: {word} needs app.add_middleware(ResponseCacheMiddleware), which is not there"
                )


def inspect_app(app: Any, *, by_default: bool, identity_cookies: frozenset[str] | None) -> None:
    """Called by the middleware, once per application: raises what cannot be meant, logs what cannot be cached."""
    if not isinstance(app, Starlette) or app in _inspected:
        return
    for path, methods, facts in _routes_of(app, identity_cookies):
        policies = [one for one in facts.own if isinstance(one, Policy)]
        _check_policies(path, facts, policies)
        if "GET" not in methods or facts.asks is None or any(policy.public for policy in policies):
            continue
        if by_default or policies:
            advice = "" if facts.secured else "; CachePolicy(public=True) says that its answer is everyone's"
            log.info("GET %s is not cached unless its response says so itself: %s%s", path, facts.asks, advice)
    _inspected.add(app)


def _has_middleware(app: Any) -> bool:
    listed = getattr(app, "user_middleware", ())
    return any(isinstance(one.cls, type) and issubclass(one.cls, _middleware.ResponseCacheMiddleware) for one in listed)


def _check_policies(path: str, facts: RouteFacts, policies: list[Policy]) -> None:
    if facts.secured and any(policy.public for policy in policies):
        raise ConfigurationError(
            f"{path}: CachePolicy(public=True) on a route with a security scheme ({facts.asks}): its answer is not everyone's"
        )
    for one in facts.own:
        if isinstance(one, Control) and facts.secured and one.shares:
            raise ConfigurationError(
                f"{path}: CacheControl with public or s_maxage on a route with a security scheme ({facts.asks})"
            )
        if isinstance(one, (Policy, Invalidation)):
            unknown = one.tags.names - facts.path_names
            if unknown:
                raise ConfigurationError(f"{path}: tags: the path has no parameter {sorted(unknown)[0]!r}")


def _routes_of(
    app: Any, identity: frozenset[str] | None, prefix: str = ""
) -> Iterator[tuple[str, set[str], RouteFacts]]:
    for context in contexts_of(getattr(app, "routes", ())):
        if isinstance(context.original_route, APIRoute) and context.dependant is not None:
            facts = facts_of_tree(
                context.original_route, [context.dependant], {}, identity, path=f"{prefix}{context.path_format}"
            )
            yield f"{prefix}{context.path_format}", set(context.methods or ()), facts
    for route in getattr(app, "routes", ()):
        if isinstance(route, Mount) and isinstance(route.app, Starlette):
            yield from _routes_of(route.app, identity, prefix + route.path)
