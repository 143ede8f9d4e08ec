"""Owns `make soak`: runs with new seeds, over every kind of server in turn, until it is stopped; then the sum of all.

python -m reality.soak [SECONDS OF EACH RUN]
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from contextlib import suppress

import pytest

from reality.checker import summary
from reality.facts import Facts
from reality.figures import Distribution, staleness
from reality.ground import Plan
from reality.trial import Trial, some_seed, trial
from support.binaries import KINDS, find


class Sum:
    """What all runs so far have shown."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.runs = self.operations = 0
        self.faults, self.broken = Counter[str](), Counter[str]()
        self.seeds_broken: list[str] = []
        self._staleness: list[int] = []

    def add(self, done: Trial) -> None:
        self.runs += 1
        self.operations += len(done.history)
        self.faults += done.faults
        self.broken += summary(done.violations)
        if done.violations:
            self.seeds_broken.append(f"{done.plan.seed} on {done.plan.kind}")
        facts = Facts(done.history)
        self._staleness += [staleness(facts, read) for read in done.history.reads if read.value is not None]

    def __str__(self) -> str:
        lines = [
            f"{self.runs} runs, {time.monotonic() - self.began:.0f} s, {self.operations} events, {self.faults.total()} faults",
            f"observed staleness: {Distribution.of(self._staleness)}",
            *(f"broken: {times} x {what}" for what, times in sorted(self.broken.items())),
            f"seeds that broke something: {', '.join(self.seeds_broken) or 'none'}",
        ]
        return "\n".join(lines)


def main(seconds: str = "20") -> int:
    kinds, total = [kind for kind in KINDS if is_here(kind)], Sum()
    with suppress(KeyboardInterrupt):
        while True:
            for kind in kinds:
                done = asyncio.run(trial(Plan(some_seed(), float(seconds), kind)))
                total.add(done)
                print(done, "", total, "", sep="\n", flush=True)
    print(f"\nstopped\n{total}")
    return 1 if total.broken else 0


def is_here(kind: str) -> bool:
    try:
        find(kind)
    except pytest.skip.Exception as missing:
        print(missing)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
