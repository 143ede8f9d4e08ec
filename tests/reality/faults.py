"""Owns what goes wrong during a run, and when: a schedule from a seed, the same for the same seed. Pure; `ground.py` carries it out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

GAP_SECONDS: Final = 0.4  # between two faults, on average, before those are left out whose victim has one
CALM_SECONDS: Final = 0.3  # after one has ended, before the next meets the same victim
SERVER: Final = -1  # as a victim; workers are counted from 0

# How often each comes, and for how long at most (0: it is over at once).
WORKER_FAULTS: Final = {
    "delay": (3, 1.0),  # every piece, both ways
    "cut": (3, 0.0),
    "hold up": (2, 1.5),  # nothing towards the server
    "hold down": (3, 1.5),  # nothing from it, pushes neither
    "hold both": (2, 1.5),
    "half open": (2, 0.0),
    "stop": (3, 1.5),  # SIGSTOP, SIGCONT
    "kill": (1, 0.0),  # SIGKILL, wherever it is
    "die after commit": (2, 0.0),  # SIGKILL between commit and invalidation
}
SERVER_FAULTS: Final = {
    "client kill": (2, 0.0),
    "client pause": (2, 0.6),
    "forget tag": (2, 0.0),  # DEL of a tag's record, as an eviction does
    "tiny tracking table": (1, 1.0),  # early pushes
    "full": (1, 1.0),  # no room for writes, DEL alone works
    "evictions": (1, 1.0),  # of whatever there is, tags' records too
    "restart": (1, 0.0),  # nothing acknowledged is lost
    "restart empty": (1, 0.0),  # everything is
}
ALL: Final = (*WORKER_FAULTS, *SERVER_FAULTS)


@dataclass(frozen=True, slots=True)
class Fault:
    at: float  # seconds since the run began
    kind: str
    victim: int  # a worker's number, or SERVER
    lasts: float
    dice: float  # between 0 and 1, for what the fault still has to choose

    def __str__(self) -> str:
        whom = "server" if self.victim == SERVER else f"worker {self.victim}"
        return f"{self.at:7.2f} s  {self.kind}, {whom}" + (f", for {self.lasts:.2f} s" if self.lasts else "")


def schedule(seed: str, seconds: float, workers: int, kinds: Sequence[str] = ALL) -> list[Fault]:
    """Faults within the run, two never on one victim at once; the last is over half a second before the end."""
    dice = random.Random(f"faults/{seed}")
    free_at = dict.fromkeys([SERVER, *range(workers)], 0.0)
    faults: list[Fault] = []
    at = 0.5
    while (at := at + dice.expovariate(1 / GAP_SECONDS)) < seconds - 0.5:
        kind = _draw(dice, kinds)
        victims = [SERVER] if kind in SERVER_FAULTS else list(range(workers))
        victim, longest = dice.choice(victims), {**WORKER_FAULTS, **SERVER_FAULTS}[kind][1]
        lasts = min(dice.uniform(0.2, 1.0) * longest, seconds - 0.5 - at)
        chance = dice.random()
        if at >= free_at[victim]:
            faults.append(Fault(at, kind, victim, lasts, chance))
            free_at[victim] = at + lasts + CALM_SECONDS
    return faults


def _draw(dice: random.Random, kinds: Sequence[str]) -> str:
    weights = {**WORKER_FAULTS, **SERVER_FAULTS}
    return dice.choices(kinds, [weights[kind][0] for kind in kinds])[0]
