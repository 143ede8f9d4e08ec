"""Owns the faulty network: a TCP proxy between the code under test and a real server.

It runs in a thread of its own, so that a blocked event loop in the test does not block it. The faults are attributes,
to be changed at any time: `delay` holds every piece back for so many seconds, `cut_after` closes a connection once so
many bytes of answers have passed, `blackhole` swallows everything. `cut()` resets all connections, `refuse()` also
takes no new ones until `accept()`. `hold()` is what a route that comes back does: nothing passes, in one direction or both, and
nothing is lost: after `release()` it goes on, also what a client has sent that is long gone. `half_open()` ends the connections
towards the server and leaves the client in the belief that it has one. `refuses` names commands that this proxy does not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Collection
from typing import Any

from support.refusing import Refusing
from support.servers import free_port

PIECE_BYTES_MAX = 65_536


class Proxy:
    def __init__(self, target_port: int, *, target_host: str = "127.0.0.1", refuses: Collection[str] = ()) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.delay = 0.0
        self.cut_after: int | None = None
        self.blackhole = False
        self.accepted = 0  # connections so far
        self.bytes_up = 0  # towards the server
        self.bytes_down = 0
        self._target = (target_host, target_port)
        self._refuses = refuses
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._upstream: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}  # by the client's side
        self._deaf: set[asyncio.StreamWriter] = set()  # clients' sides that are half open
        self._flows = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._listener: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self.release()
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._run(self._cancel_pumps())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def url(self, database: int | None = None, *, login: str = "") -> str:
        return f"redis://{login}{self.host}:{self.port}" + (f"/{database}" if database is not None else "")

    def accept(self) -> None:
        self._run(self._listen())

    def refuse(self) -> None:
        """As when the server's machine is up and the server is not."""
        self._run(self._close_listener())
        self.cut()

    def cut(self) -> None:
        """Reset every connection: both sides see it at once."""
        self._run(self._abort_all())

    def hold(self, *, up: bool = True, down: bool = True) -> None:
        """Nothing passes in these directions until `release`; connections stay open."""
        self._run(self._let({"up": not up, "down": not down}))

    def release(self) -> None:
        self._run(self._let({"up": True, "down": True}))

    def half_open(self) -> None:
        """The server loses every connection; the clients hear nothing of it, nor of anything else."""
        self._run(self._lose_upstream())

    # In the proxy's own thread

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, self.host, self.port)

    async def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _abort_all(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _let(self, flows: dict[str, bool]) -> None:
        for direction, goes in flows.items():
            if goes:
                self._flows[direction].set()
            else:
                self._flows[direction].clear()

    async def _lose_upstream(self) -> None:
        for client, upstream in list(self._upstream.items()):
            self._deaf.add(client)
            _reset(upstream)

    async def _cancel_pumps(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            self._writers.discard(writer)
            return
        self._writers.add(up_writer)
        self._upstream[writer] = up_writer
        pumps = [
            asyncio.create_task(self._pump(reader, up_writer, down=False)),
            asyncio.create_task(self._pump(up_reader, writer, down=True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if writer in self._deaf:
                await self._swallow(reader, pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            del self._upstream[writer]
            self._deaf.discard(writer)
            for end in (writer, up_writer):
                self._writers.discard(end)
                end.close()

    async def _swallow(self, reader: asyncio.StreamReader, pumps: list[asyncio.Task[None]]) -> None:
        """What the client of a half-open connection says, until it gives up."""
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        with contextlib.suppress(OSError):
            while await reader.read(PIECE_BYTES_MAX):
                pass

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, down: bool) -> None:
        left = self.cut_after if down else None
        refusing = Refusing(self._refuses) if self._refuses and not down else None
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE_BYTES_MAX):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flows["down" if down else "up"].wait()
                if self.blackhole:
                    continue
                if down and left is None:
                    left = self.cut_after
                if left is not None:
                    piece, left = piece[:left], left - len(piece)
                if down:
                    self.bytes_down += len(piece)
                else:
                    self.bytes_up += len(piece)
                writer.write(piece if refusing is None else refusing(piece))
                await writer.drain()
                if left is not None and left <= 0:
                    return


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()
