"""Owns: `early=`, and the refreshes behind `get_or_load`: who is told to refresh an entry before it expires answers with it first.

The load then runs in a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Final

log = logging.getLogger("tiercel")

EARLY: Final = (
    0.0  # the load outlives its caller, and may use what that has closed by then: whoever knows better says so
)
EARLY_MAX: Final = 1000.0

_behind: set[asyncio.Task[None]] = set()  # loops hold tasks weakly


def parse_early(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise TypeError(f"early: expected a number such as 1.0, or 0 for no early refresh, not {type(given).__name__}")
    if not 0 <= given <= EARLY_MAX:
        raise ValueError(
            f"early: {given!r} is not a number from 0 (no early refresh) to {EARLY_MAX:g}; 1 is the usual one"
        )
    return float(given)


def begin(key: str | bytes, refresh: Awaitable[Any]) -> None:
    """In the running loop. Its caller has been answered: an error is logged."""
    task = asyncio.get_running_loop().create_task(_run(key, refresh))
    _behind.add(task)
    task.add_done_callback(_behind.discard)


async def _run(key: str | bytes, refresh: Awaitable[Any]) -> None:
    try:
        await refresh
    except Exception:
        log.exception("The early refresh of %r failed; what is stored is served until it expires", key)
