"""Decorated functions do not leak, and do not mind how a process ends. Each test is a Python of its own; every warning is an error."""

from __future__ import annotations

import pytest

from support.runs import run_child

pytestmark = pytest.mark.child_process

HEAD = """
import asyncio, gc, importlib, sys, tracemalloc, weakref
from tiercel import Cache
cache = Cache("memory://")
@cache.cached("user", tags=["user:{user_id}"])
async def get_user(user_id: int) -> dict[str, int] | None:
    if user_id < 0:
        raise LookupError(user_id)
    return {"id": user_id}
@cache.cached("now")
def now(x: int) -> dict[str, int]:
    return {"x": x}
class Service:
    @cache.cached("service")
    async def get(self, x: str, n: int = 1) -> list[str]:
        return [x] * n

def growth(work, collect=True):
    # Bytes that Python holds more after the later rounds than after the first ones. Interpreters keep a few for themselves (names in
    # the method cache, tables that have grown), so tests compare it with what one leaked object a turn would cost.
    for _ in range(2):
        work()
    gc.collect()
    tracemalloc.start()
    work(); gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    if not collect:
        gc.disable()
    for _ in range(3):
        work()
    if collect:
        gc.collect()
    return tracemalloc.get_traced_memory()[0] - before
"""


def run(program: str) -> str:
    return run_child(HEAD + program).strip()


def test_functions_and_calls_alive_at_exit() -> None:
    assert run("""
async def main():
    global waiting, bound
    waiting, bound = get_user(1), Service().get
    print(await get_user(1), await bound("a"))
    waiting.close()
asyncio.run(main())
sys.keep = [get_user, bound, waiting, now, lambda: now(1)]
""") == "{'id': 1} ['a']"  # fmt: skip


def test_a_module_with_decorated_functions_is_reloaded(tmp_path: object) -> None:
    assert run(f"""
import pathlib
path = pathlib.Path({str(tmp_path)!r}); (path / "mod.py").write_text(
    "from __main__ import cache\\n@cache.cached('m')\\nasync def f(x: int) -> int: return x\\n")
sys.path.insert(0, str(path))
import mod
old = weakref.ref(mod.f)
print(asyncio.run(mod.f(1)))
for _ in range(3):
    importlib.reload(mod)
gc.collect()
print(asyncio.run(mod.f(1)), old() is None)
""") == "1\n1 True"  # fmt: skip


def test_a_hundred_thousand_calls_leave_nothing() -> None:
    assert run("""
service = Service()
async def main():
    for i in range(10_000):
        await get_user(1); await get_user(**{"user_id": 1}); await service.get("a", n=2); get_user.key(i)
    for i in range(5):
        await get_user.refresh(1)
loop = asyncio.new_event_loop()
print(growth(lambda: loop.run_until_complete(main())) < 100_000)   # of 90,000 calls
loop.close()
""") == "True"  # fmt: skip


def test_decorating_again_and_again_leaves_nothing() -> None:
    assert run("""
def main():
    for i in range(300):
        class Local:
            pass
        @cache.cached("local", exclude=["other"], key_builder=lambda x, other: f"{x}{made.__name__}")
        async def made(x: int, other: Local | None = None) -> int:
            return made and x
        made.self = made
        made.key(1)
print(growth(main) < 900 * 200)   # of 900, each of several kilobytes
""") == "True"  # fmt: skip


def test_exceptions_leave_no_cycles() -> None:
    assert run("""
async def main():
    for i in range(300):
        try:
            await get_user(-1)
        except LookupError:
            pass
loop = asyncio.new_event_loop()
print(growth(lambda: loop.run_until_complete(main()), collect=False) < 900 * 200)
loop.close()
""") == "True"  # fmt: skip


def test_references_are_given_back_one_by_one() -> None:
    assert run("""
argument = "text of its own " + str(len(sys.argv))
service = Service()
async def main():
    await service.get(argument)
    await service.get(argument)
    before = sys.getrefcount(argument), sys.getrefcount(service), sys.getrefcount(Service.get)
    for _ in range(1000):
        await service.get(argument); await service.get(x=argument); service.get.key(argument); Service.get.key(argument)
        service.get(argument).close()
        try: service.get(argument, argument, argument, argument)
        except TypeError: pass
        try: service.get([object()] and object(), n=argument).send(None)
        except TypeError: pass
        await service.get.invalidate(argument); await service.get.refresh(argument); await service.get.uncached(argument)
    gc.collect()
    print([b - a for a, b in zip(before, (sys.getrefcount(argument), sys.getrefcount(service), sys.getrefcount(Service.get)))])
asyncio.run(main())
""") == "[0, 0, 0]"  # fmt: skip


def test_def_functions_in_threads_end_with_the_interpreter() -> None:
    assert run("""
import threading
seen = []
threads = [threading.Thread(target=lambda: seen.append(now(1))) for _ in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(seen == [{"x": 1}] * 8, cache.stats().loads)
""") == "True 1"  # fmt: skip
