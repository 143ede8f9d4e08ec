"""Prints what things cost, the table of README.md, or what the freshness promise costs and gives, the tables of docs/guides/figures.md.

python -m benchmarks [--tiny] [--json FILE] [--only functions|redis|http]
python -m benchmarks freshness [--tiny] [--json FILE] [--only costs|asking|waking|herd|tags|tracking|stale|simulated]
"""

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

from benchmarks import freshness, functions, http, redis_gets
from benchmarks.freshness.figure import Size
from benchmarks.measure import Row
from support.servers import start

BASE = {"HTTP, uvicorn": "bare ASGI"}  # the row others are compared with; elsewhere it is tiercel's
PRICES = ("functions", "redis", "http")
ROUNDS = 7


async def prices(only: str | None, *, rounds: int, scale: float) -> list[Row]:
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


async def print_freshness(only: str | None, size: Size) -> list[object]:
    tables = []
    async for table in freshness.run([only] if only else [], size):
        print(table, flush=True)
        tables.append(asdict(table))
    return list(tables)


def main() -> None:
    arguments = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("what", nargs="?", choices=["prices", "freshness"], default="prices")
    arguments.add_argument(
        "--tiny", action="store_true", help="a few operations each: shows that it runs, measures nothing"
    )
    arguments.add_argument("--only", choices=[*PRICES, *freshness.PARTS])
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--json", type=Path, help="where to write the figures")
    chosen = arguments.parse_args()
    if chosen.only and chosen.only not in (PRICES if chosen.what == "prices" else freshness.PARTS):
        arguments.error(f"--only {chosen.only}: no part of {chosen.what}")
    rounds, scale = (1, 0.01) if chosen.tiny else (chosen.rounds, 1.0)
    print(
        f"Python {platform.python_version()}, {platform.machine()}, median of {rounds} interleaved rounds\n", flush=True
    )
    figures: list[object]
    if chosen.what == "freshness":
        figures = asyncio.run(print_freshness(chosen.only, Size(chosen.tiny, rounds)))
    else:
        rows = asyncio.run(prices(chosen.only, rounds=rounds, scale=scale))
        print(table(rows))
        figures = [asdict(row) for row in rows]
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
