"""Hits in the process: a decorated function with one int argument that returns a small model, and a get by key."""

from __future__ import annotations

from contextlib import AsyncExitStack

from benchmarks.measure import Candidate, Row, Work, measure
from benchmarks.rivals import aiocache_, cashews_, tiercel_
from benchmarks.rivals.adapters import Get, GetUser, User, some_user

RIVALS = {"tiercel": tiercel_, "cashews": cashews_, "aiocache": aiocache_}


async def run(*, rounds: int, scale: float) -> list[Row]:
    async with AsyncExitStack() as stack:
        functions = [
            Candidate(name, _call(await stack.enter_async_context(rival.cached_function())), _times(name, scale))
            for name, rival in RIVALS.items()
        ]
        gets = [
            Candidate(name, _get(await stack.enter_async_context(rival.memory_get())), _times(name, scale))
            for name, rival in RIVALS.items()
        ]
        functions.append(Candidate("the bare function", _call(_bare), _times("tiercel", scale)))
        rows = await measure("decorated function, hit in memory", functions, rounds=rounds)
        return rows + await measure("get by key, hit in memory", gets, rounds=rounds)


def _times(name: str, scale: float) -> int:
    return max(20, int((50_000 if name == "tiercel" else 5_000) * scale))


async def _bare(user_id: int) -> User:
    return some_user(user_id)


def _call(function: GetUser) -> Work:
    async def work(times: int) -> None:
        for _ in range(times):
            await function(42)

    return work


def _get(get: Get) -> Work:
    async def work(times: int) -> None:
        for _ in range(times):
            await get("key")

    return work
