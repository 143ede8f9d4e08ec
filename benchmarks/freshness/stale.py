"""How stale answers are of real processes under faults, as tests/reality sees it: Tiercel, cashews with its client-side cache, and the code
of the mission document.

Three processes, one Redis, a database whose rows have versions, an invalidation after each commit. Stale is an answer that a confirmed
invalidation had outdated before the call began. Two tables: what Tiercel promises, at two settings of `staleness` and under all faults;
and all three beside each other, in calm and with a faulty network.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.freshness.figure import Size, Table
from benchmarks.freshness.simulated import ROOT
from reality.checker import Kind
from reality.faults import ALL
from reality.ground import TIERCEL, Plan
from reality.trial import Trial, trial

DELTAS = (0.05, 1.0)
SUBJECTS = {
    "tiercel": TIERCEL,
    "cashews, client side": "benchmarks.rivals.cashews_stale:Cashews",
    "the mission document's code": "benchmarks.rivals.mission_stale:Mission",
}
NETWORKS: dict[str, Sequence[str]] = {"calm": (), "faulty": ("cut", "hold down", "half open", "delay")}
KEYS = {**{f"item:{number}": () for number in range(8)}, **{f"plain:{number}": () for number in range(4)}}
SEED = "1"
SEEN = ("reads", "stale", "p99, s", "p99.99, s", "max, s")
BROKEN = ("own write unseen", "went back")


async def run(size: Size) -> list[Table]:
    return [await promised(size), await compared(size)]


async def promised(size: Size) -> Table:
    seconds = size.seconds(60, 1.2)
    table = Table(
        "Observed staleness of real processes, every kind of fault",
        ("staleness", "faults", *SEEN, "over the bound", *BROKEN),
        f"Three processes of eight tasks for {seconds:g} s at each setting. Went back: among these are hits of what a process without "
        "Redis had loaded for itself, which the promise leaves out and the harness cannot tell.",
    )
    for delta in DELTAS:
        done = await trial(Plan(SEED, seconds, staleness=delta), ALL)
        table.add(f"{delta:g} s", done.faults.total(), *_cells(done))
    return table


async def compared(size: Size) -> Table:
    seconds = size.seconds(30, 1.2)
    table = Table(
        "Stale answers beside others",
        ("network", "who", *SEEN, "stale over 1 s", *BROKEN),
        f"{seconds:g} s each, the same workload and faults for all, by keys and patterns (no tags, which the others do not have).",
    )
    for network in ["faulty"] if size.tiny else NETWORKS:
        for name, subject in SUBJECTS.items():
            table.add(network, name, *_cells(await trial(_plan(subject, seconds), NETWORKS[network])))
    return table


def _plan(subject: str, seconds: float) -> Plan:
    return Plan(SEED, seconds, subject=subject, tags_of=KEYS, folders=(ROOT,))


def _cells(done: Trial) -> list[object]:
    stale, kinds = done.figures.staleness, [violation.kind for violation in done.violations]
    broken = [kinds.count(kind) for kind in (Kind.STALE, Kind.OWN_WRITE, Kind.BACK)]
    return [done.figures.reads, stale.nonzero, stale.p99, stale.p9999, stale.highest, *broken]
