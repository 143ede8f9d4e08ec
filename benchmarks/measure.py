"""Owns the clock: CPU time per operation, candidates interleaved round by round, the median of the rounds.

The machines are shared and noisy, so no figure stands alone: every row is compared with a base measured in the same rounds.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Work = Callable[[int], Awaitable[None]]  # does the operation so many times


@dataclass(frozen=True)
class Candidate:
    """Something to measure: `work(n)` does it n times."""

    name: str
    work: Work
    operations: int


@dataclass(frozen=True)
class Row:
    group: str
    name: str
    microseconds: float  # CPU per operation, median of the rounds
    lowest: float
    highest: float


async def measure(group: str, candidates: Sequence[Candidate], *, rounds: int) -> list[Row]:
    """Interleaved: A B C A B C ... after one round that warms up and is not counted."""
    taken: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    for turn in range(rounds + 1):
        for candidate in candidates:
            gc.collect()
            started = time.process_time()
            await candidate.work(candidate.operations)
            spent = (time.process_time() - started) * 1e6 / candidate.operations
            if turn > 0:
                taken[candidate.name].append(spent)
    return [Row(group, name, statistics.median(times), min(times), max(times)) for name, times in taken.items()]
