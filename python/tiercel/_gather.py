"""Owns: several operations as one await, without a task for each: all are begun first, so they leave in one write."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Final, TypeVar

from tiercel import _core

AT_ONCE_MAX: Final = 1_000  # all that is asked at once is to be answered within one op_timeout
BYTES_AT_ONCE_MAX: Final = 4 << 20  # and to find room in the connection's buffer of 8 MiB

One = TypeVar("One")


async def in_parts(
    wanted: Sequence[One], ask: Callable[[One], _core.Operation[Any]], size: Callable[[One], int] = lambda one: 0
) -> list[Any]:
    """What each is answered, in order: `together`, as far as that goes. `size`: bytes that are sent with one."""
    results: list[Any] = []
    for part in _parts(wanted, size):
        results += await together([ask(one) for one in part])
    return results


def _parts(wanted: Sequence[One], size: Callable[[One], int]) -> Iterator[list[One]]:
    part: list[One] = []
    held = 0
    for one in wanted:
        if part and (len(part) == AT_ONCE_MAX or held + size(one) > BYTES_AT_ONCE_MAX):
            yield part
            part, held = [], 0
        part.append(one)
        held += size(one)
    if part:
        yield part


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
