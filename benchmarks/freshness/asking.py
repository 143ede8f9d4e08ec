"""How often Redis is asked for the sake of `fresh="now"`: 1,000 readers at once, and 1,000 who go on asking."""

from __future__ import annotations

import asyncio
import time

from benchmarks.freshness.commands import counted, told
from benchmarks.freshness.figure import PATIENCE, Size, Table
from support.servers import start
from tiercel import Cache

READERS = 1_000


async def run(size: Size) -> list[Table]:
    table = Table(
        f'{READERS:,} concurrent reads with fresh="now" of what is in memory',
        ("who", "reads", "commands on the wire", "commands per 1,000 reads", "ms"),
        "Counted by INFO commandstats; heartbeats that came due meanwhile are among them.",
    )
    with start("redis-7.0") as server:
        async with Cache(server.url(), op_timeout=PATIENCE) as cache:
            keys = [f"key:{number}" for number in range(READERS)]
            await cache.set_many(dict.fromkeys(keys, "value"), tags=["a", "b", "c"])
            ways = {"of one key, at once": (["key:0"] * READERS, 1), "of as many keys, at once": (keys, 1)}
            again = size.of(20, 2)
            ways[f"of as many keys, each reader {again} times in a row"] = (keys, again)
            for name, (wanted, times) in ways.items():
                with counted(server) as commands:
                    began = time.perf_counter()
                    await asyncio.gather(*(_reader(cache, key, times) for key in wanted))
                    took = (time.perf_counter() - began) * 1e3
                reads = READERS * times
                table.add(name, reads, told(commands), commands.total() * 1000 / reads, took)
    return [table]


async def _reader(cache: Cache, key: str, times: int) -> None:
    for _ in range(times):
        assert await cache.get(key, fresh="now") == "value"
