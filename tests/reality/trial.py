"""Owns one run from its plan to its verdict, and how it is told. `python -m reality.trial SECONDS SEED` prints one."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reality.checker import Rules, Violation, check, summary
from reality.faults import ALL, schedule
from reality.figures import Figures, figures
from reality.ground import Ground, Plan
from reality.history import SECOND, History
from reality.story import story
from support.binaries import KINDS

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


def main() -> int:
    arguments = argparse.ArgumentParser(prog="reality.trial", description=__doc__)
    arguments.add_argument("seconds", type=float, nargs="?", default=10)
    arguments.add_argument("seed", nargs="?", default="")
    arguments.add_argument("--kind", choices=KINDS, default="redis-7.0")
    arguments.add_argument("--staleness", type=float, default=1.0)
    arguments.add_argument("--faults", nargs="*", choices=ALL, default=ALL, help="only these; without any: none")
    arguments.add_argument("--story", type=int, metavar="N", help="tell what led to the Nth violation")
    chosen = arguments.parse_args()
    plan = Plan(chosen.seed or some_seed(), chosen.seconds, chosen.kind, staleness=chosen.staleness)
    done = asyncio.run(trial(plan, chosen.faults))
    print(done)
    if chosen.story is not None and chosen.story < len(done.violations):
        print("\n".join(story(done.history, done.violations[chosen.story])))
    return 1 if done.violations else 0


if __name__ == "__main__":
    sys.exit(main())
