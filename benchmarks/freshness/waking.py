"""How soon a waiter in another process has the answer, once the leader has loaded and once its fill is confirmed.

All ends are read from CLOCK_MONOTONIC, which all processes of a machine share. The push to the waiter and the confirmation to the leader
leave Redis together, so a waiter may even be the first to end.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from benchmarks.freshness.figure import PATIENCE, Size, Table
from reality.ground import Ground, Plan
from support.servers import Server
from support.waiting import eventually
from tiercel import Cache

SETTLED_SECONDS = 0.01  # after which who waits has read the answer, too, and asks no more


async def run(size: Size) -> list[Table]:
    rounds = size.of(500, 5)
    keys: dict[str, tuple[str, ...]] = {f"plain:{number}": () for number in range(rounds)}
    async with Ground(
        Plan("1", 0, workers=2, settings={"op_timeout": PATIENCE}, tags_of=keys, proxied=False)
    ) as ground:
        for key in keys:
            await _one(ground, key)
        trips = await round_trips(ground.server, rounds)
        history = await ground.history()
    by_worker = {
        name: {read.key: read.ended for read in history.reads if read.cache == name} for name in ("w0.1", "w1.1")
    }
    loads = Counter(load.key for load in history.loads)
    waited = [load for load in history.loads if loads[load.key] == 1]  # else patience was over on a busy machine
    leader, waiter = (lambda load, name=name: by_worker[name][load.key] for name in ("w0.1", "w1.1"))
    table = Table(
        "From a leader's fill to a waiter's answer in another process",
        ("what", "times", "p50, us", "p99, us", "highest, us"),
        "Wall clock. The leader answers when its fill is confirmed and read back; what the harness writes down in between is part of all. "
        "Below zero: the waiter had its answer first.",
    )
    ways = {
        "end of the load to the leader's answer": [leader(load) - load.ended for load in waited],
        "end of the load to the waiter's answer": [waiter(load) - load.ended for load in waited],
        "leader's answer to waiter's answer": [waiter(load) - leader(load) for load in waited],
    }
    for name, waits in ways.items():
        table.add(name, len(waits), *spread(waits))
    table.add("round trip of one command", len(trips), *spread(trips))
    return [table]


async def _one(ground: Ground, key: str) -> None:
    leader, waiter = ground.crew
    led = leader.told("read", key=key, gate=key)
    await asyncio.wait_for(leader.loading.get(), 10)
    asked = ground.server.calls("get")
    waited = waiter.told("read", key=key)
    await eventually(lambda: ground.server.calls("get") > asked)
    await asyncio.sleep(SETTLED_SECONDS)
    await leader.ask("open", gate=key)
    await asyncio.gather(led, waited)


async def round_trips(server: Server, times: int) -> list[int]:
    taken: list[int] = []
    async with Cache(server.url(), op_timeout=PATIENCE) as cache:
        for _ in range(times):
            began = time.monotonic_ns()
            await cache._command([b"PING"])
            taken.append(time.monotonic_ns() - began)
    return taken


def spread(nanoseconds: Sequence[int]) -> list[float]:
    ascending = sorted(nanoseconds)
    return [ascending[min(len(ascending) - 1, int(share * len(ascending)))] / 1e3 for share in (0.5, 0.99, 1)]
