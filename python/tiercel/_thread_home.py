"""Owns: a thread that waits. To operations and loads it is what an event loop is: a place that callbacks can be sent to."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiercel import _core
    from tiercel._driver import Driver


class ThreadHome:
    """Made for one operation of a thread without an event loop. Its loader, should it lead, runs in this thread as well."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[..., object], tuple[Any, ...], Context | None]] = (
            queue.SimpleQueue()
        )

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> None:
        self._calls.put((callback, arguments, context))

    call_soon = call_soon_threadsafe

    def is_closed(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def run_until_done(self, waiter: _core.Waiter, driver: Driver) -> None:
        waiter.add_done_callback(_nothing)  # wakes the queue
        budget = driver.settings.op_timeout
        look_at = time.monotonic() + budget
        while not waiter.done():
            try:
                callback, arguments, _ = self._calls.get(timeout=max(0.0, look_at - time.monotonic()))
            except queue.Empty:
                if not driver.look_after(waiter):
                    return
                look_at = time.monotonic() + budget
            else:
                callback(*arguments)


def _nothing(_: object) -> None: ...
