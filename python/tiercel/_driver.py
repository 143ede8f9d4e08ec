"""Owns: who owns an engine. One event loop at a time feeds it bytes and time; everybody else sends it what they ask.

An engine's owner is the loop that used it first, until that loop is closed or no longer runs: then the next loop to ask takes over
(sessions closed, entries unverified). Other loops, and threads without one, put what they ask into the inbox and keep their own deadline,
so an owner that is blocked costs one budget and not more. The native half (python/bindings/driver_core.*) does what happens per operation.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import weakref
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

from tiercel import _background, _core
from tiercel._loads import Load
from tiercel._thread_home import ThreadHome
from tiercel._transport import Link, cut_all

if TYPE_CHECKING:
    from tiercel._chains import Loading
    from tiercel._settings import Settings

log = logging.getLogger("tiercel")

_SWEEP_EVERY: Final = 1.0  # seconds
_LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Driver(_core.DriverCore):
    """One engine and its I/O. Methods that begin with `_` and are not called here are called by the native half."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, os.urandom(32))
        self.settings = settings
        self.loads: dict[int, Load] = {}
        self.loading: Loading = {}
        self._links: dict[int, Link] = {}
        weakref.finalize(self, cut_all, self._links, _core.fork_epoch())
        self._lock = threading.RLock()  # over the change of owners alone; a forked child gets a driver of its own
        self._loop_end: AsyncGenerator[None, None] | None = None
        self._heir: asyncio.AbstractEventLoop | None = None  # the loop that has been asked to become the owner
        self._sweeping = False

    # Ownership

    def _adopt(self, home: asyncio.AbstractEventLoop | ThreadHome) -> None:
        """An operation comes from a home that does not own the engine: it becomes the owner if nobody else is one."""
        with self._lock:
            owner, heir = self._owner, self._heir
            if heir is not None and _runs(heir):
                return  # it takes the inbox as soon as it gets to it
            if owner is not None and _runs(owner):
                if _background.is_own(owner) and not isinstance(home, ThreadHome):
                    self._heir = home
                    owner.call_soon_threadsafe(self._hand_over, home)
            elif isinstance(home, ThreadHome):
                loop = _background.loop()
                if loop is None:
                    return  # its own deadline ends the operation, and the loader runs
                self.leave(successor=True)
                self._heir = loop
                loop.call_soon_threadsafe(self._own, loop)
            else:
                self._own(home)

    def _hand_over(self, home: asyncio.AbstractEventLoop) -> None:
        """Called on the background loop, which an application's loop relieves."""
        with self._lock:
            if self._heir is not home:
                return
            if not _background.is_own(self._owner):
                self._heir = None
                return
            try:
                home.call_soon_threadsafe(self._own, home)
            except RuntimeError:  # closed meanwhile
                self._heir = None
            else:
                self.leave(successor=True)

    def _own(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called on the loop itself."""
        with self._lock:
            if self._heir is loop or self._heir is None or not _runs(self._heir):
                self._heir = None
            else:
                return
            if self._owner is not None and (self._owner is loop or _runs(self._owner)):
                return  # somebody was faster
            self.leave(successor=True)
            self._set_owner(loop)
            self._sweeping = False
            if self.loads:
                self._sweep_soon()
            self._loop_end = _begin(_leave_at_end(weakref.ref(self), loop), loop)
            if self.settings.in_memory:
                loop.call_soon(self._take_inbox)
            else:
                self._engine_connect()

    def leave(self, *, successor: bool = False) -> None:
        """The owner gives up the engine: sessions closed, operations in flight ended, loads of closed loops given back.

        Called on its own thread, or when it runs no more. What waits in the inbox is left to the successor, if there is one.
        """
        with self._lock:
            if self._owner is None:
                return
            self._set_owner(None)
            self._engine_disconnect()
            for link in list(self._links.values()):
                link.cut()
            self._links.clear()
            for load in list(self.loads.values()):
                load.home_may_be_gone()
            if not successor:
                self._end_inbox()
            loop_end, self._loop_end = self._loop_end, None
            if loop_end is not None:
                _finish(loop_end)

    async def disconnect(self) -> None:
        owner = self._owner
        while owner is not None:
            if owner is asyncio.get_running_loop() or not _runs(owner):
                self.leave()
                await asyncio.sleep(0)  # transports call connection_lost, and close their sockets, a step later
                await asyncio.sleep(0)
                return
            await self._ask_to_leave(owner)
            # Another may have become the owner meanwhile; one that is blocked is not waited for.
            owner, before = self._owner, owner
            if owner is before:
                return

    async def _ask_to_leave(self, owner: asyncio.AbstractEventLoop) -> None:
        home = asyncio.get_running_loop()
        left = home.create_future()

        def leave() -> None:
            with self._lock:
                if self._owner is owner:
                    self.leave()
            with contextlib.suppress(RuntimeError):  # closed: nobody waits
                home.call_soon_threadsafe(_set, left)

        owner.call_soon_threadsafe(leave)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(left, self.settings.op_timeout * 10)

    # What comes from other homes

    def _post(self, waiter: _core.Waiter) -> None:
        """An operation stands in the inbox: wake the owner, and keep its deadline here, in the caller's home."""
        owner = self._owner
        if owner is not None:
            with contextlib.suppress(RuntimeError):  # closed this moment: the deadline ends it
                owner.call_soon_threadsafe(self._take_inbox_on, owner)
        if not isinstance(waiter.home, ThreadHome):
            _watch(self, waiter)

    def _take_inbox_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is self._owner:
            self._take_inbox()

    def _take_inbox_soon(self) -> None:
        if self._owner is not None:
            self._owner.call_soon(self._take_inbox_on, self._owner)

    def _post_cancel(self, operation: int) -> None:
        owner = self._owner
        if not operation:
            return
        try:
            if owner is not None:
                owner.call_soon_threadsafe(self._cancel_by_id, operation)
                return
        except RuntimeError:  # closed
            pass
        with self._lock:  # nobody becomes the owner meanwhile
            if self._owner is owner:
                self._cancel_by_id(operation)

    def look_after(self, waiter: _core.Waiter) -> bool:
        """Once per budget, in the home of an operation that the owner was asked for. False: it has ended.

        Plain operations end after one budget. One that waits for a load ends when the owner has shown no sign of life for a whole budget.
        """
        if waiter.done():
            return False
        owner = self._owner
        if waiter.patient and waiter.heard and owner is not None:
            waiter.heard = False
            with contextlib.suppress(RuntimeError):
                owner.call_soon_threadsafe(waiter.hear)
                return True
        own = next((load for load in list(self.loads.values()) if load.waiter is waiter), None)
        if own is not None and own.loaded is None and own.failure is None:
            return True  # the caller's own loader runs in the caller's home: it will answer
        if own is not None and own.loaded is not None:
            given_up = waiter.give_up_with(own.loaded.payload, own.loaded.codec)
        else:
            given_up = waiter.give_up()
        if given_up:  # else the owner has answered this moment, and what it has begun is the caller's
            self._post_cancel(waiter.id)
        return False

    # What the engine wants

    def _open(self, connection: int) -> None:
        owner = self._owner
        if owner is not None:
            self._links[connection] = Link(self, connection, owner)
        else:
            self._closed(connection, "away", "the cache was disconnected", "")

    def _close(self, connection: int) -> None:
        link = self._links.pop(connection, None)
        if link is not None:
            link.cut()

    def _start_load(self, waiter: _core.Waiter | None, flight: int) -> None:
        if waiter is None or waiter.done():
            self._finish_load(flight, "not_run")  # its caller has gone
        else:
            self.loads[flight] = load = Load(self, waiter, flight)
            load.start()
            if waiter.home is not self._owner:
                self._sweep_soon()

    def _sweep_soon(self) -> None:
        """A loader that runs elsewhere is looked after: should its loop be gone, nothing would end it and free its key."""
        owner = self._owner
        if owner is not None and not self._sweeping:
            self._sweeping = True
            owner.call_later(_SWEEP_EVERY, self._sweep, owner)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._owner:
            return
        self._sweeping = False
        for load in list(self.loads.values()):
            load.home_may_be_gone()
        if any(load.waiter.home is not loop for load in self.loads.values()):
            self._sweep_soon()

    def _cancel_load(self, flight: int) -> None:
        load = self._forget_load(flight)
        if load is not None:
            load.cancel()

    def _forget_load(self, flight: int) -> Load | None:
        load = self.loads.pop(flight, None)
        if load is not None:
            load.link.forget()
        return load

    def _notice(self, level: str, text: str) -> None:
        log.log(_LEVELS[level], "%s: %s", self.settings.address, text)


def _runs(loop: asyncio.AbstractEventLoop) -> bool:
    return not loop.is_closed() and loop.is_running()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _watch(driver: Driver, waiter: _core.Waiter) -> None:
    def look() -> None:
        if driver.look_after(waiter):
            _watch(driver, waiter)

    handle = waiter.home.call_later(driver.settings.op_timeout, look)
    waiter.add_done_callback(lambda _: handle.cancel())


# A loop says that it ends only to asynchronous generators (loop.shutdown_asyncgens, which asyncio.run calls). So one is left with it.


async def _leave_at_end(driver: weakref.ref[Driver], loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        owned = driver()
        if owned is not None and owned._owner is loop:
            owned._loop_end = None
            owned.leave()
            await asyncio.sleep(0)  # connection_lost
            await asyncio.sleep(0)


def _begin(generator: AsyncGenerator[None, None], loop: Any) -> AsyncGenerator[None, None] | None:
    if getattr(loop, "_asyncgens_shutdown_called", False):
        return None  # too late to be told; asyncio would warn
    with contextlib.suppress(StopIteration):
        generator.__anext__().__await__().send(None)
    return generator


def _finish(generator: AsyncGenerator[None, None]) -> None:
    with contextlib.suppress(StopIteration, RuntimeError):
        generator.aclose().__await__().send(None)
