"""Owns: how code without `await` uses the cache: it waits for a loop, but never for one that it blocks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tiercel import _core
from tiercel._thread_home import ThreadHome
from tiercel._types import Loaded

if TYPE_CHECKING:
    from tiercel._cache import Cache

log = logging.getLogger("tiercel")

T = TypeVar("T")

_left: set[asyncio.Task[None]] = set()  # loops hold their tasks weakly


def may_wait() -> bool:
    """False on a thread whose event loop would have to run for the answer to come."""
    return asyncio._get_running_loop() is None


def wait(cache: Cache, operation: _core.Operation[T]) -> T:
    """What `await operation` gives. Requires may_wait()."""
    home = ThreadHome()
    try:
        waiter = operation._begin_at(home)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    try:
        home.run_until_done(waiter, cache._require_driver())
        operation.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        operation.close()
    raise RuntimeError("the operation did not end")


def get_or_load(
    cache: Cache,
    key: str | bytes,
    load: Callable[[], Loaded],
    *,
    tags: Sequence[str] = (),
    skip_value: bool = False,
    behind: bool = False,
    early: float = 0,
    tags_of_result: bool = False,
) -> _core.Outcome:
    """`Cache._get_or_load` for `def` functions: one load among all threads, and it runs in the thread of the caller who leads.

    On a loop's own thread it cannot wait: the outcome is `run_loader`, unless memory has the value.
    """
    operation = cache._load(
        key, load, tags=tags, skip_value=skip_value, behind=behind, early=early, tags_of_result=tags_of_result
    )
    if may_wait():
        return wait(cache, operation)
    outcome = operation._if_immediate()
    if outcome is not None:
        return outcome
    if not cache._warned_of_blocking:
        cache._warned_of_blocking = True
        log.warning(
            "A cached `def` function was called on the thread of a running event loop and missed: it cannot wait for the cache there, "
            "so it was called uncached. Make it `async def`, or call it from a worker thread. (Said once.)"
        )
    return _core.run_loader_outcome()


def leave(operation: _core.Operation[Any]) -> None:
    """Let the running loop do it after the caller has gone on. Requires not may_wait()."""
    task = asyncio.get_running_loop().create_task(_quietly(operation))
    _left.add(task)
    task.add_done_callback(_left.discard)


async def _quietly(operation: _core.Operation[Any]) -> None:
    try:
        await operation
    except Exception:
        log.exception("What a `def` function left to the event loop failed")
