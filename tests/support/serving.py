"""Owns: an ASGI application behind uvicorn on a real socket of this machine, in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

__all__ = ["serving"]


@contextlib.contextmanager
def serving(app: Any, **settings: Any) -> Iterator[str]:
    """The URL, once it answers. `settings` are uvicorn's."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", **settings))
    started = threading.Event()
    original = server.startup

    async def startup(*arguments: Any, **options: Any) -> None:
        await original(*arguments, **options)
        started.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        assert started.wait(20), "uvicorn did not start"
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
