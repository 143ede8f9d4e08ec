"""What Redis' memory of who has read what costs: its growth by 100,000 keys that one and then a second client track."""

from __future__ import annotations

from benchmarks.freshness.figure import PATIENCE, Size, Table
from support.servers import Server, start
from tiercel import Cache

CLIENTS = 2


async def run(size: Size) -> list[Table]:
    count = size.of(100_000, 500)
    table = Table(
        f"Memory of Redis for tracking {count:,} keys",
        ("state", "used_memory, MB", "tracked keys", "bytes per key, more than the line before"),
        "used_memory of INFO, less what the buffers of clients take; the keys have 10 to 16 bytes, their values 100.",
    )
    keys = [f"key:{number}" for number in range(count)]
    with start("redis-7.0") as server:
        async with Cache(server.url(), l1_bytes_max=0, op_timeout=PATIENCE) as writer:
            for part in parts(keys):
                await writer.set_many(dict.fromkeys(part, "x" * 100), expire=None)
        used = _line(table, server, "stored, nobody tracks", None, count)
        readers = [Cache(server.url(), l1_bytes_max="256MB", op_timeout=PATIENCE) for _ in range(CLIENTS)]
        for number, reader in enumerate(readers, 1):
            await reader.connect()
            for part in parts(keys):
                assert len(await reader.get_many(part)) == len(part)
            used = _line(table, server, f"read and tracked by {number} client{'s'[: number - 1]}", used, count)
        for reader in readers:
            await reader.disconnect()
    return [table]


def parts(keys: list[str]) -> list[list[str]]:
    return [keys[at : at + 1_000] for at in range(0, len(keys), 1_000)]


def _line(table: Table, server: Server, state: str, before: int | None, count: int) -> int:
    server.cli("MEMORY", "PURGE")
    memory, stats = server.client.info("memory"), server.client.info("stats")
    used = int(memory["used_memory"]) - int(memory["mem_clients_normal"])
    more = (used - before) / count if before is not None else "-"
    table.add(state, used / 1e6, int(stats["tracking_total_keys"]), more)
    return used
