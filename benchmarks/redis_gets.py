"""GETs that go to Redis, 300 bytes each, with 1, 16 and 128 callers at a time. CPU of the client process alone."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from benchmarks.measure import Candidate, Row, Work, measure
from benchmarks.rivals import aiocache_, cashews_, redis_py, tiercel_
from benchmarks.rivals.adapters import Get

RIVALS = {"tiercel": tiercel_, "redis-py with hiredis": redis_py, "cashews": cashews_, "aiocache": aiocache_}
IN_FLIGHT = (1, 16, 128)


async def run(url: str, *, rounds: int, scale: float) -> list[Row]:
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        gets = {name: await stack.enter_async_context(rival.redis_get(url)) for name, rival in RIVALS.items()}
        for callers in IN_FLIGHT:
            times = max(callers, int((2_000 if callers == 1 else 6_000) * scale))
            candidates = [Candidate(name, _fetch(get, callers), times) for name, get in gets.items()]
            rows += await measure(f"get from Redis, {callers} in flight", candidates, rounds=rounds)
    return rows


def _fetch(get: Get, callers: int) -> Work:
    async def caller(times: int) -> None:
        for _ in range(times):
            await get("key")

    async def work(times: int) -> None:  # noqa: RET503
        if callers == 1:
            return await caller(times)
        await asyncio.gather(*(caller(times // callers) for _ in range(callers)))

    return work
