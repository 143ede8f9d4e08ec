"""A stampede: two processes with 2,000 callers each on one cold key. How many loads, and what Redis is asked."""

from __future__ import annotations

import asyncio

from benchmarks.freshness.commands import counted, told
from benchmarks.freshness.figure import PATIENCE, Size, Table
from reality.ground import Ground, Plan

PROCESSES = 2
CALLERS = 2_000
LOAD_SECONDS = 0.2
KEY = "plain:cold"


async def run(size: Size) -> list[Table]:
    rounds = size.of(10, 1)
    table = Table(
        f"{PROCESSES} processes x {CALLERS:,} callers on one cold key",
        ("round", "loads", "commands of both processes", "commands per process", "last answer after, ms"),
        f"The load takes {LOAD_SECONDS:g} s; commands by INFO commandstats, those inside of scripts and heartbeats among them.",
    )
    keys: dict[str, tuple[str, ...]] = {f"{KEY}:{turn}": () for turn in range(rounds)}
    async with Ground(
        Plan("1", 0, workers=PROCESSES, settings={"op_timeout": PATIENCE}, tags_of=keys, proxied=False)
    ) as ground:
        measured = [await _one(ground, key) for key in keys]
        history = await ground.history()
    for turn, (key, (commands, last)) in enumerate(zip(keys, measured, strict=True), 1):
        loads = sum(load.key == key for load in history.loads)
        table.add(turn, loads, told(commands), commands.total() / PROCESSES, last * 1e3)
    return [table]


async def _one(ground: Ground, key: str) -> tuple[dict[str, int], float]:
    with counted(ground.server) as commands:
        asked = [crewman.told("read", key=key, callers=CALLERS, gate=key) for crewman in ground.crew]
        await asyncio.sleep(LOAD_SECONDS)
        await asyncio.gather(*(crewman.ask("open", gate=key) for crewman in ground.crew))
        answers = await asyncio.gather(*asked)
    return commands, max(second for answer in answers for second in answer["seconds"])
