"""How stale answers are in the simulation: virtual time, fourteen kinds of faults, more reads than reality has the time for."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from benchmarks.freshness.figure import Size, Table

ROOT = Path(__file__).resolve().parents[2]
PRESETS = ("release", "dev")  # the first that is built
DELTAS = ("50ms", "1s")
FROM = 1_000_000  # others than those that stand in `make test`
LINE = re.compile(r"staleness of (\d+) values served: p99 ([\d.]+) s, p99.99 ([\d.]+) s, max ([\d.]+) s")
RUNS = re.compile(r"(\d+) faults;")


async def run(size: Size) -> list[Table]:
    seeds = size.of(2_000, 3)
    table = Table(
        "Observed staleness in the simulation",
        ("staleness", "values served", "faults", "p99, s", "p99.99, s", "max, s"),
        f"{seeds} seeds from {FROM}; many of the reads ask for less than the setting allows. A quantile may be 3 % too high.",
    )
    program = next((path for path in map(_program, PRESETS) if path.exists()), None)
    if program is None:
        table.note = "Not run: there is no simulation_tests under build/release; `make simulate` builds it."
        return [table]
    for delta in DELTAS:
        command = [str(program), "--seeds", str(seeds), "--from", str(FROM), "--staleness", delta]
        command += ["--expect", "herd,waiter,unstored"]  # rules of thrift: see scripts/check
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        told = (await process.communicate())[0].decode()
        found, faults = LINE.search(told), RUNS.search(told)
        if process.returncode != 0 or found is None or faults is None:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{told[-2000:]}")
        table.add(delta, int(found[1]), int(faults[1]), float(found[2]), float(found[3]), float(found[4]))
    return [table]


def _program(preset: str) -> Path:
    return ROOT / "build" / preset / "tests" / "simulation_tests"
