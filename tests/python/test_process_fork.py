"""A process that forks after it has used a cache: the child leaves the parent's engine alone and builds its own."""

from __future__ import annotations

import pytest

from support.runs import run_child

pytestmark = pytest.mark.child_process

HEAD = """
import asyncio, os, sys, threading, time
from tiercel import Cache, _core, _sync
cache = Cache("memory://")

def child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.stdout.flush()
            os._exit(code)
    return pid

def ended(pid):
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def run(program: str, **options: float) -> str:
    return run_child(HEAD + program, **options).strip()  # type: ignore[arg-type]


def test_the_child_begins_anew_and_the_parent_goes_on() -> None:
    assert run("""
async def use(value):
    before = await cache.get("key")
    await cache.set("key", value)
    print(before, await cache.get("key"), await cache.get_or_load("other", lambda: value))
asyncio.run(use(1))
sys.stdout.flush()
ended(child(lambda: asyncio.run(use(2))))
asyncio.run(use(3))
""") == "None 1 1\nNone 2 2\n1 3 1"  # fmt: skip


def test_a_fork_from_within_a_running_loop() -> None:
    assert run("""
async def main():
    await cache.set("key", 1)
    def work():
        asyncio._set_running_loop(None)
        async def use():
            print(await cache.get("key"), await cache.get_or_load("key", lambda: 2))
        asyncio.run(use())
    ended(child(work))
    print(await cache.get("key"))
asyncio.run(main())
""") == "None 2\n1"  # fmt: skip


def test_preloaded_workers_do_not_wait_for_the_parents_background_thread() -> None:
    assert run("""
def fill(value):
    return _sync.wait(cache, cache._store("key", bytes([value]), codec=1, usable_for=None)).kind
assert fill(1) == "stored"
for worker in [child(lambda: fill(2) == "stored" or sys.exit(1)) for _ in range(3)]:
    ended(worker)
print(fill(3), cache._find("key"))
""") == "stored (1, b'\\x03')"  # fmt: skip


def test_a_child_never_waits_for_a_lock_that_a_thread_of_the_parent_held() -> None:
    assert run("""
stop = False
def hammer(i):
    async def main():
        while not stop:
            await cache.set(f"key{i}", "x" * 100)
            await cache.get(f"key{i}")
    asyncio.run(main())
threads = [threading.Thread(target=hammer, args=(i,)) for i in range(3)]
for thread in threads: thread.start()
time.sleep(0.1)
async def use():
    await cache.set("key0", 1)
    assert await cache.get("key0") == 1
for _ in range(30):
    ended(child(lambda: asyncio.run(use())))
stop = True
for thread in threads: thread.join()
print("ended")
""") == "ended"  # fmt: skip


def test_a_grandchild_begins_anew_too() -> None:
    assert run("""
async def use():
    print(await cache.get("key"))
    await cache.set("key", 1)
    sys.stdout.flush()
def work():
    asyncio.run(use())
    ended(child(lambda: asyncio.run(use())))
asyncio.run(use())
ended(child(work))
""") == "None\nNone\nNone"  # fmt: skip


def test_the_parents_engine_is_not_even_looked_at() -> None:
    assert run("""
async def use():
    await cache.set("key", 1)
asyncio.run(use())
def work():
    assert not cache._alive
    assert cache._find("key") is None
    assert cache.stats().hits == 0
ended(child(work))
print(cache._alive, cache._find("key"))
""") == "True (1, b'\\x01')"  # fmt: skip
