"""Owns: the event loop of last resort: one daemon thread per process, for caches that no running loop has connected."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading

from tiercel import _core

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_epoch = _core.fork_epoch()
_ended = False  # the interpreter is being taken down


def loop() -> asyncio.AbstractEventLoop | None:
    """The running background loop, started when first asked for; None while the interpreter ends, when no thread can begin."""
    global _lock, _loop, _thread, _epoch
    if _epoch != _core.fork_epoch():
        # The parent's thread does not live here, and its lock may be held for ever.
        _lock, _loop, _thread, _epoch = threading.Lock(), None, None, _core.fork_epoch()
    with _lock:
        if _ended:
            return None
        if _loop is None or _loop.is_closed():
            _loop, _thread = _start()
        return _loop


def _start() -> tuple[asyncio.AbstractEventLoop | None, threading.Thread | None]:
    fresh = asyncio.new_event_loop()
    started = threading.Event()
    fresh.call_soon(started.set)
    thread = threading.Thread(target=_run, args=(fresh,), name="tiercel", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # Python 3.12 and later refuse it from the moment the main thread ends
        fresh.close()
        return None, None
    started.wait()
    return fresh, thread


def is_own(candidate: object) -> bool:
    return candidate is _loop


def _run(own: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(own)
    try:
        own.run_forever()
        own.run_until_complete(own.shutdown_asyncgens())
    finally:
        own.close()


@atexit.register
def _stop() -> None:
    """Connections are closed in order, and nothing runs while the interpreter is taken down."""
    global _ended
    _ended = True
    if _epoch != _core.fork_epoch():
        return
    # Whoever starts the loop this moment gets to the end of it first: what is found here has begun.
    held = _lock.acquire(timeout=1.0)
    own, thread = _loop, _thread
    if held:
        _lock.release()
    if own is None or thread is None:
        return
    with contextlib.suppress(RuntimeError):
        own.call_soon_threadsafe(own.stop)
    thread.join(1.0)
