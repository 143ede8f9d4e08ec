"""Who is asking: by no shape of authentication does one caller get another's response. Runs on the FastAPI that is installed, and on
the oldest supported one by scripts/check_oldest_fastapi.

(No `from __future__ import annotations` here: FastAPI could not resolve names that are local to a shape.)

Each shape answers with who asked. It is tried twice: as the middleware comes, and with `credential_headers=()`, where nothing but the
look at the route's dependencies stands between the callers.
"""

import contextlib
import functools
import logging
from collections.abc import Callable
from typing import Annotated, Any

import fastapi
import pytest
from fastapi import APIRouter, Body, Cookie, Depends, FastAPI, Header, HTTPException, Query, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
    OAuth2PasswordBearer,
    SecurityScopes,
)
from pydantic import BaseModel
from starlette.authentication import AuthCredentials, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from support.asgi import ask
from tiercel import Cache
from tiercel.fastapi import CREDENTIAL_HEADERS, CacheControl, CacheDep, CachePolicy, ResponseCacheMiddleware

Shape = Callable[[FastAPI], None]
oauth2 = OAuth2PasswordBearer(tokenUrl="token", auto_error=False)
by_header = APIKeyHeader(name="X-Shop-Key")
SHAPES: dict[str, tuple[Shape, Callable[[str], dict[str, Any]]]] = {}


def by(name: str, prefix: str = "") -> Callable[[str], dict[str, Any]]:
    return lambda user: {"headers": [(name, prefix + user)]}


def shape(caller: Callable[[str], dict[str, Any]]) -> Callable[[Shape], Shape]:
    def note(build: Shape) -> Shape:
        SHAPES[build.__name__] = (build, caller)
        return build

    return note


bearer, key_header, cookie = by("authorization", "Bearer "), by("x-shop-key"), by("cookie", "session=")


@shape(bearer)
def oauth2_scheme(app: FastAPI) -> None:
    @app.get("/me")
    async def me(token: Annotated[str, Depends(oauth2)]) -> str:
        return token


@shape(bearer)
def oauth2_nested_three_deep(app: FastAPI) -> None:
    async def user(token: Annotated[str, Depends(oauth2)]) -> str:
        return token

    def active(user: Annotated[str, Depends(user)]) -> str:
        return user

    @app.get("/me")
    async def me(user: Annotated[str, Depends(active)]) -> str:
        return user


@shape(bearer)
def http_bearer(app: FastAPI) -> None:
    @app.get("/me")
    async def me(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
        return credentials.credentials


@shape(lambda user: {"headers": [("authorization", "Basic " + {"alice": "YWxpY2U6eA==", "bob": "Ym9iOng="}[user])]})
def http_basic(app: FastAPI) -> None:
    @app.get("/me")
    async def me(credentials: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> str:
        return credentials.username


@shape(key_header)
def api_key_header(app: FastAPI) -> None:
    @app.get("/me")
    async def me(key: Annotated[str, Security(by_header)]) -> str:
        return key


@shape(lambda user: {"query": f"?key={user}"})
def api_key_query(app: FastAPI) -> None:
    @app.get("/me")
    async def me(key: Annotated[str, Depends(APIKeyQuery(name="key"))]) -> str:
        return key


@shape(cookie)
def api_key_cookie(app: FastAPI) -> None:
    @app.get("/me")
    async def me(key: Annotated[str, Depends(APIKeyCookie(name="session"))]) -> str:
        return key


@shape(key_header)
def security_scopes(app: FastAPI) -> None:
    known = {}

    async def user(scopes: SecurityScopes, x: Annotated[str, Query()] = "") -> str:
        return scopes.scope_str + known["user"]

    @app.middleware("http")
    async def remember(request: Request, call_next: Any) -> Any:
        known["user"] = request.headers["x-shop-key"]
        return await call_next(request)

    @app.get("/me")
    async def me(user: Annotated[str, Security(user, scopes=["me:"])]) -> str:
        return user


@shape(cookie)
def cookie_parameter(app: FastAPI) -> None:
    @app.get("/me")
    async def me(session: Annotated[str, Cookie()]) -> str:
        return session


@shape(key_header)
def header_parameter(app: FastAPI) -> None:
    @app.get("/me")
    async def me(x_shop_key: Annotated[str, Header()]) -> str:
        return x_shop_key


@shape(key_header)
def header_parameter_written_the_old_way(app: FastAPI) -> None:
    @app.get("/me")
    def me(x_shop_key: str = Header()) -> str:
        return x_shop_key


@shape(key_header)
def header_model(app: FastAPI) -> None:
    class Keys(BaseModel):
        x_shop_key: str

    async def keys(keys: Annotated[Keys, Header()]) -> str:
        return keys.x_shop_key

    @app.get("/me")
    async def me(key: Annotated[str, Depends(keys)]) -> str:
        return key


@shape(key_header)
def endpoint_that_takes_the_request(app: FastAPI) -> None:
    @app.get("/me")
    async def me(request: Request) -> str:
        return request.headers["x-shop-key"]


@shape(key_header)
def dependency_that_takes_the_request(app: FastAPI) -> None:
    async def user(request: Request) -> str:
        return request.headers["x-shop-key"]

    @app.get("/me")
    async def me(user: Annotated[str, Depends(user)]) -> str:
        return user


@shape(key_header)
def dependency_that_takes_the_connection(app: FastAPI) -> None:
    async def user(connection: HTTPConnection) -> str:
        return connection.headers["x-shop-key"]

    @app.get("/me")
    async def me(user: Annotated[str, Depends(user)]) -> str:
        return user


@shape(key_header)
def class_as_dependency(app: FastAPI) -> None:
    class User:
        def __init__(self, request: Request) -> None:
            self.name = request.headers["x-shop-key"]

    @app.get("/me")
    async def me(user: Annotated[User, Depends()]) -> str:
        return user.name


@shape(key_header)
def callable_object_as_dependency(app: FastAPI) -> None:
    class Check:
        def __call__(self, request: Request) -> str:
            return request.headers["x-shop-key"]

    @app.get("/me")
    async def me(user: Annotated[str, Depends(Check())]) -> str:
        return user


@shape(key_header)
def partial_as_dependency(app: FastAPI) -> None:
    def user(prefix: str, request: Request) -> str:
        return prefix + request.headers["x-shop-key"]

    @app.get("/me")
    async def me(user: Annotated[str, Depends(functools.partial(user, "u:"))]) -> str:
        return user


@shape(key_header)
def yield_dependency(app: FastAPI) -> None:
    async def user(key: Annotated[str, Depends(by_header)]) -> Any:
        yield key

    @app.get("/me")
    async def me(user: Annotated[str, Depends(user)]) -> str:
        return user


def noting(app: FastAPI) -> tuple[Any, dict[str, str]]:
    """A guard that stands beside routes and remembers whom it let in; the endpoint itself takes nothing."""
    known: dict[str, str] = {}

    async def guard(key: Annotated[str, Depends(by_header)]) -> None:
        known["user"] = key

    return Depends(guard), known


@shape(key_header)
def dependency_of_the_route(app: FastAPI) -> None:
    guard, known = noting(app)

    @app.get("/me", dependencies=[guard])
    async def me() -> str:
        return known["user"]


@shape(key_header)
def dependency_of_the_router(app: FastAPI) -> None:
    guard, known = noting(app)
    router = APIRouter(dependencies=[guard])

    @router.get("/me")
    async def me() -> str:
        return known["user"]

    app.include_router(router)


@shape(key_header)
def dependency_of_the_inclusion(app: FastAPI) -> None:
    guard, known = noting(app)
    router = APIRouter()

    @router.get("/me")
    async def me() -> str:
        return known["user"]

    app.include_router(router, dependencies=[guard])


@shape(key_header)
def dependency_of_an_outer_inclusion(app: FastAPI) -> None:
    guard, known = noting(app)
    inner, outer = APIRouter(), APIRouter()

    @inner.get("/me")
    async def me() -> str:
        return known["user"]

    outer.include_router(inner)
    app.include_router(outer, dependencies=[guard])


@shape(key_header)
def dependency_of_the_application(app: FastAPI) -> None:
    guard, known = noting(app)
    app.router.dependencies.append(guard)

    @app.get("/me")
    async def me() -> str:
        return known["user"]


@shape(key_header)
def dependency_of_the_application_over_an_included_router(app: FastAPI) -> None:
    guard, known = noting(app)
    app.router.dependencies.append(guard)
    router = APIRouter()

    @router.get("/me")
    async def me() -> str:
        return known["user"]

    app.include_router(router)


@shape(key_header)
def included_twice_once_guarded(app: FastAPI) -> None:
    guard, known = noting(app)
    router = APIRouter()

    @router.get("/me")
    async def me() -> str:
        return known["user"]

    app.include_router(router, prefix="/open")
    app.include_router(router, dependencies=[guard])


@shape(key_header)
def mounted_sub_application(app: FastAPI) -> None:
    guard, known = noting(app)
    sub = FastAPI(dependencies=[guard])

    @sub.get("/")
    async def me() -> str:
        return known["user"]

    app.mount("/me", sub)


@shape(key_header)
def mounted_router(app: FastAPI) -> None:
    guard, known = noting(app)
    router = APIRouter(dependencies=[guard])

    @router.get("/me")
    async def me() -> str:
        return known["user"]

    app.mount("", router)


@shape(key_header)
def override_that_asks(app: FastAPI) -> None:
    async def user() -> str:
        return "nobody"

    async def other(request: Request) -> str:
        return request.headers["x-shop-key"]

    @app.get("/me")
    async def me(user: Annotated[str, Depends(user)]) -> str:
        return user

    app.dependency_overrides[user] = other


@shape(key_header)
def route_class_that_reads_the_request(app: FastAPI) -> None:
    class Reading(APIRoute):
        def get_route_handler(self) -> Any:
            async def handler(request: Request) -> Any:
                return JSONResponse(request.headers["x-shop-key"])

            return handler

    router = APIRouter(route_class=Reading)

    @router.get("/me")
    async def me() -> str:
        return ""

    app.include_router(router)


@shape(key_header)
def starlette_route(app: FastAPI) -> None:
    async def me(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.headers["x-shop-key"])

    app.router.routes.append(Route("/me", me))


@shape(key_header)
def mounted_asgi_application(app: FastAPI) -> None:
    async def me(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(dict(scope["headers"])[b"x-shop-key"])(scope, receive, send)

    app.router.routes.append(Mount("/me", me))


@shape(key_header)
def scope_copied_in_between(app: FastAPI) -> None:
    class Copying:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(dict(scope), receive, send)

    app.add_middleware(Copying)
    header_parameter(app)


@shape(key_header)
def answered_by_a_middleware(app: FastAPI) -> None:
    @app.middleware("http")
    async def me(request: Request, call_next: Any) -> Any:
        return PlainTextResponse(request.headers["x-shop-key"])


@shape(key_header)
def route_class_with_an_app_around_it(app: FastAPI) -> None:
    class Wrapping(APIRoute):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.app = self.greet

        async def greet(self, scope: Any, receive: Any, send: Any) -> None:
            await PlainTextResponse(dict(scope["headers"])[b"x-shop-key"])(scope, receive, send)

    router = APIRouter(route_class=Wrapping)
    router.add_api_route("/me", lambda: "")
    app.router.routes.extend(router.routes)


@shape(key_header)
def static_files_that_look_at_the_request(app: FastAPI) -> None:
    class Guarded(StaticFiles):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await PlainTextResponse(dict(scope["headers"])[b"x-shop-key"])(scope, receive, send)

    app.mount("/me", Guarded(directory="."))


class Rewriting:
    """/me is each caller's own place."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/me":
            scope["path"] = "/users/" + dict(scope["headers"])[b"x-shop-key"].decode()
        await self.app(scope, receive, send)


@shape(key_header)
def path_rewritten_from_a_header(app: FastAPI) -> None:
    app.add_middleware(Rewriting)
    app.add_api_route("/users/{user}", lambda user: user)


@shape(key_header)
def exception_handler(app: FastAPI) -> None:
    @app.exception_handler(LookupError)
    async def handler(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(request.headers["x-shop-key"])

    @app.get("/me")
    async def me() -> None:
        raise LookupError


@shape(key_header)
def authentication_middleware(app: FastAPI) -> None:
    class Backend:
        async def authenticate(self, connection: HTTPConnection) -> Any:
            return AuthCredentials(["in"]), SimpleUser(connection.headers["x-shop-key"])

    app.add_middleware(AuthenticationMiddleware, backend=Backend())

    @app.get("/me")
    async def me(request: Request) -> str:
        return request.user.username


MOUNTED = ("mounted_sub_application", "mounted_asgi_application", "static_files_that_look_at_the_request")


def paths(user: str, caller: Callable[[str], dict[str, Any]], path: str) -> tuple[str, dict[str, Any]]:
    options = dict(caller(user))
    return path + options.pop("query", ""), options


@pytest.mark.parametrize("credential_headers", [CREDENTIAL_HEADERS, ()], ids=["default", "by-the-route-alone"])
@pytest.mark.parametrize("name", SHAPES)
async def test_no_shape_of_authentication_leaks(name: str, credential_headers: tuple[str, ...]) -> None:
    build, caller = SHAPES[name]
    app = FastAPI()
    build(app)
    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"), credential_headers=credential_headers)
    path = "/me/" if name in MOUNTED else "/me"
    for user, other in (("alice", "bob"), ("bob", "alice"), ("alice", "bob")):
        url, options = paths(user, caller, path)
        answer = await ask(app, url, **options)
        assert answer.status == 200, answer.body
        assert user in answer.body.decode() and other not in answer.body.decode()
        assert answer.x_cache == "BYPASS"


@pytest.mark.parametrize("name", SHAPES)
async def test_a_policy_alone_lifts_nothing(name: str) -> None:
    build, caller = SHAPES[name]
    app = FastAPI()
    app.router.dependencies.append(CachePolicy(expire=60))
    build(app)
    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"), cache_ttl=None, credential_headers=())
    path = "/me/" if name in MOUNTED else "/me"
    for user in ("alice", "bob"):
        url, options = paths(user, caller, path)
        answer = await ask(app, url, **options)
        assert user in answer.body.decode() and answer.x_cache in ("BYPASS", "MISS")


async def test_a_session_kept_by_a_middleware_is_told_by_its_cookie() -> None:
    """The route takes nothing: who is asking comes by a context variable. The Cookie header alone tells."""
    import contextvars

    user: contextvars.ContextVar[str] = contextvars.ContextVar("user")
    app = FastAPI()

    class Session:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            user.set(dict(scope["headers"]).get(b"cookie", b"nobody").decode())
            await self.app(scope, receive, send)

    @app.get("/me")
    async def me() -> str:
        return user.get()

    app.add_middleware(Session)
    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    assert [(await ask(app, "/me")).x_cache for _ in range(2)] == ["MISS", "HIT"]
    for name in ("alice", "bob"):
        answer = await ask(app, "/me", headers=[("cookie", f"session={name}")])
        assert (answer.x_cache, answer.body) == ("BYPASS", f'"session={name}"'.encode())


async def test_what_cannot_tell_callers_apart_is_cached() -> None:
    app = FastAPI()
    calls: list[int] = []

    async def number() -> int:
        calls.append(1)
        return len(calls)

    router = APIRouter(dependencies=[Depends(number)])

    @router.get("/items/{item_id}")
    async def item(item_id: int, number: Annotated[int, Depends(number)], cache: CacheDep, q: str = "") -> int:
        assert isinstance(cache, Cache)
        return number

    app.include_router(router, prefix="/shop")
    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    first, second = [await ask(app, "/shop/items/1?q=x") for _ in range(2)]
    assert (first.x_cache, second.x_cache, first.body) == ("MISS", "HIT", second.body)


async def test_each_inclusion_of_a_router_is_judged_by_itself() -> None:
    app = FastAPI()
    included_twice_once_guarded(app)
    wrapped = ResponseCacheMiddleware(app, cache=Cache("memory://"))
    await ask(wrapped, "/me", headers=[("x-shop-key", "alice")])
    assert [(await ask(wrapped, "/open/me")).x_cache for _ in range(2)] == ["MISS", "HIT"]
    assert (await ask(wrapped, "/me", headers=[("x-shop-key", "alice")])).x_cache == "BYPASS"


async def test_a_route_whose_application_is_hidden_counts_as_one_that_asks() -> None:
    router = APIRouter()

    @router.get("/me")
    async def me(x_shop_key: Annotated[str, Header()]) -> str:
        return x_shop_key

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        async with contextlib.AsyncExitStack() as stack:
            scope["fastapi_middleware_astack"] = stack  # as FastAPI() leaves it for its routes
            await router(scope, receive, send)

    wrapped = ResponseCacheMiddleware(bare, cache=Cache("memory://"))
    for user in ("alice", "bob"):
        answer = await ask(wrapped, "/me", headers=[("x-shop-key", user)])
        assert (answer.x_cache, answer.body) == ("BYPASS", f'"{user}"'.encode())


api = FastAPI()


@api.get("/me")
async def _me(x_shop_key: Annotated[str, Header()]) -> str:
    return x_shop_key


async def site(scope: Any, receive: Any, send: Any) -> None:
    await api({**scope}, receive, send)


class Dispatcher:
    def __init__(self, apps: dict[str, Any]) -> None:
        self.apps = apps

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.apps["/"]({**scope}, receive, send)


@pytest.mark.parametrize("bare", [site, Dispatcher({"/": api})], ids=["by a global", "in a dict"])
async def test_an_application_behind_a_bare_one_is_found(bare: Any) -> None:
    wrapped = ResponseCacheMiddleware(bare, cache=Cache("memory://"))
    for user in ("alice", "bob"):
        answer = await ask(wrapped, "/me", headers=[("x-shop-key", user)])
        assert (answer.x_cache, answer.body) == ("BYPASS", f'"{user}"'.encode())


async def test_a_path_rewritten_before_the_cache_is_part_of_the_key() -> None:
    app = FastAPI()
    app.add_api_route("/users/{user}", lambda user: user)
    cached = Rewriting(ResponseCacheMiddleware(app, cache=Cache("memory://")))
    asked = [("alice", "MISS"), ("bob", "MISS"), ("alice", "HIT"), ("bob", "HIT")]
    for user, word in asked:
        answer = await ask(cached, "/me", headers=[("x-shop-key", user)])
        assert (answer.x_cache, answer.body) == (word, f'"{user}"'.encode())


async def test_a_cache_within_a_cache_keeps_what_passes_at_its_own_place() -> None:
    app = FastAPI()
    app.add_api_route("/me", lambda: "secret")
    cache = Cache("memory://")
    inner = ResponseCacheMiddleware(app, cache=cache)

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if dict(scope["headers"]).get(b"x-shop-key") != b"alice":
            await PlainTextResponse("no", 403)(scope, receive, send)
            return

        async def privately(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"cache-control", b"private")]}
            await send(message)

        await inner(scope, receive, privately)

    outer = ResponseCacheMiddleware(guard, cache=cache)
    assert (await ask(outer, "/me", headers=[("x-shop-key", "alice")])).body == b'"secret"'
    assert (await ask(outer, "/me", headers=[("x-shop-key", "bob")])).status == 403


async def test_static_files_are_cached(tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_text("hello")
    app = FastAPI()
    app.mount("/static", StaticFiles(directory=tmp_path))
    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    first, second = [await ask(app, "/static/a.txt") for _ in range(2)]
    assert (first.x_cache, second.x_cache, second.body) == ("MISS", "HIT", b"hello")
    assert (await ask(app, "/static/a.txt", headers=[("if-none-match", first.header("etag") or "")])).status == 304


async def test_a_route_that_reads_the_request_may_say_itself_that_it_is_cacheable() -> None:
    app = FastAPI()

    @app.get("/page")
    async def page(request: Request) -> JSONResponse:
        return JSONResponse("page", headers={"cache-control": "max-age=60"})

    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    assert [(await ask(app, "/page")).x_cache for _ in range(2)] == ["MISS", "HIT"]


async def test_behind_a_security_scheme_only_public_says_so() -> None:
    for control, expected in (("max-age=60", "BYPASS"), ("public, max-age=60", "HIT"), ("s-maxage=60", "HIT")):
        app = FastAPI()

        @app.get("/page")
        async def page(key: Annotated[str, Depends(by_header)], control: str = control) -> JSONResponse:
            return JSONResponse(key, headers={"cache-control": control})

        app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
        answers = [await ask(app, "/page", headers=[("x-shop-key", user)]) for user in ("alice", "bob")]
        assert answers[1].x_cache == expected, control


async def test_public_true_lifts_it() -> None:
    app = FastAPI()

    @app.get("/page", dependencies=[CachePolicy(expire=60, public=True)])
    async def page(request: Request) -> str:
        return "everyone's"

    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"), cache_ttl=None)
    assert [(await ask(app, "/page")).x_cache for _ in range(2)] == ["MISS", "HIT"]
    assert (await ask(app, "/page", headers=[("cookie", "session=alice")])).x_cache == "HIT"


async def test_a_client_header_from_the_route_is_private_where_the_route_asks() -> None:
    app = FastAPI()

    @app.get("/me", dependencies=[CacheControl(max_age=60)])
    async def me(x_shop_key: Annotated[str, Header()]) -> str:
        return x_shop_key

    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    for user in ("alice", "bob"):
        answer = await ask(app, "/me", headers=[("x-shop-key", user)])
        assert (answer.header("cache-control"), answer.x_cache, answer.body) == (
            "private, max-age=60",
            "BYPASS",
            f'"{user}"'.encode(),
        )
    passing = await ask(app, "/me", headers=[("x-shop-key", "alice"), ("range", "bytes=0-1")])
    assert passing.header("cache-control") == "private, max-age=60"


async def test_a_body_is_part_of_the_question() -> None:
    """HTTP/2 needs no Content-Length to say that there is one."""
    app = FastAPI()

    @app.get("/echo")
    async def echo(text: Annotated[str, Body()]) -> str:
        return text

    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    for text in ("a", "b"):
        answer = await ask(app, "/echo", headers=[("content-type", "application/json")], body=f'"{text}"'.encode())
        assert (answer.x_cache, answer.body) == ("BYPASS", f'"{text}"'.encode())


async def test_a_cookie_outside_identity_cookies_reaches_no_stored_route() -> None:
    app = FastAPI()

    @app.get("/page", dependencies=[CachePolicy(expire=60, public=True)])
    async def page(theme: Annotated[str, Cookie()] = "light") -> str:
        return theme

    @app.get("/said")
    async def said(theme: Annotated[str, Cookie()] = "light") -> JSONResponse:
        return JSONResponse(theme, headers={"cache-control": "max-age=60"})

    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"), identity_cookies=("session",))
    for path in ("/page", "/said"):
        for theme in ("dark", "blue"):
            answer = await ask(app, path, headers=[("cookie", f"theme={theme}")])
            assert (answer.x_cache, answer.body) == ("BYPASS", f'"{theme}"'.encode())


async def test_routes_that_are_never_cached_are_named_at_start_up_once(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/me")
    async def me(token: Annotated[str, Depends(oauth2)]) -> str:
        return token

    @app.get("/open")
    async def open_to_all() -> str:
        return ""

    @app.put("/me")
    async def change(request: Request) -> str:
        return ""

    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    with caplog.at_level(logging.INFO, logger="tiercel.http"):
        for _ in range(2):
            await ask(app, "/open")
    messages = [record.message for record in caplog.records]
    assert messages == [
        "GET /me is not cached unless its response says so itself: it asks for credentials by OAuth2PasswordBearer"
    ]


async def test_a_refused_caller_leaves_nothing() -> None:
    app = FastAPI()

    @app.get("/me")
    async def me(token: Annotated[str | None, Depends(oauth2)]) -> str:
        if token is None:
            raise HTTPException(401)
        return token

    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    assert (await ask(app, "/me")).status == 401
    assert (await ask(app, "/me", headers=[("authorization", "Bearer alice")])).body == b'"alice"'
    assert (await ask(app, "/me")).status == 401


def test_the_version_under_test_is_supported() -> None:
    assert tuple(int(part) for part in fastapi.__version__.split(".")[:2]) >= (0, 115)
