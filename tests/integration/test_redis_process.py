"""Processes with connections: forks, shutdowns and reconnects, each ending with code 0 and a silent stderr."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.runs import run_child
from support.servers import Server

pytestmark = pytest.mark.child_process

HEAD = """
import asyncio, gc, os, sys, threading, time
from tiercel import Cache, _sync
url, ca = sys.argv[1], sys.argv[2]
cache = Cache(url, op_timeout=5, tls_ca_file=ca or None)

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


def run(program: str, server: Server, *, tls: bool = False, timeout: float = 60) -> str:
    ca = str(server.certificates.authority) if server.certificates is not None else ""
    return run_child(HEAD + program, server.url(tls=tls), ca if tls else "", timeout=timeout).strip()


ENDS = {
    "by asyncio.run without a disconnect": """
async def main():
    await cache.set("key", 1)
    print(await cache.get("key", fresh="now"))
asyncio.run(main())
""",
    "by a loop closed without ceremony": """
loop = asyncio.new_event_loop()
loop.run_until_complete(cache.set("key", 1))
print(loop.run_until_complete(cache.get("key", fresh="now")))
loop.close()
del cache
gc.collect()
""",
    "by one loop closed and the next one in use": """
for i in range(2):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(cache.set("key", 1))
    got = loop.run_until_complete(cache.get("key", fresh="now"))
    loop.close()
gc.collect()
asyncio.run(cache.get("key", fresh="now"))
print(got)
""",
    "while it connects": """
async def main():
    task = asyncio.ensure_future(cache.get("key"))
    await asyncio.sleep(0)
    print(1)
asyncio.run(main())
""",
    "with the background thread connected": """
print(_sync.wait(cache, cache._store("key", b"\\x01", codec=1, usable_for=None)).kind == "stored" and 1)
""",
    "while the background thread connects": """
threading.Thread(target=lambda: _sync.wait(cache, cache._read("key")), daemon=True).start()
print(1)
""",
    "under uvloop": """
import uvloop
async def main():
    await cache.set("key", 1)
    print(await cache.get("key", fresh="now"))
uvloop.run(main())
""",
}


@pytest.mark.parametrize("how", ENDS)
def test_a_process_ends_in_silence(redis_server: Server, how: str) -> None:
    assert run(ENDS[how], redis_server) == "1"
    assert redis_server.clients() == []


@pytest.mark.parametrize("how", list(ENDS)[:3])
def test_a_process_ends_in_silence_with_tls(start_server: Callable[..., Server], how: str) -> None:
    assert run(ENDS[how], start_server(tls=True), tls=True) == "1"


def test_system_exit_in_a_task_that_a_reply_has_woken_ends_the_process_with_its_code(redis_server: Server) -> None:
    with pytest.raises(AssertionError, match="exit code 3"):
        run(
            """
async def exits():
    await cache.get("key", fresh="now")
    sys.exit(3)
async def main():
    task = asyncio.create_task(exits())
    await asyncio.sleep(60)
asyncio.run(main())
""",
            redis_server,
        )


def test_a_forked_child_uses_a_connection_of_its_own_and_the_parents_stays(redis_server: Server) -> None:
    assert run("""
async def use(value):
    await cache.connect()
    await cache.set("key", value)
    ids = [client["id"] for client in clients(await cache.client.execute("CLIENT", "LIST"))]
    print(await cache.get("key", fresh="now"), len(ids))
    await asyncio.sleep(0)
def clients(text):
    return [dict(word.split("=", 1) for word in line.split()) for line in text.splitlines() if "test-cli" not in line]
async def main():
    await use(1)
    own = await cache.client.execute("CLIENT", "ID")
    sys.stdout.flush()
    def work():
        asyncio._set_running_loop(None)
        asyncio.run(use(2))
    ended(child(work))
    assert await cache.get("key", fresh="now") == 2
    assert await cache.client.execute("CLIENT", "ID") == own, "the parent's connection was lost"
    await cache.disconnect()
asyncio.run(main())
""", redis_server) == "1 2\n2 4"  # fmt: skip


def test_a_fork_between_two_runs_of_a_loop_leaves_the_parents_connection_able_to_hear(redis_server: Server) -> None:
    """Closing the parent's transport in the child would take the parent's socket out of the epoll set they share."""
    assert (
        run(
            """
loop = asyncio.new_event_loop()
loop.run_until_complete(cache.connect())
own = loop.run_until_complete(cache.client.execute("CLIENT", "ID"))
def work():
    asyncio.run(cache.set("key", 2))
ended(child(work))
began = time.monotonic()
print(loop.run_until_complete(cache.get("key", fresh="now")))
assert loop.run_until_complete(cache.client.execute("CLIENT", "ID")) == own
assert cache.stats().redis["timeouts"] == 0 and time.monotonic() - began < 2
loop.run_until_complete(cache.disconnect())
loop.close()
""",
            redis_server,
        )
        == "2"
    )


def test_preloaded_workers_as_gunicorn_forks_them(redis_server: Server) -> None:
    """The application is used once before the fork, by a `def` function; each worker then runs a loop of its own."""
    assert run("""
assert _sync.wait(cache, cache._store("key", b"\\x01", codec=1, usable_for=None)).kind == "stored"
def work():
    async def serve():
        async with cache:
            for i in range(50):
                assert await cache.set(f"key{os.getpid()}", i)
                assert await cache.get(f"key{os.getpid()}", fresh="now") == i
    asyncio.run(serve())
for worker in [child(work) for _ in range(3)]:
    ended(worker)
print(_sync.wait(cache, cache._read("key", fresh="now")).kind)
""", redis_server) == "hit"  # fmt: skip


def test_forked_children_roll_other_dice(redis_server: Server) -> None:
    assert run("""
asyncio.run(cache.set("key", 0))
def work():
    asyncio.run(cache.set(f"key{os.getpid()}", 1))
for _ in range(5): ended(child(work))
async def stamps():
    async with cache:
        keys = [key async for key in cache.client.scan_iter(match="tiercel:v:*")]
        found = [await cache.client.execute("GETRANGE", key, 0, 63) for key in keys]
        print(len(found), len({bytes(record if isinstance(record, bytes) else record.encode())[:40] for record in found}))
asyncio.run(stamps())
""", redis_server) == "6 6"  # fmt: skip


@pytest.mark.parametrize("kind", ["operations", "reconnects", "commands", "loops"])
def test_memory_comes_to_a_plateau(fresh_redis: Server, kind: str) -> None:
    printed = run(
        f"""
kind = {kind!r}
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
async def operations():
    for _ in range(20):
        await asyncio.gather(*(cache.set(f"key{{i}}", "x" * 100) for i in range(50)))
        await asyncio.gather(*(cache.get(f"key{{i}}", fresh="now") for i in range(50)))
        await asyncio.gather(*(cache.get_or_load(f"cold{{i}}", lambda: 1, tags=["t"]) for i in range(50)))
        await cache.invalidate(tags=["t"])
        await cache.delete_pattern("cold*")
async def reconnects():
    for _ in range(40):
        await cache.set("key", 1)
        await cache.disconnect()
        await asyncio.sleep(0)
async def commands():
    await cache.connect()
    for _ in range(1000):
        await cache.client.execute("SET", "raw", "x" * 1000)
        await cache.client.execute("GET", "raw")
def round():
    if kind == "loops":
        for _ in range(30): asyncio.run(cache_get())
    else:
        asyncio.run(globals()[kind]())
async def cache_get():
    await cache.get("key", fresh="now")
for _ in range(4): round()
before = resident()
open_files = len(os.listdir("/proc/self/fd"))
for _ in range(8): round()
assert len(os.listdir("/proc/self/fd")) == open_files
print(resident() - before)
""",
        fresh_redis,
    )
    assert int(printed) < 2_000_000
