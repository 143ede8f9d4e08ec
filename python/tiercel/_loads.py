"""Owns: one run of an application's loader: in its caller's home, in a task of its own, with a copy of its caller's context."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tiercel import _chains, _core
from tiercel._thread_home import ThreadHome
from tiercel._types import Loaded

if TYPE_CHECKING:
    from tiercel._driver import Driver


class Load:
    """Started by the engine's `start_load`; ends by `finish_load` on the owner's loop, or is cancelled."""

    def __init__(self, driver: Driver, waiter: _core.Waiter, flight: int) -> None:
        self.driver = driver
        self.waiter = waiter
        self.flight = flight
        self.loaded: Loaded | None = None
        self.failure: BaseException | None = None
        self._home = waiter.home
        self._load: Callable[[], Any] = waiter.load  # type: ignore[assignment]  # loads come of get_or_load alone
        self._context = waiter.context
        self.link = _chains.Link(driver, waiter.key or "", waiter.context)
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False

    def start(self) -> None:
        if isinstance(self._home, ThreadHome):
            self._home.call_soon_threadsafe(self._run_in_thread)
        elif self._home is self.driver._owner:
            self._begin()
        else:
            try:
                self._home.call_soon_threadsafe(self._begin)
            except RuntimeError:  # closed
                self._end(Loaded("uncacheable"))

    def cancel(self) -> None:
        """Nobody waits any more. A loader in a thread of its own cannot be stopped; its result is ignored."""
        self._cancelled = True
        self.link.end()
        if self._task is None:
            return
        if self._home is self.driver._owner:
            self._task.cancel()
        else:
            with contextlib.suppress(RuntimeError):
                self._home.call_soon_threadsafe(self._task.cancel)

    def home_may_be_gone(self) -> None:
        if self.loaded is not None or self.failure is not None:
            self._end(self.loaded, self.failure)  # it had ended, and told an owner that no longer runs
        elif self._home.is_closed() or not self._home.is_running():
            self._end(Loaded("uncacheable"))

    def _begin(self) -> None:
        if not self._cancelled:
            self._context.run(_core.loading.set, self.link)
            self._task = self._context.run(self._home.create_task, self._run())

    async def _run(self) -> None:
        try:
            loaded = await self._load()
        except asyncio.CancelledError:
            self._end(Loaded("uncacheable"))  # ours is over; whoever else waits runs a loader of his own
            raise
        except BaseException as failure:
            self._end(None, failure)
            if not isinstance(failure, Exception):
                raise  # KeyboardInterrupt, SystemExit: the loop's business too
        else:
            self._end(loaded)

    def _run_in_thread(self) -> None:
        if self._cancelled:
            return
        try:
            self._context.run(_core.loading.set, self.link)
            loaded = self._context.run(self._load)
        except BaseException as failure:
            self._end(None, failure)
            if not isinstance(failure, Exception):
                raise
        else:
            self._end(loaded)

    def _end(self, loaded: Loaded | None, failure: BaseException | None = None) -> None:
        self.loaded, self.failure = loaded, failure
        self.link.end()
        with self.driver._lock:  # nobody becomes the owner while this thread hands in for want of one
            owner = self.driver._owner
            if owner is self._home or owner is None:
                self._hand_in()
                return
        with contextlib.suppress(RuntimeError):  # closed: the caller's own deadline ends it
            owner.call_soon_threadsafe(self._hand_in)

    def _hand_in(self) -> None:
        if self.driver.loads.get(self.flight) is self:
            self.driver._forget_load(self.flight)
        finish: Any = self.driver._finish_load
        if self.loaded is None:
            finish(self.flight, "failed", failure=self.failure)
        elif self.loaded.usable_for is not None and self.loaded.usable_for <= 0:
            finish(self.flight, "answer_only", self.loaded.payload, self.loaded.codec)
        else:
            finish(self.flight, *self.loaded)
        self.failure = None  # its traceback leads back here
