"""Decorated functions pass for the function they wrap: attributes, binding, pickling, and everything that takes an async function."""

from __future__ import annotations

import abc
import asyncio
import collections.abc
import copy
import dataclasses
import functools
import gc
import inspect
import io
import pickle
import sys
import traceback
import unittest.mock
import weakref
from typing import Any

import pytest

import tiercel
from tiercel import Cache, _core

cache = Cache("memory://")
calls: list[Any] = []


@pytest.fixture(autouse=True)
def fresh_store() -> Any:
    calls.clear()
    with cache.testing():
        yield


@cache.cached(prefix="user", expire="5m")
async def get_user(user_id: int, *, deep: bool = False) -> dict[str, int]:
    """Says who."""
    calls.append(user_id)
    return {"id": user_id}


class Service:
    @cache.cached(prefix="service")
    async def get(self, user_id: str, n: int = 1) -> list[str]:
        calls.append((self, user_id))
        return [user_id] * n

    @classmethod
    @cache.cached("cls")
    async def of_class(cls, x: int) -> str:
        calls.append(cls)
        return cls.__name__

    @cache.cached("cls_over")
    @classmethod
    async def over_class(cls, x: int) -> str:
        calls.append(cls)
        return cls.__name__

    @staticmethod
    @cache.cached("static")
    async def of_static(x: int) -> int:
        calls.append(x)
        return x

    @cache.cached("static_over")
    @staticmethod
    async def over_static(x: int) -> int:
        calls.append(x)
        return x


class Derived(Service): ...


# It is the function


def test_it_shows_what_it_wraps() -> None:
    wrapped = get_user.__wrapped__
    assert inspect.isfunction(wrapped)
    for name in (
        "__name__",
        "__qualname__",
        "__module__",
        "__doc__",
        "__annotations__",
        "__code__",
        "__defaults__",
        "__kwdefaults__",
    ):
        assert getattr(get_user, name) == getattr(wrapped, name)
    assert get_user.__kwdefaults__ == {"deep": False} and get_user.__doc__ == "Says who."
    assert inspect.signature(get_user) == inspect.signature(wrapped)
    assert list(inspect.signature(Service().get).parameters) == ["user_id", "n"]


def test_it_is_seen_as_a_coroutine_function() -> None:
    for function in (
        get_user,
        Service().get,
        Service.get,
        functools.partial(get_user, 1),
        Service.over_class,
        Service.of_static,
    ):
        assert inspect.iscoroutinefunction(function), function
        assert inspect.isroutine(function) or isinstance(function, functools.partial)
    assert inspect.iscoroutinefunction(get_user.function) and inspect.isfunction(get_user.function)
    assert inspect.iscoroutinefunction(Service().get.function) and inspect.isfunction(Service().get.function)


def test_attributes_of_the_function_are_taken_over_and_more_may_be_set() -> None:
    async def f() -> None: ...

    f.marked = 1  # type: ignore[attr-defined]
    cached = cache.cached("f")(f)
    cached.other = 2  # type: ignore[attr-defined]
    assert vars(cached)["marked"] == 1 and cached.other == 2  # type: ignore[attr-defined]


def test_an_abstract_method_stays_abstract() -> None:
    class Base(abc.ABC):
        @cache.cached("f")
        @abc.abstractmethod
        async def f(self) -> None: ...

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]


def test_weak_references_and_garbage_collection() -> None:
    async def f() -> None: ...

    cached = cache.cached("f")(f)
    cached.itself = cached  # type: ignore[attr-defined]
    gone = weakref.ref(cached), weakref.ref(f)
    del cached, f
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_it_is_pickled_and_copied_by_its_qualified_name() -> None:
    for made in (get_user, Service.get):
        assert pickle.loads(pickle.dumps(made)) is made
        assert copy.copy(made) is made and copy.deepcopy(made) is made
    service = Service()
    assert copy.copy(service.get) == service.get
    assert isinstance(pickle.loads(pickle.dumps(service.get)).__self__, Service)


def test_bound_objects_compare_like_methods() -> None:
    one, two = Service(), Service()
    assert one.get == one.get and hash(one.get) == hash(one.get) and one.get != two.get
    assert one.get.__self__ is one and one.get.__func__ is Service.get  # type: ignore[attr-defined]
    assert weakref.ref(bound := one.get)() is bound
    assert "get" in repr(one.get) and "get_user" in repr(get_user)


# Its calls


async def test_a_call_does_nothing_until_awaited() -> None:
    call = get_user(1)
    await asyncio.sleep(0)
    assert calls == []
    assert await call == {"id": 1} and calls == [1]


async def test_a_hit_is_a_copy_and_the_load_the_very_object() -> None:
    first = await get_user(1)
    second, third = await get_user(1), await get_user(user_id=1)
    assert first == second == third and calls == [1]
    second["id"] = 99
    assert await get_user(1) == {"id": 1} and first == {"id": 1}


async def test_a_call_is_a_coroutine_for_everybody() -> None:
    await get_user(1)
    call = get_user(1)
    assert isinstance(call, collections.abc.Coroutine) and inspect.isawaitable(call) and asyncio.iscoroutine(call)
    call.close()
    for number in (1, 2):  # a hit, a miss
        assert await asyncio.create_task(get_user(number)) == {"id": number}  # type: ignore[arg-type]
        assert await asyncio.wait_for(get_user(number), 1) == {"id": number}
        assert await asyncio.gather(get_user(number), get_user(number)) == [{"id": number}] * 2
        assert await asyncio.shield(get_user(number)) == {"id": number}
        if sys.version_info >= (3, 11):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(get_user(number))
            assert task.result() == {"id": number}


def test_a_call_runs_on_loops_of_all_kinds() -> None:
    import uvloop

    assert asyncio.run(get_user(5)) == {"id": 5}  # type: ignore[arg-type]
    loop = uvloop.new_event_loop()
    try:
        assert loop.run_until_complete(get_user(5)) == {"id": 5}
        assert loop.run_until_complete(get_user(6)) == {"id": 6}
    finally:
        loop.close()
    assert calls == [5, 6]


async def test_send_and_iteration_answer_by_stop_iteration() -> None:
    await get_user(1)
    with pytest.raises(StopIteration) as stop:
        get_user(1).send(None)
    assert stop.value.value == {"id": 1}
    with pytest.raises(StopIteration):
        next(get_user(1).__await__())
    call = get_user(1)
    with pytest.raises(TypeError, match="just-started"):
        call.send(1)
    call.close()


async def test_a_value_that_is_a_tuple_or_an_exception_is_not_taken_apart() -> None:
    @cache.cached("t")
    async def pair() -> tuple[int, int]:
        return (1, 2)

    assert await pair() == (1, 2) and await pair() == (1, 2)
    with pytest.raises(StopIteration) as stop:
        pair().send(None)
    assert stop.value.value == (1, 2)


async def test_a_call_is_awaited_once() -> None:
    call = get_user(1)
    await call
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        await call
    with pytest.raises(RuntimeError, match="cannot reuse"):
        call.throw(ValueError())


async def test_throw_before_the_start_raises_and_nothing_runs() -> None:
    call = get_user(1)
    with pytest.raises(LookupError):
        call.throw(LookupError("x"))
    assert calls == []


async def test_throw_and_cancel_reach_a_call_that_waits() -> None:
    started = asyncio.Event()

    @cache.cached("slow")
    async def slow() -> None:
        started.set()
        await asyncio.sleep(60)

    task = asyncio.ensure_future(slow())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_closed_call_says_nothing_and_a_dropped_one_warns() -> None:
    call = get_user(1)
    call.close()
    del call
    with pytest.warns(RuntimeWarning, match="coroutine 'get_user' was never awaited"):
        get_user(1)
    with pytest.warns(RuntimeWarning, match=r"'Service.get' was never awaited"):
        Service().get("a")


@pytest.mark.parametrize("arguments", [((), {}), ((1, 2), {}), ((1,), {"user_id": 1}), ((1,), {"nope": 1})])
def test_arguments_that_do_not_fit_raise_at_the_call_in_the_interpreters_words(arguments: Any) -> None:
    args, kwargs = arguments
    with pytest.raises(TypeError) as own:
        get_user.__wrapped__(*args, **kwargs)
    with pytest.raises(TypeError) as ours:
        get_user(*args, **kwargs)
    assert str(ours.value) == str(own.value)


async def test_debuggers_see_where_a_call_is() -> None:
    started = asyncio.Event()

    @cache.cached("slow")
    async def slow() -> None:
        started.set()
        await asyncio.sleep(60)

    call = slow()
    assert call.cr_frame is None and not call.cr_running and call.cr_code is slow.__code__ and call.__name__ == "slow"  # type: ignore[attr-defined]
    task = asyncio.ensure_future(call)
    await started.wait()
    assert call.cr_await is not None and call.cr_frame is not None  # type: ignore[attr-defined]
    assert "slow" in repr(task) and task.get_stack()
    task.print_stack(file=(printed := io.StringIO()))
    assert "test_cached_function" in printed.getvalue() or "_cached_read" in printed.getvalue()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_exception_of_the_function_keeps_its_traceback_and_is_not_stored() -> None:
    @cache.cached("fails")
    async def fails(x: int) -> int:
        calls.append(x)
        raise LookupError("no such user")

    for _ in range(2):
        with pytest.raises(LookupError, match="no such user") as caught:
            await fails(1)
        assert "fails" in [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert calls == [1, 1]


async def test_none_and_empty_values_are_values() -> None:
    @cache.cached("empty")
    async def empty(value: Any) -> Any:
        calls.append(value)
        return value

    for value in (None, 0, "", [], {}, False, 0.0, b""):
        assert await empty(value) == value and await empty(value) == value
    assert len(calls) == 8


# Its methods


async def test_invalidate_refresh_key_uncached() -> None:
    await get_user(1)
    assert get_user.key(1) == "user:1:False"
    assert bool(await get_user.invalidate(1)) is True
    await get_user(1)
    assert calls == [1, 1]
    assert await get_user.refresh(1) == {"id": 1} and calls == [1] * 3
    assert await get_user.uncached(1) == {"id": 1} and calls == [1] * 4
    await get_user(1)
    assert calls == [1] * 4


async def test_methods_of_methods_bound_and_through_the_class() -> None:
    service = Service()
    assert await service.get("a") == ["a"] and await Service.get(service, "a") == ["a"] and len(calls) == 1
    await Service.get.invalidate("a")
    assert await service.get("a", n=1) == ["a"] and len(calls) == 2
    await service.get.invalidate("a")
    assert await service.get.refresh("a") == ["a"] and len(calls) == 3
    assert await Service.get.refresh(service, "a") == ["a"] and len(calls) == 4
    assert (
        await service.get.uncached("a") == ["a"]
        and await Service.get.uncached(service, "a") == ["a"]
        and len(calls) == 6
    )
    assert await service.get("a") == ["a"] and len(calls) == 6
    assert calls[0] == (service, "a")


@pytest.mark.parametrize("method", ["key", "invalidate"])
def test_methods_say_what_does_not_fit(method: str) -> None:
    with pytest.raises(TypeError, match=rf"get_user\.{method}\(\): missing a required argument: 'user_id'"):
        getattr(get_user, method)()
    with pytest.raises(TypeError, match=rf"Service\.get\.{method}\(\): too many positional arguments"):
        getattr(Service.get, method)(Service(), "a", 1, 2)
    with pytest.raises(TypeError, match=rf"{method}\(\): got an unexpected keyword argument 'x'"):
        getattr(get_user, method)(1, x=1)


async def test_class_and_static_methods_on_top_and_below() -> None:
    assert await Service.of_class(1) == await Service.of_class(1) == "Service"
    assert await Service.over_class(1) == await Service().over_class(1) == "Service"
    assert calls == [Service, Service]
    assert await Service.of_static(3) == await Service().of_static(3) == 3
    assert await Service.over_static(4) == await Service().over_static(4) == 4
    assert calls == [Service, Service, 3, 4]
    await Service.of_class.invalidate(1)
    await Service.over_class.invalidate(1)
    assert await Derived.of_class(1) == await Derived.over_class(1) == "Derived"
    assert await Service.of_class.uncached(1) == "Service" and await Service.over_class.refresh(1) == "Service"


async def test_a_classmethod_that_python_does_not_bind_through_us_is_found_by_name() -> None:
    # As since Python 3.13: classmethod makes a plain method of what it wraps, and the method's attributes are the function's.
    made = vars(Service)["of_class"].__func__
    assert await made.uncached(1) == "Service"
    assert await made.refresh(2) == "Service" and made.key(2) == "cls:2"


async def test_subclasses_and_dataclasses_and_slots() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Repository:
        name: str

        @cache.cached("repository")
        async def load(self, key: int) -> str:
            return f"{self.name}{key}"

    assert await Repository("a").load(1) == "a1" and Repository.load.key(1) == "repository:1"

    class Later(Derived):
        async def get(self, user_id: str, n: int = 1) -> list[str]:
            return ["later", *await super().get(user_id, n)]

    assert await Later().get("a") == ["later", "a"]


async def test_mocks_and_partials() -> None:
    assert await functools.partial(get_user, 1)() == {"id": 1}
    with unittest.mock.patch(f"{__name__}.get_user", autospec=True) as mocked:
        mocked.return_value = {"id": -1}
        assert await get_user(3) == {"id": -1}
        mocked.assert_awaited_once_with(3)
    with unittest.mock.patch.object(Service, "get", return_value=["mocked"]):
        assert await Service().get("a") == ["mocked"]
    assert await Service().get("a") == ["a"]

    class Partial:
        @cache.cached("partial")
        async def both(self, a: int, b: int) -> int:
            return a + b

        one = functools.partialmethod(both, 1)  # type: ignore[arg-type]

    assert await Partial().one(2) == 3  # type: ignore[misc]


async def test_starlette_runs_it_in_background_and_fastapi_serves_it() -> None:
    import httpx
    from fastapi import Depends, FastAPI
    from starlette.background import BackgroundTask
    from starlette.routing import Route

    task = BackgroundTask(get_user, 7)
    await task()
    await BackgroundTask(Service().get, "b")()
    assert calls[0] == 7 and calls[1][1] == "b"

    app = FastAPI()
    service = Service()

    @app.get("/users/{user_id}")
    @cache.cached("endpoint")
    async def endpoint(user_id: int, q: str = "x") -> dict[str, Any]:
        calls.append("endpoint")
        return {"id": user_id, "q": q}

    @app.get("/now/{x}")
    @cache.cached("now")
    def endpoint_now(x: int) -> dict[str, int]:
        calls.append("now")
        return {"x": x}

    app.get("/bound")(service.get)

    @app.get("/depends")
    async def depends(user: Any = Depends(get_user), other: Any = Depends(service.get)) -> Any:  # noqa: B008
        return [user, other]

    async def plain(request: Any) -> Any:
        from starlette.responses import JSONResponse

        return JSONResponse(await get_user(int(request.path_params["x"])))

    app.router.routes.append(Route("/plain/{x}", plain))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for _ in range(2):
            assert (await client.get("/users/3")).json() == {"id": 3, "q": "x"}
            assert (await client.get("/now/3")).json() == {"x": 3}
            assert (await client.get("/bound", params={"user_id": "c"})).json() == ["c"]
            assert (await client.get("/depends", params={"user_id": "4"})).json() == [{"id": 4}, ["4"]]
            assert (await client.get("/plain/9")).json() == {"id": 9}
        assert (await client.get("/users/x")).status_code == 422
    assert calls.count("endpoint") == calls.count("now") == 1


async def test_anyio_takes_the_plain_function() -> None:
    import anyio

    async with anyio.create_task_group() as group:
        group.start_soon(get_user.function, 8)
    assert calls == [8]


def test_the_module_level_decorator_is_the_same_thing() -> None:
    @tiercel.cached("x", 60)
    async def f() -> None: ...

    assert isinstance(f, _core.CachedFunction)
