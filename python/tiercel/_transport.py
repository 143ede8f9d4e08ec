"""Owns: one connection to Redis: connecting (TCP, unix socket, TLS), bytes into the engine's own buffer, and the end of it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
import ssl
import weakref
from typing import TYPE_CHECKING, Any

from tiercel import _core

if TYPE_CHECKING:
    from tiercel._driver import Driver
    from tiercel._settings import Settings


class Link(asyncio.BufferedProtocol):
    """From the engine's `open` to its `close`, or to the loss of the connection, whichever comes first.

    Knows its driver weakly: a cache that is dropped is collected although its connection is open, and takes it along.
    """

    def __init__(self, driver: Driver, connection: int, loop: asyncio.AbstractEventLoop) -> None:
        self._driver: weakref.ref[Driver] | None = weakref.ref(driver)
        self._connection = connection
        self._loop = loop
        self._transport: Any = None
        # In a context of its own: a connection must not keep the request alive that happened to open it.
        self._task: asyncio.Task[None] | None = contextvars.Context().run(
            loop.create_task, self._connect(driver.settings)
        )
        self._task._log_destroy_pending = False  # type: ignore[attr-defined]  # a loop closed meanwhile takes it along

    async def _connect(self, settings: Settings) -> None:
        try:
            await asyncio.wait_for(self._reach(settings), settings.connect_timeout)
        except Exception as error:
            self._lost(*explain(error, settings))
        finally:
            self._task = None

    async def _reach(self, settings: Settings) -> None:
        def itself() -> Link:
            return self

        if settings.scheme == "unix":
            await self._loop.create_unix_connection(itself, settings.path)
            return
        context = settings.tls_context()
        name = settings.host if context is not None else None
        await self._loop.create_connection(itself, settings.host, settings.port, ssl=context, server_hostname=name)

    # What the transport calls

    @property
    def driver(self) -> Driver | None:
        """None: cut, lost, or collected."""
        return self._driver() if self._driver is not None else None

    def connection_made(self, transport: Any) -> None:
        driver = self.driver
        if driver is None:
            transport.abort()  # cut while it was connecting
            return
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        driver._opened(self._connection, transport.write)

    def get_buffer(self, sizehint: int) -> memoryview:
        driver = self.driver
        return driver._receive_buffer(self._connection) if driver is not None else memoryview(bytearray(65536))

    def buffer_updated(self, nbytes: int) -> None:
        driver = self.driver
        if driver is not None:
            driver._received(self._connection, nbytes)

    def pause_writing(self) -> None:
        driver = self.driver
        if driver is not None:
            driver._pause(self._connection, True)

    def resume_writing(self) -> None:
        driver = self.driver
        if driver is not None:
            driver._pause(self._connection, False)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._transport = None
        what = "the server closed the connection" if exc is None else f"the connection was lost ({exc})"
        self._lost("away", what, "")

    def _lost(self, code: str, what: str, advice: str) -> None:
        driver, self._driver = self.driver, None
        if driver is not None:
            driver._closed(self._connection, code, what, advice)

    # The end, by the engine's wish

    def cut(self) -> None:
        """Close it now, from whatever thread, whatever has become of its loop."""
        self._driver = None
        task, transport = self._task, self._transport
        if self._loop.is_closed():
            if transport is not None:
                _cut_after_loop(transport)
        elif self._loop.is_running():
            here = asyncio._get_running_loop() is self._loop
            for end in (task.cancel if task is not None else None, transport.abort if transport is not None else None):
                if end is not None:
                    end() if here else self._loop.call_soon_threadsafe(end)
        elif transport is not None:
            transport.abort()
            with contextlib.suppress(OSError, AttributeError):
                transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)  # the loop may never run again


def cut_all(links: dict[int, Link], epoch: int) -> None:
    """The driver was collected, or the interpreter ends. A forked child has its parent's links too, and leaves them alone."""
    if epoch == _core.fork_epoch():
        for link in list(links.values()):
            link.cut()
    links.clear()


def _cut_after_loop(transport: Any) -> None:
    """A transport whose loop is closed cannot close itself, and would say so (ResourceWarning) when it is collected."""
    for part in (transport, getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)):
        if part is None:
            continue
        with contextlib.suppress(AttributeError, OSError):
            part._closed = True  # asyncio's TLS transport
        with contextlib.suppress(AttributeError, OSError):
            sock, part._sock = part._sock, None  # asyncio's socket transport; uvloop closes its own with the loop
            if sock is not None:
                sock.close()


def explain(error: Exception, settings: Settings) -> tuple[str, str, str]:
    """Code, what happened, what to do."""
    where = settings.address
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            "away",
            f"the certificate of {where} was not accepted ({error.verify_message})",
            ("set tls_ca_file to the authority that signed it"),
        )
    if isinstance(error, ssl.SSLError):
        return (
            "away",
            f"no TLS with {where} ({error.reason or error})",
            "check that the port speaks TLS, or write redis://",
        )
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return (
            "away",
            f"no connection to {where} within {settings.connect_timeout:g} s",
            "check the address and the network",
        )
    if isinstance(error, socket.gaierror):
        return "away", f"the host name {settings.host!r} does not resolve", "check the URL"
    if isinstance(error, ConnectionRefusedError):
        return "away", f"{where} refused the connection", "start Redis there, or correct the URL"
    if isinstance(error, FileNotFoundError) and settings.scheme == "unix":
        return "away", f"there is no socket {settings.path}", "start Redis there, or correct the URL"
    return "away", f"no connection to {where} ({error})", "check the URL"
