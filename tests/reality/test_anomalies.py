"""The anomalies by name, each told step by step over a real server: loads are held at gates, replies in the proxy, and nothing is
left to luck. A1 to A16 are those of reality/checker.py; where two processes matter only as two caches, they are two `Cache` objects.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from reality.ground import Ground, Plan
from support.proxy import Proxy
from support.servers import Server
from support.waiting import eventually
from tiercel import Cache

KEY, TAG = "user:1", "users"
DELTA = 0.1
PATIENCE = 0.5  # for what must happen at once, and today does not
LEASE_SECONDS = 2.0


class SlowLoad:
    """A loader that has read its value and waits at a gate before it returns it."""

    def __init__(self, value: str) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self._value = value

    async def __call__(self) -> str:
        self.begun.set()
        await self.may_end.wait()
        return self._value


class Caches:
    """As many as wanted on one server, each as its own process would have it."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url, self._stack = url, stack

    async def another(self, url: str | None = None, *, op_timeout: float = 5, staleness: float = DELTA) -> Cache:
        cache = Cache(url or self._url, staleness=staleness, op_timeout=op_timeout)
        return await self._stack.enter_async_context(cache)


@pytest.fixture
async def caches(redis_server: Server) -> AsyncIterator[Caches]:
    async with AsyncExitStack() as stack:
        yield Caches(redis_server.url(), stack)


async def begin(cache: Cache, load: SlowLoad) -> asyncio.Task[Any]:
    """A call whose loader is now at its gate."""
    call = asyncio.create_task(cache.get_or_load(KEY, load, expire=60, tags=[TAG]))
    await asyncio.wait_for(load.begun.wait(), PATIENCE)
    return call


async def v2() -> str:
    return "v2"


async def read(cache: Cache) -> Any:
    return await cache.get_or_load(KEY, v2, expire=60, tags=[TAG])


async def delta_passes() -> None:
    await asyncio.sleep(DELTA * 1.1)  # the promise itself is about time


async def by_key(cache: Cache) -> None:
    assert await cache.invalidate(KEY)


async def by_tag(cache: Cache) -> None:
    assert await cache.invalidate(tags=[TAG])


async def by_pattern(cache: Cache) -> None:
    await cache.delete_pattern("user:*")


async def by_clear(cache: Cache) -> None:
    assert await cache.clear()


EVERY_WAY = [by_key, by_tag, by_pattern, by_clear]
Invalidate = Callable[[Cache], Any]


# ---- A1, A4: fills that come late


@pytest.mark.parametrize(
    "invalidate",
    [by_key, by_tag, by_pattern, by_clear],
)
async def test_a1_a_value_loaded_before_an_invalidation_is_not_stored_after_it(
    caches: Caches, invalidate: Invalidate
) -> None:
    one, two = await caches.another(), await caches.another()
    load = SlowLoad("v1")
    call = await begin(one, load)
    await invalidate(two)  # v2 is committed
    load.may_end.set()
    await call
    await delta_passes()
    assert [await read(one), await read(two)] == ["v2", "v2"]


async def test_a1_the_same_between_two_processes() -> None:
    async with Ground(Plan("a1", 0, workers=2, staleness=DELTA)) as ground:
        one, two = ground.crew
        slow = one.told("read", key="item:1", gate="gate")
        await one.loading.get()
        assert (await two.ask("write", rows=["item:1"], keys=["item:1"]))["confirmed"]
        await one.ask("open", gate="gate")
        await slow
        await delta_passes()
        assert (await one.ask("read", key="item:1"))["versions"] == [2]
        assert (await two.ask("read", key="item:1"))["versions"] == [2]


@pytest.mark.parametrize("invalidate", EVERY_WAY)
async def test_a1_within_one_process(caches: Caches, invalidate: Invalidate) -> None:
    one = await caches.another()
    load = SlowLoad("v1")
    call = await begin(one, load)
    await invalidate(one)
    load.may_end.set()
    assert await call == "v1"  # asked before
    assert await read(one) == "v2"


async def test_a1_a_fill_that_the_network_held_back_until_after_an_invalidation(
    caches: Caches, redis_server: Server
) -> None:
    """Its sender has given it up and owes an invalidation, but leaves Redis alone for a second before it sends anything."""
    with Proxy(redis_server.port) as proxy:
        one, two = await caches.another(proxy.url(), op_timeout=0.05), await caches.another()
        load = SlowLoad("v1")
        call = await begin(one, load)
        proxy.hold(down=False)
        overruns = [asyncio.ensure_future(one.get(f"other:{number}")) for number in range(3)]
        load.may_end.set()
        assert await call == "v1"
        await asyncio.gather(*overruns)
        assert one.stats().redis["state"] == "resting"
        await by_key(two)
        proxy.release()
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            assert await two.get(KEY, fresh="now") is None


async def test_a4_a_late_fill_does_not_pass_under_the_next_lease_of_another_process(caches: Caches) -> None:
    one, two, three = await caches.another(), await caches.another(), await caches.another()
    first, second = SlowLoad("v1"), SlowLoad("v2")
    late = await begin(one, first)
    await by_key(two)
    call = await begin(two, second)
    first.may_end.set()
    await late
    assert await three.get(KEY) is None
    second.may_end.set()
    assert await call == "v2"
    assert await three.get(KEY) == "v2"


async def test_a4_a_late_fill_does_not_pass_under_the_next_lease_of_its_own_process(caches: Caches) -> None:
    one, two, three = await caches.another(), await caches.another(), await caches.another()
    first, second = SlowLoad("v1"), SlowLoad("v2")
    late = await begin(one, first)
    await by_key(two)
    await delta_passes()
    call = await begin(one, second)
    first.may_end.set()
    assert await late == "v1"
    assert await three.get(KEY) is None
    second.may_end.set()
    assert await call == "v2"
    assert await three.get(KEY) == "v2"


# ---- A16: flights joined late


@pytest.mark.parametrize(
    "invalidate",
    [by_key, by_tag, by_pattern, by_clear],
)
async def test_a16_nobody_joins_a_load_that_began_before_an_invalidation_of_delta_ago(
    caches: Caches, invalidate: Invalidate
) -> None:
    one, two = await caches.another(), await caches.another()
    load = SlowLoad("v1")
    call = await begin(one, load)
    await invalidate(two)
    await delta_passes()
    late = asyncio.create_task(read(one))
    try:
        assert await asyncio.wait_for(late, PATIENCE) == "v2"
    finally:
        load.may_end.set()
        await call


@pytest.mark.parametrize("invalidate", EVERY_WAY)
async def test_a16_nobody_joins_a_load_after_an_own_invalidation(caches: Caches, invalidate: Invalidate) -> None:
    one = await caches.another()
    load = SlowLoad("v1")
    call = await begin(one, load)
    await invalidate(one)
    assert await read(one) == "v2"
    load.may_end.set()
    assert await call == "v1"
    assert await read(one) == "v2"


# ---- A2, A3: what the reader did not hear in time


@pytest.mark.parametrize("invalidate", EVERY_WAY)
async def test_a2_a_value_on_its_way_into_memory_while_it_is_invalidated(
    caches: Caches, redis_server: Server, invalidate: Invalidate
) -> None:
    with Proxy(redis_server.port) as proxy:
        one, two = await caches.another(proxy.url()), await caches.another()
        await two.set(KEY, "v1", 60, tags=[TAG])
        gets = redis_server.calls("get")
        proxy.hold(up=False)
        call = asyncio.ensure_future(one.get(KEY))
        await eventually(lambda: redis_server.calls("get") > gets)
        await invalidate(two)
        proxy.release()
        assert await call in ("v1", None)  # asked before
        await delta_passes()
        assert await one.get(KEY) is None


@pytest.mark.parametrize("fault", ["half open", "hold down", "hold both", "cut", "refuse"])
@pytest.mark.parametrize("invalidate", [by_key, by_tag])
async def test_a3_an_invalidation_that_the_network_kept_from_a_reader(
    caches: Caches, redis_server: Server, fault: str, invalidate: Invalidate
) -> None:
    with Proxy(redis_server.port) as proxy:
        one, two = await caches.another(proxy.url(), op_timeout=0.3), await caches.another()
        await one.set(KEY, "v1", 60, tags=[TAG])
        assert await one.get(KEY) == "v1"
        {
            "half open": proxy.half_open, "hold down": lambda: proxy.hold(up=False), "hold both": proxy.hold,
            "cut": proxy.cut, "refuse": proxy.refuse,
        }[fault]()  # fmt: skip
        await invalidate(two)
        await delta_passes()
        assert await asyncio.wait_for(read(one), 10) == "v2"
        proxy.release()


@pytest.mark.parametrize("ask", ["get", "get_or_load"])
async def test_a3_fresh_now_while_redis_does_not_answer(caches: Caches, redis_server: Server, ask: str) -> None:
    with Proxy(redis_server.port) as proxy:
        one = await caches.another(proxy.url(), op_timeout=0.1, staleness=30)
        two = await caches.another()
        await one.set(KEY, "v1", 60)
        proxy.hold(up=False)
        await by_key(two)
        if ask == "get":
            assert await one.get(KEY, fresh="now") is None
        else:
            assert await one.get_or_load(KEY, v2, fresh="now") == "v2"
        proxy.release()


async def test_a3_a_process_that_was_stopped_while_a_key_was_invalidated() -> None:
    async with Ground(Plan("a3", 0, workers=2, staleness=DELTA)) as ground:
        one, two = ground.crew
        for _ in range(2):
            assert (await one.ask("read", key="item:1"))["versions"] == [1]
        one.signal(signal.SIGSTOP)
        assert (await two.ask("write", rows=["item:1"], tags=["items"]))["confirmed"]
        await delta_passes()
        again = one.told("look", key="item:1")
        one.signal(signal.SIGCONT)
        assert (await again)["version"] is None


# ---- A11, A12: what the server forgets


@pytest.mark.parametrize("forget", [("DEL",), ("PEXPIRE", 1)], ids=["deleted", "expired"])
async def test_a11_entries_under_a_tag_whose_record_is_gone_are_not_served(
    caches: Caches, redis_server: Server, forget: tuple[Any, ...]
) -> None:
    one, two = await caches.another(), await caches.another()
    await one.set(KEY, "v1", 60, tags=[TAG])
    assert [await one.get(KEY), await two.get(KEY)] == ["v1", "v1"]
    redis_server.cli(forget[0], f"tiercel:t:{TAG}", *forget[1:])
    await eventually(lambda: not redis_server.cli("EXISTS", f"tiercel:t:{TAG}"))
    await delta_passes()
    three = await caches.another()
    assert [await one.get(KEY), await two.get(KEY), await three.get(KEY)] == [None, None, None]
    assert await read(three) == "v2"
    assert [await one.get(KEY), await two.get(KEY)] == ["v2", "v2"]


async def test_a12_a_restart_from_an_older_snapshot_brings_back_what_was_invalidated(
    fresh_redis: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Outside the promise where restarts are trusted: said here so that a change of it is noticed. Tell the checker by a Loss."""
    async with Cache(fresh_redis.url(), staleness=DELTA, op_timeout=5) as one:
        await one.set(KEY, "v1", 60)
        fresh_redis.cli("SAVE")
        await by_key(one)
        _crash(fresh_redis)
    async with Cache(fresh_redis.url(), staleness=DELTA, op_timeout=5) as two:
        assert await two.get(KEY) == "v1"
        assert two.stats().redis["restarts"] == 1
    assert [record.levelname for record in caplog.records if "restarted or failed over" in record.message] == [
        "WARNING"
    ]


async def test_a12_nothing_that_an_older_snapshot_brings_back_is_served_where_restarts_are_distrusted(
    fresh_redis: Server,
) -> None:
    settings: dict[str, Any] = {"staleness": DELTA, "op_timeout": 5, "after_restart": "distrust"}
    async with Cache(fresh_redis.url(), **settings) as one, Cache(fresh_redis.url(), **settings) as two:
        await one.set(KEY, "v1", 60, tags=[TAG])
        assert await two.get(KEY) == "v1"
        fresh_redis.cli("SAVE")
        assert await one.invalidate(KEY, tags=[TAG])
        _crash(fresh_redis)
        await delta_passes()
        for cache in (one, two):
            await _back(cache)
            assert await cache.get(KEY) is None
        assert await one.set(KEY, "v2", 60)
        root = fresh_redis.cli("GET", "tiercel:g")
        async with Cache(fresh_redis.url(), **settings) as three:
            assert await three.get(KEY) == "v2"
            assert three.stats().redis["restarts"] == 0
        assert fresh_redis.cli("GET", "tiercel:g") == root  # renewed once for all of them


async def test_a12_a_promoted_replica_that_lags_behind_serves_nothing_old_where_restarts_are_distrusted(
    start_server: Callable[..., Server],
) -> None:
    master = start_server()
    replica = start_server(replicaof=master)
    settings: dict[str, Any] = {"staleness": DELTA, "op_timeout": 5}
    async with Cache(master.url(), **settings) as one:
        await one.set(KEY, "v1", 60)
        await eventually(lambda: replica.cli("EXISTS", f"tiercel:v:{KEY}"))
        replica.cli("REPLICAOF", "127.0.0.1", "1")  # the link is down: what is invalidated now does not arrive
        assert await one.invalidate(KEY)
    replica.cli("REPLICAOF", "NO", "ONE")
    async with Cache(replica.url(), **settings) as trusting:
        assert await trusting.get(KEY) == "v1"
    async with Cache(replica.url(), **settings, after_restart="distrust") as two:
        assert await two.get(KEY) is None
        assert two.stats().redis["restarts"] == 1


async def _back(cache: Cache) -> None:
    await eventually(lambda: cache.stats().redis["state"] == "ready", 15)


def _crash(server: Server) -> None:
    """Kill -9 and start again: what was not saved is gone, and the last snapshot is there."""
    snapshot = (server.folder / "dump.rdb").read_bytes()
    server.stop()
    (server.folder / "dump.rdb").write_bytes(snapshot)
    server.start()


# ---- A13: what must not be fallen back on


async def test_a13_a_load_that_fails_does_not_bring_back_what_was_invalidated(caches: Caches) -> None:
    one, two = await caches.another(), await caches.another()
    answers = iter(["v1"])

    @one.cached(prefix="user", expire=0.05, stale=60)
    async def user(number: int) -> str:
        for answer in answers:
            return answer
        raise LookupError("the database is away")

    assert await user(1) == "v1"
    await asyncio.sleep(0.06)  # it is stale now, and served
    assert await user(1) == "v1"
    await by_key(two)
    await delta_passes()
    with pytest.raises(LookupError):
        await user(1)


# ---- one load among all processes


@asynccontextmanager
async def two_processes(name: str) -> AsyncIterator[Ground]:
    settings = {"op_timeout": 5}
    async with Ground(Plan(name, 0, workers=2, staleness=DELTA, settings=settings)) as ground:
        yield ground


async def asked_and_waiting(ground: Ground, number: int) -> None:
    """What this worker was asked before has come back from Redis (it goes the same way, in order), and led to what it leads to."""
    for _ in range(2):
        await ground.crew[number].ask("look", key="plain:0", fresh=True)


async def test_two_processes_with_200_callers_each_make_one_load() -> None:
    async with two_processes("flight") as ground:
        one, two = ground.crew
        first = one.told("read", key="item:1", callers=200, gate="gate")
        await one.loading.get()
        second = two.told("read", key="item:1", callers=200, gate="gate")
        await asked_and_waiting(ground, 1)
        await asyncio.gather(one.ask("open", gate="gate"), two.ask("open", gate="gate"))
        answers = (await first)["versions"] + (await second)["versions"]
        assert answers == [1] * 400
        assert len((await ground.history()).loads) == 1


async def test_a_leader_killed_in_mid_load_costs_the_others_its_lease() -> None:
    async with two_processes("leader") as ground:
        one, two = ground.crew
        one.told("read", key="item:1", gate="never").add_done_callback(lambda answer: answer.exception())
        await one.loading.get()
        waiting = two.told("read", key="item:1", callers=20)
        await asked_and_waiting(ground, 1)
        assert two.loading.empty()  # it waits for the leader
        began = time.monotonic()
        await one.kill()
        assert (await waiting)["versions"] == [1] * 20
        assert time.monotonic() - began < LEASE_SECONDS + 1
