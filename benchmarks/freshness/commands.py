"""Counts what a server was asked, by INFO commandstats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from support.servers import Server

_OURS = ("info", "config|resetstat")


@contextmanager
def counted(server: Server) -> Iterator[Counter[str]]:
    """Filled when the block has ended: how often each command was carried out. Those inside of scripts count too."""
    commands: Counter[str] = Counter()
    before = _calls(server)
    yield commands
    commands.update(_calls(server) - before)


def told(commands: Counter[str]) -> str:
    return ", ".join(f"{times} {name.upper().replace('|', ' ')}" for name, times in commands.most_common()) or "none"


def _calls(server: Server) -> Counter[str]:
    listed = server.client.info("commandstats")
    names = {name.removeprefix("cmdstat_"): int(stats["calls"]) for name, stats in listed.items()}
    return Counter({name: calls for name, calls in names.items() if name not in _OURS})
