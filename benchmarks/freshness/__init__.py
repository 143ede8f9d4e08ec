"""What the freshness promise costs and what it gives: `python -m benchmarks freshness` prints the tables.

`figure.py` a table; then one file a question: `costs.py`, `asking.py`, `waking.py`, `herd.py`, `tracking.py`, `tags.py`, `stale.py` (real
processes) and `simulated.py` (virtual time). Each has `run(size)`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from benchmarks.freshness import asking, costs, herd, simulated, stale, tags, tracking, waking
from benchmarks.freshness.figure import Size, Table

PARTS: dict[str, Callable[[Size], Awaitable[list[Table]]]] = {
    part.__name__.rpartition(".")[2]: part.run
    for part in (costs, asking, waking, herd, tags, tracking, stale, simulated)
}


async def run(parts: Sequence[str], size: Size) -> AsyncIterator[Table]:
    """Each table as soon as it is done: all of them take minutes."""
    for name in parts or PARTS:
        for table in await PARTS[name](size):
            yield table
