"""What stands beside a route: CachePolicy, Invalidates, CacheControl; the cache as a dependency; the router of statistics."""

import asyncio
import enum
import json
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Response
from fastapi.security import HTTPBearer
from starlette.responses import JSONResponse

from support.asgi import ask
from tiercel import Cache, ConfigurationError, Tag
from tiercel import cache as module_level_cache
from tiercel.fastapi import (
    CacheControl,
    CacheDep,
    CachePolicy,
    Invalidates,
    ResponseCacheMiddleware,
    cache_router,
    check_app,
    get_cache,
)


class Products:
    """Products by id, each read with a policy and written with an invalidation; `cache` may be looked into."""

    def __init__(self, *policy: Any, cache: Cache | None = None, invalidates: Any = None, **options: Any) -> None:
        self.cache = cache or Cache("memory://")
        self.app = FastAPI()
        self.reads = 0

        @self.app.get("/products/{id}", dependencies=list(policy))
        async def read(id: int) -> int:
            self.reads += 1
            return self.reads

        @self.app.get("/related/{id}", dependencies=list(policy))
        async def related(id: int) -> int:
            return await read(id)

        @self.app.post("/orders/{id}", dependencies=[invalidates] if invalidates else [])
        async def order(id: int) -> None:
            pass

        options.setdefault("cache_ttl", None)
        self.app.add_middleware(ResponseCacheMiddleware, cache=self.cache, **options)

    async def get(self, path: str, **options: Any) -> str | None:
        return (await ask(self.app, path, **options)).x_cache

    async def twice(self, path: str) -> list[str | None]:
        return [await self.get(path) for _ in range(2)]


async def test_a_policy_says_how_long() -> None:
    cache = Cache("memory://")
    with cache.testing() as t:
        products = Products(CachePolicy(expire="1m"), cache=cache)
        assert await products.twice("/products/1") == ["MISS", "HIT"]
        t.advance(59)
        assert await products.get("/products/1") == "HIT"
        t.advance(2)
        assert await products.get("/products/1") == "MISS"


async def test_a_policy_comes_before_path_rules_and_the_default() -> None:
    cache = Cache("memory://")
    with cache.testing() as t:
        products = Products(CachePolicy(expire=10), cache=cache, paths={"/products/*": 100}, cache_ttl=1000)
        await products.get("/products/1")
        t.advance(11)
        assert await products.get("/products/1") == "MISS"


async def test_what_the_response_says_comes_before_the_policy() -> None:
    app = FastAPI()

    @app.get("/{what}", dependencies=[CachePolicy(expire=60)])
    async def read(what: str) -> JSONResponse:
        return JSONResponse(what, headers={"cache-control": what})

    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"), cache_ttl=None)
    for control, expected in (("no-store", "MISS"), ("private", "MISS"), ("max-age=0", "MISS"), ("public", "HIT")):
        assert [(await ask(app, f"/{control}")).x_cache for _ in range(2)][1] == expected


async def test_tags_are_filled_as_the_endpoints_types_read_the_path() -> None:
    products = Products(CachePolicy(expire=60, tags=["product:{id}", Tag("products")]))
    for path in ("/products/42", "/products/042", "/products/43"):
        assert await products.twice(path) == ["MISS", "HIT"]
    await products.cache.invalidate(tags=["product:42"])
    assert [await products.get(path) for path in ("/products/42", "/products/042", "/products/43")] == [
        "MISS",
        "MISS",
        "HIT",
    ]
    await products.cache.invalidate(tags=["products"])
    assert await products.get("/products/43") == "MISS"


async def test_enum_parameters_are_their_values() -> None:
    class Kind(enum.Enum):
        book = "b"

    app, cache = FastAPI(), Cache("memory://")

    @app.get("/{kind}", dependencies=[CachePolicy(expire=60, tags=["kind:{kind}"])])
    async def read(kind: Kind) -> str:
        return kind.name

    app.add_middleware(ResponseCacheMiddleware, cache=cache)
    await ask(app, "/b")
    await cache.invalidate(tags=["kind:b"])
    assert (await ask(app, "/b")).x_cache == "MISS"


async def test_a_path_that_is_not_valid_is_answered_by_fastapi() -> None:
    products = Products(CachePolicy(expire=60, tags=["product:{id}"]))
    answer = await ask(products.app, "/products/x")
    assert (answer.status, answer.x_cache) == (422, "MISS")


async def test_invalidates_drops_what_carries_its_tags() -> None:
    products = Products(CachePolicy(expire=60, tags=["product:{id}"]), invalidates=Invalidates(tags=["product:{id}"]))
    for path in ("/products/42", "/related/42", "/products/43"):
        await products.get(path)
    await ask(products.app, "/orders/042", "POST")
    assert [await products.get(path) for path in ("/products/42", "/related/42", "/products/43")] == [
        "MISS",
        "MISS",
        "HIT",
    ]
    await ask(products.app, "/orders/x", "POST")
    assert await products.get("/products/42") == "HIT"


async def test_a_response_made_before_its_tag_was_invalidated_is_not_served_after() -> None:
    app, cache = FastAPI(), Cache("memory://")
    reading, written = asyncio.Event(), asyncio.Event()

    @app.get("/products/{id}", dependencies=[CachePolicy(expire=60, tags=["product:{id}"])])
    async def read(id: int) -> str:
        reading.set()
        await written.wait()
        return "old"

    app.add_middleware(ResponseCacheMiddleware, cache=cache)
    reader = asyncio.create_task(ask(app, "/products/1"))
    await reading.wait()
    await cache.invalidate(tags=["product:1"])
    written.set()
    assert (await reader).body == b'"old"'
    assert (await ask(app, "/products/1")).x_cache == "MISS"


async def test_a_late_commit_of_a_yield_dependency_is_followed_by_a_drop() -> None:
    app, cache = FastAPI(), Cache("memory://")
    store = {"committed": 0, "pending": 0}

    async def session() -> Any:
        yield store
        # FastAPI of today runs this after the response; a reader comes in between.
        await ask(app, "/number")
        store["committed"] = store["pending"]

    @app.get("/number", dependencies=[CachePolicy(expire=60)])
    async def read() -> int:
        return store["committed"]

    @app.put("/number")
    async def write(session: Annotated[dict[str, int], Depends(session)]) -> None:
        session["pending"] = 1

    app.add_middleware(ResponseCacheMiddleware, cache=cache)
    await ask(app, "/number")
    await ask(app, "/number", "PUT")
    assert (await ask(app, "/number")).body == b"1"


async def test_stale_stands_in_for_an_error() -> None:
    cache = Cache("memory://")
    with cache.testing() as t:
        app, broken = FastAPI(), []

        @app.get("/", dependencies=[CachePolicy(expire=10, stale=30)])
        async def read() -> str:
            if broken:
                raise HTTPException(503)
            return "up"

        app.add_middleware(ResponseCacheMiddleware, cache=cache)
        await ask(app)
        broken.append(1)
        t.advance(11)
        answer = await ask(app)
        assert (answer.status, answer.body, answer.x_cache) == (200, b'"up"', "STALE")
        t.advance(30)
        assert (await ask(app)).status == 503


async def test_cache_control_is_for_clients_where_the_handler_set_none() -> None:
    app = FastAPI()

    @app.get("/plain", dependencies=[CacheControl(max_age="1h", public=True)])
    async def plain() -> str:
        return ""

    @app.get("/own", dependencies=[CacheControl(max_age=3600)])
    async def own(response: Response) -> str:
        response.headers["Cache-Control"] = "no-store"
        return ""

    @app.get("/direct", dependencies=[CacheControl(no_store=True)])
    async def direct() -> JSONResponse:
        return JSONResponse("")

    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    for _ in range(2):
        assert (await ask(app, "/plain")).header("cache-control") == "public, max-age=3600"
        assert (await ask(app, "/own")).header("cache-control") == "no-store"
        direct_answer = await ask(app, "/direct")
        assert (direct_answer.header("cache-control"), direct_answer.x_cache) == ("no-store", "MISS")
    assert (await ask(app, "/plain")).x_cache == "HIT"


@pytest.mark.parametrize("option", ["send", "reset"])
async def test_beside_a_policy_it_is_for_clients_alone(option: Any) -> None:
    cache = Cache("memory://")
    with cache.testing() as t:
        app = FastAPI()

        @app.get("/", dependencies=[CachePolicy(expire="1h"), CacheControl(max_age=60)])
        async def read() -> str:
            return ""

        app.add_middleware(ResponseCacheMiddleware, cache=cache, age=option)
        await ask(app)
        t.advance(90)
        answer = await ask(app)
        assert (answer.x_cache, answer.header("cache-control")) == ("HIT", "max-age=60")
        assert answer.header("age") == (None if option == "reset" else "90")


async def test_beside_a_policy_it_still_restricts() -> None:
    for control in (CacheControl(no_store=True), CacheControl(private=True, max_age=5), CacheControl(no_cache=True)):
        app = faulty(CachePolicy(expire=60), control)
        app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
        assert [(await ask(app, "/products/1")).x_cache for _ in range(2)] == ["MISS", "MISS"]


async def test_cache_control_needs_no_middleware() -> None:
    app = FastAPI()

    @app.get("/", dependencies=[CacheControl(max_age=60)])
    async def read() -> str:
        return ""

    assert (await ask(app)).header("cache-control") == "max-age=60"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: CachePolicy(expire=0), "expire"),
        (lambda: CachePolicy(expire=60, stale=-1), "stale"),
        (lambda: CachePolicy(expire=60, tags=["{id"]), "tags"),
        (lambda: CachePolicy(expire=60, tags=["{id!r}"]), "hole"),
        (lambda: CachePolicy(expire=60, tags=[""]), "tag"),
        (lambda: CachePolicy(expire=60, tags=["~http path /"]), "own"),
        (lambda: Invalidates(tags=[]), "tags"),
        (lambda: CacheControl(), "CacheControl"),
        (lambda: CacheControl(public=True, private=True), "exclude"),
    ],
)
def test_policies_that_cannot_be_meant_are_value_errors(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_one_tag_instead_of_a_list_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="list of tags"):
        CachePolicy(expire=60, tags="products")


async def start_up(app: Any) -> list[Any]:
    """The messages of a server's start-up."""
    sent: list[Any] = []
    received = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    return sent


def faulty(*dependencies: Any, security: bool = False) -> FastAPI:
    app = FastAPI()

    @app.get("/products/{id}", dependencies=[*dependencies, *([Depends(HTTPBearer())] if security else [])])
    async def read(id: int) -> int:
        return id

    return app


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (lambda: faulty(CachePolicy(expire=60, tags=["product:{sku}"])), "no parameter 'sku'"),
        (lambda: faulty(Invalidates(tags=["product:{sku}"])), "no parameter 'sku'"),
        (lambda: faulty(CachePolicy(expire=60, public=True), security=True), "public=True"),
        (lambda: faulty(CacheControl(s_maxage=60), security=True), "security scheme"),
    ],
)
async def test_what_cannot_be_meant_stops_the_start_up(app: Any, said: str) -> None:
    with_middleware = app()
    with_middleware.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    with pytest.raises(ConfigurationError, match=said):
        await start_up(with_middleware)
    without_lifespan = app()
    without_lifespan.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    with pytest.raises(ConfigurationError, match=said):
        await ask(without_lifespan, "/products/1")


async def test_the_server_is_told_that_the_start_up_failed() -> None:
    app = faulty(Invalidates(tags=["product:{sku}"]))
    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(ConfigurationError):
        await app({"type": "lifespan", "state": {}}, receive, send)
    assert sent[0]["type"] == "lifespan.startup.failed" and "sku" in sent[0]["message"]


async def test_a_start_up_without_faults_passes() -> None:
    app = faulty(CachePolicy(expire=60, tags=["product:{id}"]))
    app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
    assert [message["type"] for message in await start_up(app)] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_a_prefix_with_a_parameter_counts_as_path() -> None:
    app = FastAPI()
    router = APIRouter()

    @router.get("/{id}", dependencies=[CachePolicy(expire=60, tags=["shop:{shop}:{id}"])])
    async def read(shop: str, id: int) -> int:
        return id

    app.include_router(router, prefix="/{shop}")
    cache = Cache("memory://")
    app.add_middleware(ResponseCacheMiddleware, cache=cache)
    assert [(await ask(app, "/helsinki/042")).x_cache for _ in range(2)] == ["MISS", "HIT"]
    await cache.invalidate(tags=["shop:helsinki:42"])
    assert (await ask(app, "/helsinki/042")).x_cache == "MISS"


async def test_a_policy_without_the_middleware_is_an_error() -> None:
    for dependency in (CachePolicy(expire=60), Invalidates(tags=["x"])):
        app = faulty(dependency)
        with pytest.raises(ConfigurationError, match="ResponseCacheMiddleware"):
            check_app(app)
        with pytest.raises(ConfigurationError, match="ResponseCacheMiddleware"):
            await ask(app, "/products/1")
        app = faulty(dependency)
        app.add_middleware(ResponseCacheMiddleware, cache=Cache("memory://"))
        check_app(app)


async def test_a_middleware_around_the_application_counts_too() -> None:
    app = faulty(CachePolicy(expire=60))
    wrapped = ResponseCacheMiddleware(app, cache=Cache("memory://"), cache_ttl=None)
    await start_up(wrapped)
    check_app(app)
    assert [(await ask(wrapped, "/products/1")).x_cache for _ in range(2)] == ["MISS", "HIT"]


async def test_the_lifespan_of_the_cache_finds_policies_that_nobody_follows() -> None:
    app = FastAPI(lifespan=Cache("memory://").lifespan)

    @app.get("/", dependencies=[CachePolicy(expire=60)])
    async def read() -> str:
        return ""

    with pytest.raises(ConfigurationError, match="ResponseCacheMiddleware"):
        await start_up(app)


async def test_two_middlewares_both_follow_the_policy() -> None:
    outer, inner = Cache("memory://"), Cache("memory://")
    app = faulty(CachePolicy(expire=60, tags=["product:{id}"]))
    app.add_middleware(ResponseCacheMiddleware, cache=inner, cache_ttl=None)
    app.add_middleware(ResponseCacheMiddleware, cache=outer, cache_ttl=None)
    assert [(await ask(app, "/products/1")).x_cache for _ in range(2)] == ["MISS", "HIT"]
    await outer.invalidate(tags=["product:1"])
    await inner.invalidate(tags=["product:1"])
    assert (await ask(app, "/products/1")).x_cache == "MISS"


# The cache as a dependency


async def test_cache_dep_is_the_cache_of_the_middleware() -> None:
    app, cache, seen = FastAPI(), Cache("memory://"), []

    @app.get("/")
    async def read(cache: CacheDep) -> None:
        seen.append(cache)

    await ask(app)
    app = FastAPI(routes=app.routes)
    app.add_middleware(ResponseCacheMiddleware, cache=cache)
    await ask(app)
    assert seen == [module_level_cache, cache]
    assert await get_cache() is module_level_cache


async def test_get_cache_is_the_override_target() -> None:
    app, other, seen = FastAPI(), Cache("memory://"), []

    @app.get("/")
    async def read(cache: CacheDep) -> None:
        seen.append(cache)

    app.dependency_overrides[get_cache] = lambda: other
    assert (await ask(app)).status == 200
    assert seen == [other]


# The router


def with_router(cache: Cache, **options: Any) -> FastAPI:
    app = FastAPI()
    app.include_router(cache_router(cache, **options), prefix="/cache")
    app.add_middleware(ResponseCacheMiddleware, cache=cache)
    return app


async def test_statistics_and_metrics_are_never_cached() -> None:
    cache = Cache("memory://")
    app = with_router(cache)
    await cache.set("a", 1)
    for hits in (1, 2):
        await cache.get("a")
        answer = await ask(app, "/cache/stats")
        assert (json.loads(answer.body)["hits"], answer.x_cache) == (hits, "MISS")
    metrics = await ask(app, "/cache/metrics")
    assert (metrics.header("content-type") or "").startswith("text/plain; version=0.0.4")
    lines = metrics.body.decode().splitlines()
    assert "# TYPE tiercel_hits_total counter" in lines and "tiercel_hits_total 2" in lines
    assert any(line.startswith("tiercel_memory_bytes ") for line in lines)
    assert any(line.startswith('tiercel_redis_info{state="none"') for line in lines)


async def test_purge_and_keys_are_there_only_for_an_admin() -> None:
    cache = Cache("memory://")
    await cache.set("a", 1, tags=["t"])
    await cache.set("b:1", 1)
    for method, path in (("POST", "/cache/purge"), ("GET", "/cache/keys")):
        assert (await ask(with_router(cache), path, method)).status == 404

    async def admin(x_admin: Annotated[str, Header()] = "") -> None:
        if x_admin != "yes":
            raise HTTPException(403)

    app = with_router(cache, admin=Depends(admin))
    assert (
        await ask(app, "/cache/purge", "POST", [("content-type", "application/json")], body=b'{"tags": ["t"]}')
    ).status == 403
    answer = await ask(app, "/cache/purge", "POST", [("content-type", "application/json"), ("x-admin", "yes")],
                       body=b'{"tags": ["t"], "pattern": "b:*"}')  # fmt: skip
    assert (answer.status, json.loads(answer.body)) == (200, {"confirmed": True, "matching": 1})
    assert await cache.get("a") is None and await cache.get("b:1") is None
    assert (
        await ask(app, "/cache/keys", headers=[("x-admin", "yes")])
    ).status == 501  # memory:// does not list its keys


def test_admin_is_a_dependency() -> None:
    with pytest.raises(TypeError, match="admin"):
        cache_router(Cache("memory://"), admin=lambda: None)
