"""`python -m benchmarks.staleness [SECONDS]`: how stale answers are, of Tiercel and of cashews, as tests/reality sees it.

Three processes, one Redis, a database whose rows have versions, invalidation after each commit, by key and by pattern. First in calm, then
with cut, silent and half-open connections. Stale is an answer that a confirmed invalidation had outdated before the call began.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from reality.checker import Kind
from reality.ground import TIERCEL, Plan
from reality.trial import Trial, trial

ROOT = Path(__file__).resolve().parent.parent
SUBJECTS = {"tiercel": TIERCEL, "cashews, client side": "benchmarks.rivals.cashews_stale:Cashews"}
NETWORKS = {"calm": (), "faulty": ("cut", "hold down", "half open", "delay")}
KEYS = {**{f"item:{number}": () for number in range(8)}, **{f"plain:{number}": () for number in range(4)}}
SEED = "1"


async def measure(subject: str, faults: tuple[str, ...], seconds: float) -> Trial:
    plan = Plan(SEED, seconds, subject=subject, tags_of=KEYS, folders=(ROOT,))
    return await trial(plan, faults)


def row(network: str, name: str, done: Trial) -> str:
    stale, kinds = done.figures.staleness, [violation.kind for violation in done.violations]
    return (
        f"| {network} | {name} | {done.figures.reads} | {stale.nonzero} | {stale.p99:.3f} | {stale.p9999:.3f} | {stale.highest:.3f} "
        f"| {kinds.count(Kind.STALE)} | {kinds.count(Kind.OWN_WRITE)} | {kinds.count(Kind.BACK)} |"
    )


def main(seconds: str = "15") -> None:
    print(
        "| network | who | reads | stale | p99, s | p99.99, s | max, s | stale over 1 s | own write unseen | went back |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for network, faults in NETWORKS.items():
        for name, subject in SUBJECTS.items():
            print(row(network, name, asyncio.run(measure(subject, faults, float(seconds)))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
