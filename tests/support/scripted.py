"""Owns peers that are not Redis: a server whose every answer the test dictates, garbage included.

    async with scripted_server(answer) as port: ...

`answer` is a function from a command (a list of bytes) to the bytes to send, b"" for silence, or None to close; or a
list of such answers, one per command, closing after the last.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

Answer = bytes | None
HELLO3 = b"%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.4.99\r\n$5\r\nproto\r\n:3\r\n"


@contextlib.asynccontextmanager
async def scripted_server(answer: Callable[[list[bytes]], Answer] | Sequence[Answer]) -> AsyncIterator[int]:
    """A server on a free port of 127.0.0.1; yields the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = None if callable(answer) else list(answer)
        try:
            while left != [] and (command := await read_command(reader)) is not None:
                bytes_out = answer(command) if callable(answer) else left.pop(0)
                if bytes_out is None:
                    return
                writer.write(bytes_out)
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


@contextlib.asynccontextmanager
async def garbage_server(garbage: bytes) -> AsyncIterator[int]:
    """Answers whatever it is asked with the same bytes, then closes."""
    async with scripted_server([garbage]) as port:
        yield port


async def read_command(reader: asyncio.StreamReader) -> list[bytes] | None:
    """The next command as clients write them, an array of bulk strings; None at the end of the stream."""
    try:
        count = int((await reader.readuntil(b"\r\n"))[1:])
        words: list[bytes] = []
        for _ in range(count):
            size = int((await reader.readuntil(b"\r\n"))[1:])
            words.append((await reader.readexactly(size + 2))[:-2])
        return words
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
