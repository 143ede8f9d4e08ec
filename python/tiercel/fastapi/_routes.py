"""Owns: who is asking. Which FastAPI route answered, and whether anything in its dependency tree could tailor the answer to its caller.

The tree is the effective one. Up to FastAPI 0.136 `scope["route"]` carries router and include dependencies itself; since 0.137 they
are outside it, and `fastapi.routing.iter_route_contexts` has them. A route whose tree cannot be found counts as one that asks.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastapi.routing
from fastapi.dependencies.utils import get_dependant
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette.applications import Starlette
from starlette.routing import Mount, compile_path
from starlette.staticfiles import StaticFiles

__all__ = ["OWN", "RouteFacts", "Routes", "contexts_of", "facts_of_tree", "is_framework", "path_values"]

NOT_FOUND: Final = "its dependencies cannot be found"
ROUTES_MAX: Final = 10_000


def _is_own(call: object) -> bool:
    """Tiercel's own dependencies read nothing that identifies a caller."""
    return str(getattr(call, "__module__", "")).startswith("tiercel.")


@dataclass(frozen=True)
class RouteFacts:
    asks: str | None = None  # why, in a clause; None: it cannot tell callers apart
    secured: bool = False  # a security scheme is among the reasons
    head: bool = True  # it answers HEAD
    cookies: frozenset[str] = frozenset()  # names that Cookie(...) parameters read
    own: tuple[Any, ...] = ()  # Policy, Invalidation and Control objects beside the route
    path_names: frozenset[str] = frozenset()  # parameters of its path

    @property
    def invalidates(self) -> bool:
        return any(type(one).__name__ == "Invalidation" for one in self.own)


OWN: Final = RouteFacts()


class Routes:
    """The facts of each route, found out once."""

    def __init__(self, app: Any, identity_cookies: Iterable[str] | None) -> None:
        self._within_framework = is_framework(app)
        self._identity = None if identity_cookies is None else frozenset(identity_cookies)
        self._known: dict[int, tuple[Any, RouteFacts]] = {}  # the route is held, so its id is not another's

    def facts(self, scope: Mapping[str, Any]) -> RouteFacts:
        route, app = scope.get("route"), scope.get("app")
        if isinstance(route, APIRoute):
            source = _effective_context(scope, route) or route
            overrides = getattr(app, "dependency_overrides", None)
            if overrides:  # of tests: they come and go
                return self._found(route, app, source, overrides)
            known = self._known.get(id(source))
            if known is None:
                if len(self._known) >= ROUTES_MAX:
                    self._known.clear()
                known = self._known[id(source)] = (source, self._found(route, app, source, {}))
            return known[1]
        files = route.app if isinstance(route, Mount) else scope.get("endpoint")
        if type(files) is StaticFiles:  # a subclass may look at who is asking
            return OWN
        if route is None and app is None and not self._within_framework:
            return OWN  # a bare ASGI application was given to the middleware: there is no route to ask
        return RouteFacts(asks=NOT_FOUND if route is None else "it is given the whole Request")

    def _found(self, route: APIRoute, app: Any, source: Any, overrides: Mapping[Any, Any]) -> RouteFacts:
        trees = [source.dependant] if source is not route else _trees_of(route, app)
        if not trees or any(tree is None for tree in trees):
            return RouteFacts(asks=NOT_FOUND)
        return facts_of_tree(route, trees, overrides, self._identity)


def is_framework(app: Any) -> bool:
    """Whether a Starlette or FastAPI application is somewhere within: then a request whose route we do not see has been hidden."""
    seen: set[int] = set()
    waiting = [app]
    while waiting and len(seen) < 200:
        one = waiting.pop()
        if isinstance(one, Starlette):
            return True
        if one is None or id(one) in seen or inspect.ismodule(one) or isinstance(one, (type, str, bytes, int)):
            continue
        seen.add(id(one))
        if isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple, set, frozenset)):
            waiting.extend(one)
        else:
            waiting.extend(getattr(one, name, None) for name in ("func", "__wrapped__", "__self__", "__func__"))
            waiting.extend(getattr(one, "__dict__", {}).values())
            waiting.extend(_named_in(one if hasattr(one, "__code__") else getattr(type(one), "__call__", None)))  # noqa: B004
    return bool(waiting)  # too many to look at: not known to be bare


def _named_in(function: Any) -> Iterator[Any]:
    """What a function closes over, and the globals it names."""
    yield from _closed_over(function)
    known = getattr(function, "__globals__", {})
    for name in getattr(getattr(function, "__code__", None), "co_names", ()):
        if name in known:
            yield known[name]


def _closed_over(function: Any) -> Iterator[Any]:
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not bound yet
            continue


def _effective_context(scope: Mapping[str, Any], route: APIRoute) -> Any:
    """FastAPI's own word for which inclusion of the route answered, where it leaves one; else all inclusions are looked at."""
    noted = scope.get("fastapi")
    context = noted.get("effective_route_context") if isinstance(noted, dict) else None
    if (
        context is not None
        and getattr(context, "original_route", None) is route
        and getattr(context, "dependant", None) is not None
    ):
        return context
    return None


def _trees_of(route: APIRoute, app: Any) -> list[Any]:
    if not hasattr(fastapi.routing, "iter_route_contexts"):
        return [route.dependant]
    return [context.dependant for context in contexts_of(getattr(app, "routes", ())) if context.original_route is route]


@dataclass(frozen=True)
class _PlainContext:
    """What iter_route_contexts yields, for a FastAPI without it."""

    original_route: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original_route, name)


def contexts_of(routes: Iterable[Any]) -> Iterator[Any]:
    """Every route with its effective dependencies; those of mounted routers too, but not of mounted applications."""
    listed = getattr(fastapi.routing, "iter_route_contexts", None)
    for context in listed(routes) if listed else map(_PlainContext, routes):
        route = context.original_route
        if isinstance(route, Mount):
            if not isinstance(route.app, Starlette):
                yield from contexts_of(route.routes or ())
        else:
            yield context


def facts_of_tree(
    route: APIRoute,
    trees: list[Any],
    overrides: Mapping[Any, Any],
    identity: frozenset[str] | None = None,
    *,
    path: str | None = None,
) -> RouteFacts:
    reasons: list[tuple[str, bool]] = []
    own: list[Any] = []
    cookies: set[str] = set()
    for node in _nodes(trees, overrides):
        if _is_own(node.call):
            own.append(node.call)
            continue
        reasons.extend(_reasons(node))
        cookies.update(_cookie_names(node))
    if type(route).__init__ is not APIRoute.__init__:
        reasons.append((f"its class {type(route).__name__} has put an app of its own around it", False))
    for method in ("get_route_handler", "handle"):
        if getattr(type(route), method) is not getattr(APIRoute, method):
            reasons.append(
                (f"its class {type(route).__name__} has a {method} of its own, which is given the whole Request", False)
            )
    unnamed = cookies - identity if identity is not None else set()
    if unnamed:
        reasons.append((f"it reads the cookie {sorted(unnamed)[0]!r}, which identity_cookies does not name", False))
    secured = [reason for reason, is_secured in reasons if is_secured]
    return RouteFacts(
        asks=next(iter([*secured, *(reason for reason, _ in reasons)]), None),
        secured=bool(secured),
        head="HEAD" in (route.methods or ()),
        cookies=frozenset(cookies),
        own=tuple(own),
        path_names=frozenset(compile_path(path or route.path_format)[2]),
    )


def _nodes(trees: Iterable[Any], overrides: Mapping[Any, Any]) -> Iterator[Any]:
    waiting = list(trees)
    while waiting:
        node = waiting.pop(0)
        yield node
        waiting.extend(node.dependencies)
        override = overrides.get(node.call)
        if override is not None and override is not node.call:
            waiting.append(get_dependant(path=node.path or "", call=override))


def _reasons(node: Any) -> Iterator[tuple[str, bool]]:
    name = _name_of(node.call)
    if isinstance(_unwrapped(node.call), SecurityBase) or getattr(node, "security_requirements", None):
        yield f"it asks for credentials by {name}", True
    if (
        node.security_scopes_param_name
        or getattr(node, "own_oauth_scopes", None)
        or getattr(node, "security_scopes", None)
    ):
        yield f"{name} has SecurityScopes", True
    for param in node.cookie_params:
        yield f"{name} reads the cookie {param.alias!r}", False
    for param in node.header_params:
        yield f"{name} reads the header {param.alias!r}", False
    if node.body_params:
        yield f"{name} reads the body", False
    if node.request_param_name or node.http_connection_param_name or node.websocket_param_name:
        yield f"{name} takes the whole Request", False


def _cookie_names(node: Any) -> Iterator[str]:
    for param in node.cookie_params:
        yield param.alias
        model = getattr(param.field_info, "annotation", None)
        for name, one in getattr(model, "model_fields", {}).items():
            yield one.alias or name


def _unwrapped(call: Any) -> Any:
    while isinstance(call, functools.partial):
        call = call.func
    return inspect.unwrap(call) if callable(call) else call


def _name_of(call: Callable[..., Any] | None) -> str:
    plain = _unwrapped(call)
    return getattr(plain, "__qualname__", None) or type(plain).__name__


def path_values(scope: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any] | None:
    """The path's parameters as the endpoint's own types read them; None: one of them is not valid, and FastAPI will say so.

    A parameter the endpoint does not take stays the text it is.
    """
    given = scope.get("path_params") or {}
    fields = _path_fields(scope)
    values: dict[str, Any] = {}
    for name in names:
        if name not in given:
            return None
        values[name] = given[name]
        if name in fields:
            values[name], errors = fields[name].validate(given[name], {}, loc=("path", name))
            if errors:
                return None
    return values


def _path_fields(scope: Mapping[str, Any]) -> dict[str, Any]:
    route = scope.get("route")
    if not isinstance(route, APIRoute):
        return {}
    tree = (_effective_context(scope, route) or route).dependant
    return {param.alias: param for node in _nodes([tree], {}) for param in node.path_params}
