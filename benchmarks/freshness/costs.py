"""What leases, tags and the watermark cost: CPU of the client and of the server, against a plain GET and SET over the same connection.

All that goes to Redis is done by 64 callers at a time, as a service does it. Hits in memory are compared with a cache that has no Redis,
so no watermark; the base of everything else is one command of the same engine, without any meaning to it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from benchmarks.freshness.figure import PATIENCE, Size, Table
from benchmarks.measure import Candidate, Work, cpu_clock_of, interleave
from benchmarks.rivals.adapters import TEXT_300
from support.servers import Server, start
from tiercel import Cache

CALLERS = 64
TAGS = (0, 1, 3, 10)
NAMES = {0: "no tag", 1: "1 tag", 3: "3 tags", 10: "10 tags"}
EXPIRE = 3600
COLUMNS = ("what", "client CPU, us", "of the base", "server CPU, us", "of the base", "client, lowest to highest")

One = Callable[[int], Awaitable[object]]  # the operation, by a number that is new each time


def tags(count: int) -> list[str]:
    return [f"tag-{number}" for number in range(count)]


async def run(size: Size) -> list[Table]:
    with start("redis-7.0") as server:
        async with AsyncExitStack() as stack:
            cache = await stack.enter_async_context(Cache(server.url(), op_timeout=PATIENCE))
            alone = await stack.enter_async_context(Cache("memory://"))
            bare = await stack.enter_async_context(Cache(server.url(), l1_bytes_max=0, op_timeout=PATIENCE))
            tables = [await hits_in_memory(cache, alone, server, size)]
            for costs in (hits_in_redis, fills, invalidations):
                server.flush()
                tables.append(await costs(cache, bare, server, size))
            return tables


async def hits_in_memory(cache: Cache, alone: Cache, server: Server, size: Size) -> Table:
    times = size.of(50_000, 50)
    for count in TAGS:
        await cache.set(NAMES[count], TEXT_300, EXPIRE, tags=tags(count))
    await alone.set("key", TEXT_300, EXPIRE)

    def of(read: Cache, key: str) -> Work:
        async def work(operations: int) -> None:
            await read.get(key)
            for _ in range(operations):
                await read.get(key)

        return work

    candidates = [Candidate("memory alone: no Redis, no watermark, no tag", of(alone, "key"), times)]
    candidates += [Candidate(f"over Redis, {NAMES[count]}", of(cache, NAMES[count]), times) for count in TAGS]
    return await table("A hit in memory", candidates, server, size)


async def hits_in_redis(cache: Cache, bare: Cache, server: Server, size: Size) -> Table:
    times = size.of(6_000, CALLERS)
    await bare._command([b"SET", b"plain", TEXT_300.encode()])
    for count in TAGS:
        for number in range(times):
            await cache.set(f"{count}:{number}", TEXT_300, EXPIRE, tags=tags(count))

    def read(count: int) -> One:
        async def one(number: int) -> object:
            key = f"{count}:{number % times}"
            cache._forget(key)
            return await cache.get(key)

        return one

    candidates = [
        Candidate("plain GET", at_once(lambda _: bare._command([b"GET", b"plain"])), times),
        Candidate("get, memory switched off", at_once(lambda number: bare.get(f"0:{number % times}")), times),
        *(
            Candidate(f"get, tracked and put into memory, {NAMES[count]}", at_once(read(count)), times)
            for count in TAGS
        ),
    ]
    return await table("A hit in Redis", candidates, server, size)


async def fills(cache: Cache, bare: Cache, server: Server, size: Size) -> Table:
    times = size.of(4_000, CALLERS)
    life = str(EXPIRE * 1000).encode()

    async def load() -> str:
        return TEXT_300

    def store(count: int) -> One:
        return lambda number: cache.set(f"s{count}:{number}", TEXT_300, EXPIRE, tags=tags(count))

    def fill(count: int) -> One:
        return lambda number: cache.get_or_load(f"f{count}:{number}", load, EXPIRE, tags=tags(count))

    async def by_hand(number: int) -> None:
        """What one writes oneself: GET, a miss, the load, SET."""
        key = b"plain:%d" % number
        await bare._command([b"GET", key])
        await bare._command([b"SET", key, (await load()).encode(), b"PX", life])

    candidates = [
        Candidate("plain SET", at_once(lambda n: bare._command([b"SET", b"set:%d" % n, TEXT_300.encode(), b"PX", life])), times),
        *(Candidate(f"set, {NAMES[count]}", at_once(store(count)), times) for count in TAGS),
        Candidate("plain GET, a miss, then SET", at_once(by_hand), times),
        *(Candidate(f"get_or_load, a miss: lease, load, fill, {NAMES[count]}", at_once(fill(count)), times) for count in TAGS),
    ]  # fmt: skip
    return await table("A fill", candidates, server, size)


async def invalidations(cache: Cache, bare: Cache, server: Server, size: Size) -> Table:
    times = size.of(4_000, CALLERS)

    async def announced(number: int) -> None:
        async with cache.writing(keys=[f"key:{number}"]):
            pass

    def by_tags(count: int) -> One:
        return lambda _: cache.invalidate(tags=tags(count))

    candidates = [
        Candidate("plain UNLINK", at_once(lambda number: bare._command([b"UNLINK", b"key:%d" % number])), times),
        Candidate("invalidate a key", at_once(lambda number: cache.invalidate(f"key:{number}")), times),
        Candidate("invalidate a key by version", at_once(lambda n: cache.invalidate(f"key:{n}", version=n + 1)), times),
        Candidate("writing(keys=[one]), begin and end", at_once(announced), times),
        *(Candidate(f"invalidate {NAMES[count]}", at_once(by_tags(count)), times) for count in TAGS if count),
    ]
    return await table("An invalidation", candidates, server, size)


def at_once(one: One) -> Work:
    """64 callers. The numbers go on from round to round, so that nothing is asked for twice that should be new."""
    numbers = itertools.count()

    async def work(operations: int) -> None:
        async def caller(times: int) -> None:
            for _ in range(times):
                await one(next(numbers))

        await asyncio.gather(*(caller(operations // CALLERS) for _ in range(CALLERS)))

    return work


async def table(title: str, candidates: list[Candidate], server: Server, size: Size) -> Table:
    clocks = {"client": time.process_time, "server": cpu_clock_of(server.pid)}
    rows = await interleave(title, candidates, clocks, rounds=size.rounds)
    made = Table(title, COLUMNS, f"Median of {size.rounds} interleaved rounds; the base is the first line.")
    client_base, server_base = rows["client"][0].microseconds, rows["server"][0].microseconds
    in_memory = title == "A hit in memory"
    for ours, theirs in zip(rows["client"], rows["server"], strict=True):
        told = ("-", "-") if in_memory else (theirs.microseconds, times_of(theirs.microseconds, server_base))
        made.add(
            ours.name,
            ours.microseconds,
            times_of(ours.microseconds, client_base),
            *told,
            f"{ours.lowest:.2f} to {ours.highest:.2f}",
        )
    return made


def times_of(one: float, base: float) -> str:
    return f"{one / base:.2f}x" if base > 0 else "-"
