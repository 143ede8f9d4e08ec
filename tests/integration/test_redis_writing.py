"""`cache.writing(…)` over a real server and two caches: the window around a commit, Redis away, callers that leave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from support.runs import run_child
from support.servers import Server
from support.waiting import eventually
from tiercel import Cache, Unavailable, _core


def state(server: Server, key: str) -> str:
    record = server.cli("GET", f"tiercel:v:{key}")
    facts = None if record is None else _core.record_facts(record)
    return "nothing" if record is None else facts["state"] if facts else "damaged"


def gone(cache: Cache, *keys: str) -> Callable[[], bool]:
    return lambda: all(cache._find(key) is None for key in keys)


async def test_a_load_of_before_the_commit_is_stored_by_nobody(any_server: Server) -> None:
    async with Cache(any_server.url(), op_timeout=5) as writer, Cache(any_server.url(), op_timeout=5) as reader:
        await writer.set("user:42", "old", tags=["users"])
        assert await reader.get("user:42") == "old"
        async with writer.writing(keys=["user:42"], tags=["lists"]) as write:
            assert write.announced and state(any_server, "user:42") == "intent"
            await eventually(gone(reader, "user:42"))
            assert await reader.get_or_load("user:42", lambda: "of before") == "of before"
            assert await reader.get_or_load("list:1", lambda: "of before", tags=["lists"]) == "of before"
            assert await reader.get("user:42") is None
            assert await reader.get("list:1") is None
        assert write.held and write.confirmed
        assert state(any_server, "user:42") == "nothing"
        await asyncio.sleep(0.05)  # the push of the end, which would seal a load that has just begun
        assert await reader.get_or_load("user:42", lambda: "new") == "new"
        assert await writer.get("user:42") == "new"


async def test_a_load_that_began_before_it_is_not_stored_after_it(any_server: Server) -> None:
    async with Cache(any_server.url(), op_timeout=5) as writer, Cache(any_server.url(), op_timeout=5) as reader:
        began, may_end = asyncio.Event(), asyncio.Event()

        async def load() -> str:
            began.set()
            await may_end.wait()
            return "old"

        loading = asyncio.create_task(reader.get_or_load("key", load))
        await began.wait()
        async with writer.writing(keys=["key"]):
            pass
        may_end.set()
        assert await loading == "old"
        assert await reader.get("key") is None and state(any_server, "key") == "nothing"


async def test_two_writers_of_one_key_hold_until_the_last_has_ended(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as one, Cache(redis_server.url(), op_timeout=5) as two:
        async with one.writing(keys=["key"]) as outer:
            async with two.writing(keys=["key"]) as inner:
                pass
            assert state(redis_server, "key") == "intent"
        assert inner.held and outer.held and state(redis_server, "key") == "nothing"


async def test_an_intent_is_renewed_for_as_long_as_its_block_runs(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache:
        async with cache.writing(keys=["key"]) as write:
            await asyncio.sleep(2.5)  # longer than a lease
            assert state(redis_server, "key") == "intent"
        assert write.held and write.confirmed


async def test_one_that_was_removed_by_another_was_not_held(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache, Cache(redis_server.url(), op_timeout=5) as other:
        async with cache.writing(keys=["key"]) as write:
            await other.delete("key")
        assert write.confirmed and not write.held


async def test_wait_lets_the_block_begin_when_nobody_serves_from_memory(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5, staleness=0.2) as cache:
        began = asyncio.get_running_loop().time()
        async with cache.writing(keys=["key"], wait=True) as write:
            assert asyncio.get_running_loop().time() - began > 0.19
        assert write.held


async def test_without_redis_it_raises_before_the_block(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url()) as cache:
        fresh_redis.stop()
        await eventually(lambda: cache.stats().redis["state"] != "ready")
        with pytest.raises(Unavailable, match=r"^writing: Redis is away"):
            async with cache.writing(keys=["key"]):
                raise AssertionError("the block ran")


async def test_without_redis_a_lenient_one_goes_on_and_is_pending(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url(), op_timeout=2) as other, Cache(fresh_redis.url()) as cache:
        await other.set("key", "old")
        fresh_redis.stop(keep_data=True)
        await eventually(lambda: cache.stats().redis["state"] != "ready")
        async with cache.writing(keys=["key"], strict=False) as write:
            assert not write.announced
        assert not write.held and not write.confirmed and write.token is None
        fresh_redis.start()
        await eventually(lambda: cache.stats().invalidations_pending == 0, 20)
        assert fresh_redis.cli("EXISTS", "tiercel:v:key") == 0


async def test_a_server_that_hangs_costs_one_budget(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url(), op_timeout=0.1) as cache:
        await cache.set("key", 1)
        fresh_redis.pause()
        try:
            with pytest.raises(Unavailable, match=r"^writing: "):
                async with cache.writing(keys=["key"]):
                    raise AssertionError("the block ran")
        finally:
            fresh_redis.resume()
        await eventually(lambda: state(fresh_redis, "key") == "nothing", 10)  # nothing stays behind


async def test_redis_going_away_within_the_block_is_told_at_its_end(fresh_redis: Server) -> None:
    async with Cache(fresh_redis.url()) as cache:
        async with cache.writing(keys=["key"]) as write:
            fresh_redis.stop()
            await eventually(lambda: cache.stats().redis["state"] != "ready")
        assert not write.held and not write.confirmed


async def test_with_caching_turned_off_no_commit_fails(fresh_redis: Server) -> None:
    url = fresh_redis.url()
    fresh_redis.stop()
    async with Cache(url, enabled=False) as cache:
        async with cache.writing(keys=["key"]) as write:
            pass
        assert not write.announced and not write.confirmed


async def left(server: Server, leave: Callable[[asyncio.Task[None]], Awaitable[None]]) -> None:
    """A task that begins a write is left at its begin by `leave`; nothing of it may stay, nor be renewed."""
    async with Cache(server.url(), op_timeout=5) as cache:
        await cache.get("key")

        async def works() -> None:
            async with cache.writing(keys=["key"]):
                await asyncio.sleep(30)

        task = asyncio.create_task(works())
        await leave(task)
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: state(server, "key") == "nothing", 5)
        await asyncio.sleep(0.8)  # a renewal would have come
        assert state(server, "key") == "nothing"


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
async def test_a_caller_cancelled_while_it_begins_leaves_nothing_behind(redis_server: Server, steps: int) -> None:
    async def after_steps(task: asyncio.Task[None]) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()

    await left(redis_server, after_steps)


async def test_a_caller_cancelled_as_the_answer_comes_leaves_nothing_behind(redis_server: Server) -> None:
    async def as_it_stands(task: asyncio.Task[None]) -> None:
        while state(redis_server, "key") != "intent":  # blocks the loop: answer and cancellation are found together
            if task.done():
                return
            await asyncio.sleep(0)
        task.cancel()

    await left(redis_server, as_it_stands)


async def test_a_caller_on_another_loop_who_leaves_with_the_answer_in_hand_leaves_nothing_behind(
    redis_server: Server,
) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache:

        async def works() -> None:
            async with cache.writing(keys=["key"]):
                await asyncio.sleep(30)

        async def elsewhere() -> None:
            pause = threading.Event()  # never set
            task = asyncio.create_task(works())
            await asyncio.sleep(0)
            for _ in range(200):  # blocks this loop, not the owner's
                if pause.wait(0.01) or state(redis_server, "key") == "intent":
                    break
            assert state(redis_server, "key") == "intent"
            pause.wait(0.1)  # and the owner has the answer
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        await asyncio.to_thread(asyncio.run, elsewhere())
        await eventually(lambda: state(redis_server, "key") == "nothing", 5)
        await asyncio.sleep(0.8)  # a renewal would have come
        assert state(redis_server, "key") == "nothing"


async def test_a_cancellation_during_the_end_does_not_stop_it(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache:
        inside, may_end = asyncio.Event(), asyncio.Event()

        async def works() -> None:
            async with cache.writing(keys=["key"]):
                inside.set()
                await may_end.wait()

        task = asyncio.create_task(works())
        await inside.wait()
        may_end.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: state(redis_server, "key") == "nothing")


def test_threads_write_through_the_loop_of_the_background(redis_server: Server) -> None:
    cache = Cache(redis_server.url(), op_timeout=5, staleness=0.3)
    failures: list[object] = []

    def works(number: int) -> None:
        for round_ in range(5):
            with cache.writing(keys=[f"key{number}", "shared"], wait=round_ == 0) as write:
                if state_of[f"key{number}"]() != "intent":
                    failures.append("no intent")
            if not write.held or not write.confirmed:
                failures.append(write)

    lock = threading.Lock()

    def looks(key: str) -> Callable[[], str]:
        def look() -> str:
            with lock:
                return state(redis_server, key)

        return look

    state_of = {f"key{n}": looks(f"key{n}") for n in range(4)}
    threads = [threading.Thread(target=works, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert state(redis_server, "shared") == "nothing"
    asyncio.run(cache.disconnect())


async def test_a_process_that_is_killed_within_its_block_leaves_nothing_old_behind(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache:
        await cache.set("key", "old")
        dies = """
            import asyncio, os, sys
            from tiercel import Cache

            async def main():
                cache = Cache(sys.argv[1], op_timeout=5)
                async with cache.writing(keys=["key"]):
                    print("committed", flush=True)
                    os._exit(0)

            asyncio.run(main())
        """
        assert await asyncio.to_thread(run_child, dies, redis_server.url()) == "committed\n"
        assert await cache.get("key", fresh="now") is None
        assert await cache.get_or_load("key", lambda: "new") == "new"  # answered, not stored
        await eventually(lambda: state(redis_server, "key") == "nothing", 5)
        assert await cache.get_or_load("key", lambda: "new") == "new"
        await eventually(lambda: state(redis_server, "key") == "value")


def test_a_forked_child_leaves_its_parents_write_alone_and_may_end_it_as_an_invalidation(redis_server: Server) -> None:
    program = """
        import gc, os, sys
        from tiercel import Cache

        cache = Cache(sys.argv[1], op_timeout=5)

        def in_child(work):
            child = os.fork()
            if child == 0:
                work()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0

        def drop():
            global write
            del write
            gc.collect()

        def end():
            write.__exit__(None, None, None)
            assert write.confirmed and not write.held

        for work in (drop, end):
            write = cache.writing(keys=["key"])
            write.__enter__()
            in_child(work)
            write.__exit__(None, None, None)
            print(write.confirmed, write.held)
    """
    assert run_child(program, redis_server.url()) == "True True\nTrue False\n"
