"""Owns the clock: CPU time per operation, candidates interleaved round by round, the median of the rounds.

The machines are shared and noisy, so no figure stands alone: every row is compared with a base measured in the same rounds.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

Work = Callable[[int], Awaitable[None]]  # does the operation so many times
Clock = Callable[[], float]  # CPU seconds of a process


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
    (rows,) = (await interleave(group, candidates, {"": time.process_time}, rounds=rounds)).values()
    return rows


async def interleave(
    group: str, candidates: Sequence[Candidate], clocks: Mapping[str, Clock], *, rounds: int
) -> dict[str, list[Row]]:
    """The rows by each of the clocks. A B C A B C ... after one round that warms up and is not counted."""
    taken: dict[str, dict[str, list[float]]] = {name: {one.name: [] for one in candidates} for name in clocks}
    for turn in range(rounds + 1):
        for candidate in candidates:
            gc.collect()
            started = {name: clock() for name, clock in clocks.items()}
            await candidate.work(candidate.operations)
            for name, clock in clocks.items():
                spent = (clock() - started[name]) * 1e6 / candidate.operations
                if turn > 0:
                    taken[name][candidate.name].append(spent)
    return {
        name: [Row(group, of, statistics.median(times), min(times), max(times)) for of, times in by_candidate.items()]
        for name, by_candidate in taken.items()
    }


def cpu_clock_of(pid: int) -> Clock:
    """Of all threads of another process, in nanoseconds' resolution, as Linux' clock_getcpuclockid(3) names it."""
    return lambda: time.clock_gettime((~pid << 3) | 2)
