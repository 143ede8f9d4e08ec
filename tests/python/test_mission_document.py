"""The mission document, the first user's own words: every snippet of it runs, on memory:// and on Redis."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from bson import ObjectId
from fastapi import Response

import tiercel
from python.mission import snippets
from python.mission.snippets import DEFINITIONS, DOCUMENT, MENDS, ORDER, USES, mended, restored, tokens
from python.mission.world import NEW, User, UserUpdate, World, empty_database
from tiercel.fastapi import ResponseCacheMiddleware

# ---- the words


def test_the_snippets_are_the_documents_own_in_its_order_and_what_is_left_is_prose() -> None:
    document, prose, at = tokens(DOCUMENT), [], 0
    for name in ORDER:
        wanted = tokens(restored(name))
        start = next((i for i in range(at, len(document)) if document[i : i + len(wanted)] == wanted), None)
        assert start is not None, f"{name} is not in the document as restored"
        prose += document[at:start]
        at = start + len(wanted)
    prose += document[at:]
    assert not {"def", "class", "import", "await", "async", "return", "lambda", "self", "=", "@"} & set(prose)
    assert sorted(DEFINITIONS + USES) == sorted(ORDER)


def test_a_restored_word_that_differs_would_be_noticed() -> None:
    assert tokens("def init(self): x") == tokens("def __init__(\n    self\n):\n    x")
    assert tokens("expire=300") != tokens("expire=301")
    assert tokens("self._pool") != tokens("self.pool")


@pytest.mark.parametrize("name", ORDER)
def test_restored_snippets_are_python(name: str) -> None:
    ast.parse(restored(name))
    ast.parse(mended(name))


# ---- definitions: an import of the same name and signature replaces them


def _parameters(function: ast.AsyncFunctionDef | ast.FunctionDef) -> list[tuple[str, object]]:
    names = [argument.arg for argument in function.args.args]
    defaults = [ast.literal_eval(default) for default in function.args.defaults]
    without = len(names) - len(defaults)
    return [(name, defaults[i - without] if i >= without else inspect.Parameter.empty) for i, name in enumerate(names)]


def _written(snippet: str) -> list[tuple[str, ast.AsyncFunctionDef | ast.FunctionDef]]:
    """Every public function of the snippet: `cached`, `RedisCache.get`, …"""
    found: list[tuple[str, ast.AsyncFunctionDef | ast.FunctionDef]] = []
    for node in ast.parse(restored(snippet)).body:
        if isinstance(node, ast.ClassDef):
            inside = (item for item in node.body if isinstance(item, ast.AsyncFunctionDef | ast.FunctionDef))
            found += [(f"{node.name}.{item.name}", item) for item in inside if not item.name.startswith("_")]
        elif isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            found.append((node.name, node))
    return found


@pytest.mark.parametrize(
    ("path", "function"),
    [item for name in ("redis_cache", "decorator") for item in _written(name)],
    ids=lambda item: str(item)[:24],
)
def test_the_imports_have_the_documents_signatures(path: str, function: ast.AsyncFunctionDef | ast.FunctionDef) -> None:
    ours: Any = tiercel
    for name in path.split("."):
        ours = inspect.getattr_static(ours, name)
    if isinstance(ours, property):
        assert [ast.unparse(decorator) for decorator in function.decorator_list] == ["property"]
        return
    if path == "cached":
        ours = tiercel.cached
    assert_takes_what_the_document_gives(inspect.signature(ours), _parameters(function))
    if path != "cached":
        native = inspect.ismethoddescriptor(ours)  # `get`: a call in C++ whose result is awaited all the same
        assert (native or inspect.iscoroutinefunction(ours)) == isinstance(function, ast.AsyncFunctionDef)


def test_the_middleware_has_the_documents_signature() -> None:
    (constructor,) = [n for n in ast.walk(ast.parse(restored("middleware"))) if getattr(n, "name", "") == "__init__"]
    assert isinstance(constructor, ast.FunctionDef)
    assert_takes_what_the_document_gives(inspect.signature(ResponseCacheMiddleware.__init__), _parameters(constructor))


def assert_takes_what_the_document_gives(ours: inspect.Signature, theirs: list[tuple[str, object]]) -> None:
    """The document's parameters by name, in place, with their defaults; whatever else we take may be left out."""
    positional = [p for p in ours.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in ours.parameters.values())
    for place, (name, default) in enumerate(theirs):
        if place < len(positional):
            assert positional[place].name == name
            assert name == "self" or positional[place].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            assert default in (inspect.Parameter.empty, positional[place].default)
        else:
            assert variadic, f"{name} is not taken"
    for extra in list(ours.parameters.values()):
        taken = extra.name in {name for name, _ in theirs} or extra.kind in (extra.VAR_POSITIONAL, extra.VAR_KEYWORD)
        assert taken or extra.default is not extra.empty


# ---- uses


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else str(request.getfixturevalue("redis_server").url())


@pytest.fixture
async def world(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("TIERCEL_STRICT", "1")  # a value that does not survive is an error here, not a warning
    async with tiercel.RedisCache(url) as cache:
        yield World(cache, cache.cached, await empty_database())


async def behind_the_back(user: User, name: str) -> None:
    """Another program changes the row: who still sees the old name was answered by the cache."""
    await User.get_pymongo_collection().update_one({"_id": user.id}, {"$set": {"name": name}})


@pytest.mark.parametrize("mend", MENDS, ids=lambda mend: mend.snippet)
async def test_without_its_mend_the_line_runs_nowhere(mend: snippets.Mend) -> None:
    async with tiercel.RedisCache("memory://") as cache:
        world = World(cache, cache.cached, await empty_database(), restored)
        user = await world.service.create(NEW)
        used: dict[str, Callable[[], Awaitable[object]]] = {
            "user_service": lambda: world.service.update(str(user.id), UserUpdate(name="Grace")),
            "cache_aside": lambda: world.repository.get(user.id),
            "write_through": lambda: world.write_through.save(user),
        }
        with pytest.raises((AttributeError, TypeError)):
            await used[mend.snippet]()


async def test_a_user_is_a_hit_with_every_value_of_its_type(world: World) -> None:
    user = await world.service.create(NEW)
    loaded = await world.service.get_by_id(str(user.id))
    await behind_the_back(user, "Grace")
    hit = await world.service.get_by_id(str(user.id))
    assert hit == loaded == user.model_dump()
    assert [type(hit[name]) for name in ("joined", "balance")] == [datetime, Decimal]
    assert isinstance(hit["id"], ObjectId)
    assert User(**hit) == user
    assert await world.cache.exists(f"user:{user.id}")


async def test_that_there_is_no_such_user_is_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def get(user_id: str) -> None:
        asked.append(user_id)

    monkeypatch.setattr(User, "get", get)
    nobody = "6b0386ef856ace4ca118fc1d"
    assert [await world.service.get_by_id(nobody) for _ in range(3)] == [None] * 3
    assert asked == [nobody]


async def test_an_empty_list_is_a_hit(world: World) -> None:
    assert await world.service.get_all(skip=0, limit=10) == []
    user = User(**NEW.model_dump())
    await user.insert()  # not by the service: nothing is invalidated
    assert await world.service.get_all(0, 10) == []
    assert [found["name"] for found in await world.service.get_all(0, 11)] == ["Ada"]


async def test_the_key_builder_names_the_pages(world: World) -> None:
    await world.service.get_all()
    await world.service.get_all(limit=10, skip=5)
    assert [await world.cache.exists(key) for key in ("users_list:0:100", "users_list:5:10")] == [True, True]


async def test_create_drops_the_lists(world: World) -> None:
    assert await world.service.get_all() == []
    await world.service.create(NEW)
    assert [user["name"] for user in await world.service.get_all()] == ["Ada"]


async def test_update_reaches_the_entry_that_the_decorator_stored_and_the_lists(world: World) -> None:
    user = await world.service.create(NEW)
    await world.service.get_by_id(str(user.id)), await world.service.get_all()
    await world.service.update(str(user.id), UserUpdate(name="Grace"))
    assert (await world.service.get_by_id(str(user.id)))["name"] == "Grace"
    assert [found["name"] for found in await world.service.get_all()] == ["Grace"]


async def test_delete_with_the_key_one_would_write_works(world: World) -> None:
    user = await world.service.create(NEW)
    user_id = str(user.id)
    await world.service.get_by_id(user_id)
    await behind_the_back(user, "Grace")
    await world.cache.delete(f"user:{user_id}")
    assert (await world.service.get_by_id(user_id))["name"] == "Grace"


async def test_the_repository_asks_the_database_once_and_shares_the_services_entries(world: World) -> None:
    user = await world.service.create(NEW)
    assert await world.repository.get(user.id) == user
    assert await world.repository.get(user.id) == user
    assert world.users.questions == 1
    await behind_the_back(user, "Grace")  # the service finds what the repository has stored under the same key
    assert (await world.service.get_by_id(str(user.id)))["name"] == "Ada"


async def test_the_repository_finds_nobody(world: World) -> None:
    assert await world.repository.get("nobody") is None


async def test_saving_cache_aside_drops_the_entry(world: World) -> None:
    user = await world.service.create(NEW)
    await world.repository.get(user.id)
    user.name = "Grace"
    assert await world.repository.save(user) is user
    assert not await world.cache.exists(f"user:{user.id}")
    assert (await world.repository.get(user.id)).name == "Grace"
    assert world.users.questions == 2


async def test_saving_through_puts_the_new_value_in_place(world: World) -> None:
    user = await world.service.create(NEW)
    await world.repository.get(user.id)
    user.name = "Grace"
    assert await world.write_through.save(user) is user
    assert (await world.repository.get(user.id)).name == "Grace"
    assert world.users.questions == 1
    assert (await world.service.get_by_id(str(user.id)))["name"] == "Grace"


async def test_the_invalidator_drops_what_it_names_and_no_other(world: World) -> None:
    dropped = ["user:7", "users_list:0:10", "user_orders:7:0", "product:3", "products_list:0", "category_products:a:0"]
    kept = ["user:70", "user_orders:70:0", "product:30"]
    for key in dropped + kept:
        await world.cache.set(key, {"key": key})
    await world.invalidator.on_user_updated("7")
    await world.invalidator.on_product_updated("3")
    assert [key for key in dropped + kept if await world.cache.exists(key)] == kept


async def test_the_event_names_call_the_documents_methods_when_it_inherits_from_ours(world: World) -> None:
    class Invalidator(tiercel.CacheInvalidator):
        on_user_updated = world.names["CacheInvalidator"].on_user_updated

    await world.cache.set("user:7", "Ada")
    await Invalidator(world.cache).emit("user_updated", user_id="7")
    assert not await world.cache.exists("user:7")


# ---- lifespan and middleware


async def test_the_lifespan_connects_and_disconnects(url: str) -> None:
    cache = tiercel.RedisCache(url)
    world = World(cache, cache.cached, await empty_database())
    with pytest.raises(RuntimeError, match="Redis not connected"):
        _ = cache.client
    async with world.app.router.lifespan_context(world.app):
        await cache.set("key", 0)
        assert await cache.get("key") == 0
        if url.startswith("redis"):
            await cache.client.set("mine", "text")
            assert await cache.client.get("mine") == "text"
    with pytest.raises(RuntimeError, match="Redis not connected"):
        _ = cache.client


async def test_the_middleware_answers_what_the_application_answered(world: World) -> None:
    app = world.app
    app.add_middleware(ResponseCacheMiddleware, cache=world.cache, cache_ttl=60, cache_methods=["GET"])
    calls: list[str] = []
    binary = bytes(range(256))

    @app.get("/{name}")
    async def read(name: str) -> Any:
        calls.append(name)
        if name == "binary":
            return Response(binary, media_type="image/png")
        return {"empty": [], "zero": 0, "name": name}

    @app.post("/{name}")
    async def write(name: str) -> None:
        calls.append(f"POST {name}")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        for x_cache in ("MISS", "HIT"):
            answer = await client.get("/binary")
            assert (answer.headers["x-cache"], answer.content) == (x_cache, binary)
            assert answer.headers["content-type"] == "image/png"
            answer = await client.get("/ada?x=1")
            assert (answer.headers["x-cache"], answer.json()) == (x_cache, {"empty": [], "zero": 0, "name": "ada"})
        assert calls == ["binary", "ada"]
        assert (await client.get("/ada?x=2")).headers["x-cache"] == "MISS"
        await client.get("/ada?x=1", headers={"Cache-Control": "no-cache"})
        assert calls == ["binary", "ada", "ada", "ada"]
        await client.post("/ada")
        assert "POST ada" in calls
        assert (await client.get("/ada?x=1")).headers["x-cache"] == "MISS"


# ---- all of it, by the module-level names


@pytest.mark.child_process
def test_the_whole_document_runs_as_one_program(url: str) -> None:
    program = Path(__file__).parent / "mission" / "application.py"
    environ = {**os.environ, "TIERCEL_URL": url, "TIERCEL_STRICT": "1"}
    command = [sys.executable, "-W", "error", program]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "list": 1,
        "first": ["MISS", "Ada"],
        "second": ["HIT", "Ada"],
        "after": ["MISS", "Grace"],
        "stored": True,
        "deleted": 1,
    }
