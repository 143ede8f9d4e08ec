"""What it takes to invalidate a great many entries by their tag, and, beside it, by a pattern."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable

from benchmarks.freshness.commands import counted, told
from benchmarks.freshness.figure import PATIENCE, Size, Table
from benchmarks.freshness.tracking import parts
from support.servers import start
from tiercel import Cache

AGAIN = 20  # times more: what it costs does not depend on what stands behind the tag
SPARE_MB = 3_000  # of the machine's memory, for a million entries


async def run(size: Size) -> list[Table]:
    table = Table(
        "Invalidating all that carry a tag",
        ("entries", "how", "ms", "median with repetitions, ms", "commands"),
        "The entries stand in Redis, as many in this process' memory as it has room for; each was checked to be gone.",
    )
    counts = [size.of(100_000, 500)] + ([1_000_000] if not size.tiny and _megabytes_free() > SPARE_MB else [])
    for count in counts:
        keys = [f"shelf:{number}" for number in range(count)]
        with start("redis-7.0") as server:
            async with Cache(server.url(), op_timeout=PATIENCE) as cache:
                ways: dict[str, Callable[[], Awaitable[object]]] = {
                    "by tag": lambda: cache.invalidate(tags=["shelf"], strict=True),
                    "by pattern": lambda: cache.delete_pattern("shelf:*", strict=True),
                }
                for name, invalidate in ways.items():
                    for part in parts(keys):
                        assert await cache.set_many(dict.fromkeys(part, "x" * 32), tags=["shelf"]) == len(part)
                    with counted(server) as commands:
                        took = [await _timed(invalidate)]
                    took += [await _timed(invalidate) for _ in range(AGAIN if name == "by tag" else 0)]
                    table.add(count, name, took[0] * 1e3, statistics.median(took) * 1e3, told(commands))
                    assert not await cache.get_many(keys[:: max(1, count // 500)])
    return [table]


async def _timed(invalidate: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await invalidate()
    return time.perf_counter() - began


def _megabytes_free() -> int:
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable"))
