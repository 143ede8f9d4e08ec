"""`python -m benchmarks [--tiny] [--json FILE] [--only functions|redis|http]`: measures and prints the table of README.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from benchmarks import functions, http, redis_gets
from benchmarks.measure import Row
from support.servers import start

BASE = {"HTTP, uvicorn": "bare ASGI"}  # the row others are compared with; elsewhere it is tiercel's


async def run(only: str | None, *, rounds: int, scale: float) -> list[Row]:
    rows: list[Row] = []
    if only in (None, "functions"):
        rows += await functions.run(rounds=rounds, scale=scale)
    if only in (None, "redis", "http"):
        with start("redis-7.0") as server:
            if only in (None, "redis"):
                rows += await redis_gets.run(server.url(), rounds=rounds, scale=scale)
            if only in (None, "http"):
                rows += await http.run(server.url(), rounds=rounds, scale=scale)
    return rows


def table(rows: list[Row]) -> str:
    """Markdown: one line a candidate, its CPU time and how many times the base's that is."""
    lines = ["| what | who | CPU us | of the base | lowest to highest |", "|---|---|---|---|---|"]
    for group, members in groupby(rows, lambda row: row.group):
        listed = list(members)
        base = next(row for row in listed if row.name == BASE.get(group, "tiercel"))
        for row in listed:
            ratio = row.microseconds / base.microseconds
            lines.append(
                f"| {group} | {row.name} | {row.microseconds:.2f} | {ratio:.2f}x | {row.lowest:.2f} to {row.highest:.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    arguments.add_argument(
        "--tiny", action="store_true", help="a few operations each: shows that it runs, measures nothing"
    )
    arguments.add_argument("--only", choices=["functions", "redis", "http"])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--json", type=Path, help="where to write the figures")
    chosen = arguments.parse_args()
    rounds, scale = (1, 0.01) if chosen.tiny else (chosen.rounds, 1.0)
    rows = asyncio.run(run(chosen.only, rounds=rounds, scale=scale))
    print(f"Python {platform.python_version()}, {platform.machine()}, median of {rounds} interleaved rounds\n")
    print(table(rows))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
