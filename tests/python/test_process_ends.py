"""How a process ends that has used a cache: with exit code 0, nothing on stderr (every warning is an error there), at once."""

from __future__ import annotations

import time

import pytest

from support.runs import run_child

pytestmark = pytest.mark.child_process

HEAD = """
import asyncio, gc, os, sys, threading, time
from tiercel import Cache, _sync
cache = Cache("memory://")
"""


def run(program: str) -> str:
    began = time.monotonic()
    printed = run_child(HEAD + program)
    assert time.monotonic() - began < 10
    return printed.strip()


def test_a_cache_that_is_never_disconnected() -> None:
    assert run("""
async def main():
    await cache.set("key", 1)
    print(await cache.get_or_load("other", lambda: 2))
asyncio.run(main())
""") == "2"  # fmt: skip


def test_a_loop_that_is_closed_without_ceremony() -> None:
    assert run("""
for i in range(3):
    loop = asyncio.new_event_loop()
    print(loop.run_until_complete(cache.get_or_load("key", lambda: i)))
    loop.close()
del cache
gc.collect()
""") == "0\n0\n0"  # fmt: skip


def test_a_load_in_flight_when_the_loop_ends() -> None:
    assert run("""
async def main():
    async def load():
        await asyncio.sleep(60)
    task = asyncio.create_task(cache.get_or_load("key", load))
    await asyncio.sleep(0.01)
    print("left")
asyncio.run(main())
""") == "left"  # fmt: skip


def test_the_background_thread_ends_with_the_interpreter() -> None:
    assert run("""
outcome = _sync.wait(cache, cache._store("key", b"\\x01", codec=1, usable_for=None))
print(outcome.kind, [thread.name for thread in threading.enumerate() if thread.daemon])
""") == "stored ['tiercel']"  # fmt: skip


def test_a_thread_that_still_loads_when_the_interpreter_ends() -> None:
    assert run("""
def load():
    time.sleep(60)
threading.Thread(target=lambda: _sync.get_or_load(cache, "key", load), daemon=True).start()
time.sleep(0.2)
print("left")
""") == "left"  # fmt: skip


def test_the_interpreter_ends_while_the_background_thread_is_being_started() -> None:
    assert run("""
creating, real = threading.Event(), threading.Thread.start
def slow(self):
    if self.name == "tiercel":
        creating.set()
        time.sleep(0.2)
    real(self)
threading.Thread.start = slow
threading.Thread(target=lambda: _sync.wait(cache, cache._read("key")), daemon=True).start()
creating.wait()
print("left")
""") == "left"  # fmt: skip


def test_what_asks_after_the_background_thread_has_ended_runs_its_loader() -> None:
    assert run("""
from tiercel import _background
_background._stop()
outcome = _sync.get_or_load(Cache("redis://127.0.0.1:1", op_timeout=0.05), "key", lambda: 1)
print(outcome.kind)
""") == "run_loader"  # fmt: skip


def test_system_exit_in_a_woken_task_ends_the_process_with_its_code() -> None:
    with pytest.raises(AssertionError, match="exit code 3"):
        run("""
async def exits():
    await cache.get_or_load("key", load)
    sys.exit(3)
async def load():
    await asyncio.sleep(0.01)
    return 1
async def main():
    task = asyncio.create_task(exits())
    await asyncio.sleep(60)
asyncio.run(main())
""")


def test_the_package_can_be_imported_anew() -> None:
    assert run("""
asyncio.run(cache.connect())
for name in [name for name in sys.modules if name.split(".")[0] == "tiercel" and name != "tiercel._core"]:
    del sys.modules[name]
import tiercel
async def main():
    again = tiercel.Cache("memory://")
    await again.set("key", 1)
    print(await again.get("key"), await cache.get("key"))
asyncio.run(main())
""") == "1 None"  # fmt: skip


def test_importing_reads_and_opens_nothing() -> None:
    assert (
        run_child(
            """
        import os, sys, threading
        os.environ["TIERCEL_URL"] = "nonsense://"
        before = set(os.listdir("/proc/self/fd"))
        import tiercel
        assert set(os.listdir("/proc/self/fd")) == before, "an open file"
        assert threading.active_count() == 1
        assert "asyncio.base_events" in sys.modules
        print(tiercel.cache)
        """
        ).strip()
        == "<RedisCache, not used yet>"
    )


@pytest.mark.parametrize("kind", ["loads", "hits", "loops", "caches"])
def test_memory_comes_to_a_plateau(kind: str) -> None:
    """Resident memory after many rounds is what it was after some."""
    printed = run(f"""
kind = {kind!r}
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
async def loads(n):
    async def load(): return 1
    async def fails(): raise KeyError
    async def hangs(): await asyncio.sleep(60)
    for i in range(n // 4):
        await cache.get_or_load(f"key{{i % 50}}", load)
        await cache.delete(f"key{{i % 50}}")
        try: await cache.get_or_load("fails", fails)
        except KeyError: pass
        task = asyncio.create_task(cache.get_or_load("hangs", hangs))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
async def hits(n):
    await cache.set("key", "x" * 1000)
    for _ in range(n * 10):
        await cache.get("key")
def round():
    if kind == "loads": asyncio.run(loads(4000))
    if kind == "hits": asyncio.run(hits(10000))
    if kind == "loops":
        for _ in range(100): asyncio.run(loads(8))
    if kind == "caches":
        global cache
        async def one():
            await cache.set("key", "x" * 1000)
        for _ in range(200):
            cache = Cache("memory://")
            asyncio.run(one())
for _ in range(3): round()
before = resident()
for _ in range(6): round()
print(resident() - before)
""")
    assert int(printed) < 2_000_000
