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


def loop() -> asyncio.AbstractEventLoop:
    """The running background loop, started when first asked for."""
    global _lock, _loop, _thread, _epoch
    if _epoch != _core.fork_epoch():
        # The parent's thread does not live here, and its lock may be held for ever.
        _lock, _loop, _thread, _epoch = threading.Lock(), None, None, _core.fork_epoch()
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            started = threading.Event()
            _loop.call_soon(started.set)
            _thread = threading.Thread(target=_run, args=(_loop,), name="tiercel", daemon=True)
            _thread.start()
            started.wait()
        return _loop


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
    if _loop is None or _thread is None or _epoch != _core.fork_epoch():
        return
    with contextlib.suppress(RuntimeError):
        _loop.call_soon_threadsafe(_loop.stop)
    _thread.join(1.0)
