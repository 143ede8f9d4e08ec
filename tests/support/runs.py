"""Owns how tests run coroutines and child processes: with every warning an error, and silence demanded."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any


def in_loop(test: Callable[[], Awaitable[Any]], timeout: float = 30.0) -> Any:
    """One run of a coroutine function in a new event loop."""

    async def run() -> Any:
        return await asyncio.wait_for(test(), timeout)

    return asyncio.run(run())


def run_child(program: str, *arguments: str, timeout: float = 60.0, environment: dict[str, str] | None = None) -> str:
    """Runs a program in a fresh interpreter. It must end with 0 and say nothing on stderr; returns what it printed."""
    import tiercel

    folders = [str(Path(tiercel.__file__).parents[1]), str(Path(__file__).parents[1])]
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), **(environment or {})},
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert child.returncode == 0, f"exit code {child.returncode}:\n{child.stdout}\n{child.stderr}"
    assert child.stderr == "", child.stderr
    return child.stdout
