"""A schedule of faults is a function of its seed, and the network fails as a network does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import TypeAlias

import pytest

from reality.faults import ALL, SERVER, schedule
from support.proxy import Proxy
from support.servers import Server


def test_the_same_seed_is_the_same_schedule() -> None:
    assert schedule("7", 60, 3) == schedule("7", 60, 3)
    assert schedule("7", 60, 3) != schedule("8", 60, 3)


def test_a_long_schedule_has_every_fault_and_never_two_on_one_victim_at_once() -> None:
    faults = schedule("1", 600, 3)
    assert set(Counter(fault.kind for fault in faults)) == set(ALL)
    for victim in (SERVER, 0, 1, 2):
        of_victim = [fault for fault in faults if fault.victim == victim]
        assert all(one.at + one.lasts < other.at for one, other in pairwise(of_victim))
    assert max(fault.at + fault.lasts for fault in faults) <= 599.5


Line: TypeAlias = tuple[Proxy, asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def line(redis_server: Server) -> AsyncIterator[Line]:
    with Proxy(redis_server.port) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        yield proxy, reader, writer
        writer.close()


async def ping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"PING\r\n")
    return await asyncio.wait_for(reader.readline(), 5)


@pytest.mark.parametrize("held", [{"up": False}, {"down": False}, {}])
async def test_what_is_held_comes_late_and_whole(line: Line, redis_server: Server, held: dict[str, bool]) -> None:
    proxy, reader, writer = line
    assert await ping(reader, writer) == b"+PONG\r\n"
    proxy.hold(**held)
    writer.write(b"PING one\r\nPING two\r\n")
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(reader.readline(), 0.1)
    proxy.release()
    assert [await reader.readline() for _ in range(4)] == [b"$3\r\n", b"one\r\n", b"$3\r\n", b"two\r\n"]


async def test_what_was_held_reaches_the_server_after_its_sender_has_gone(line: Line, redis_server: Server) -> None:
    proxy, reader, writer = line
    assert await ping(reader, writer) == b"+PONG\r\n"
    proxy.hold(down=False)
    writer.write(b"SET zombie 1\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert redis_server.cli("GET", "zombie") is None
    proxy.release()
    while redis_server.cli("GET", "zombie") is None:
        await asyncio.sleep(0.005)


async def test_a_half_open_connection_is_gone_for_the_server_and_silent_for_the_client(
    line: Line, redis_server: Server
) -> None:
    proxy, reader, writer = line
    assert await ping(reader, writer) == b"+PONG\r\n"
    proxy.half_open()
    while redis_server.clients():
        await asyncio.sleep(0.005)
    writer.write(b"PING\r\n")
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(reader.readline(), 0.1)
    assert not reader.at_eof()
