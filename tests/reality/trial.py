"""Owns one run from its plan to its verdict, and how it is told. `python -m reality.trial [SECONDS [SEED [KIND [STALENESS
[FAULT,…]]]]]` prints one."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reality.checker import Rules, Violation, check, summary
from reality.faults import ALL, schedule
from reality.figures import Figures, figures
from reality.ground import Ground, Plan
from reality.history import SECOND, History

SHOWN_MAX = 5


@dataclass(frozen=True)
class Trial:
    plan: Plan
    history: History
    faults: Counter[str]
    violations: list[Violation]
    figures: Figures

    def lines(self) -> list[str]:
        met = ", ".join(f"{times} {kind}" for kind, times in sorted(self.faults.items()))
        return [
            f"seed {self.plan.seed} on {self.plan.kind}: {self.plan.seconds:g} s, {self.plan.workers} workers, "
            f"staleness {self.plan.staleness:g} s",
            f"faults: {met or 'none'}",
            *self.figures.lines(),
            *(f"broken: {times} x {what}" for what, times in sorted(summary(self.violations).items())),
            *(f"  {violation}" for violation in self.violations[:SHOWN_MAX]),
        ]

    def __str__(self) -> str:
        return "\n".join(self.lines())


async def trial(plan: Plan, kinds: Sequence[str] = ALL) -> Trial:
    faults = schedule(plan.seed, plan.seconds, plan.workers, kinds) if kinds else []
    async with Ground(plan) as ground:
        history = await ground.run(faults)
    rules = Rules(delta=int(plan.staleness * SECOND))
    return Trial(plan, history, ground.faults_met, check(history, rules), figures(history))


def some_seed() -> str:
    return str(random.SystemRandom().randrange(1_000_000_000))


def main(seconds: str = "10", seed: str = "", kind: str = "redis-7.0", staleness: str = "1", faults: str = "") -> int:
    began = time.monotonic()
    plan = Plan(seed or some_seed(), float(seconds), kind, staleness=float(staleness))
    done = asyncio.run(trial(plan, [] if faults == "none" else faults.split(",") if faults else ALL))
    print(done)
    print(f"{time.monotonic() - began:.1f} s in all")
    return 1 if done.violations else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
