"""Owns: several operations as one await, without a task for each: all are begun first, so they leave in one write."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeVar

from tiercel import _core

AT_ONCE_MAX: Final = 1_000  # all that is asked at once is to be answered within one op_timeout

One = TypeVar("One")


async def in_parts(wanted: Sequence[One], ask: Callable[[One], _core.Operation[Any]]) -> list[Any]:
    """What each is answered, in order: `together`, as far as that goes."""
    results: list[Any] = []
    for at in range(0, len(wanted), AT_ONCE_MAX):
        results += await together([ask(one) for one in wanted[at : at + AT_ONCE_MAX]])
    return results


@types.coroutine
def together(operations: Sequence[_core.Operation[Any]]) -> Generator[Any, None, list[Any]]:
    """Their results, in order. If one raises, or the caller is cancelled, the others are left."""
    results: list[Any] = [None] * len(operations)
    waiting: list[tuple[int, _core.Operation[Any], Any]] = []
    try:
        for i, operation in enumerate(operations):
            try:
                waiting.append((i, operation, operation.send(None)))
            except StopIteration as end:
                results[i] = end.value
        for i, operation, waiter in waiting:
            while True:
                if not waiter.done():
                    waiter._asyncio_future_blocking = True
                    yield waiter
                try:
                    waiter = operation.send(None)
                except StopIteration as end:
                    results[i] = end.value
                    break
        return results
    finally:
        for operation in operations:
            operation.close()
