"""Owns worker processes from outside: how one is started, spoken to, stopped, paused and killed."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

START_SECONDS_MAX = 30.0
ANSWER_SECONDS_MAX = 60.0
LINE_BYTES_MAX = 1 << 20


class WorkerDied(Exception):
    """It ended before it answered."""


class Crewman:
    """One worker process. `ask` sends a command and waits for its answer; several may wait at once."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.loading: asyncio.Queue[str] = asyncio.Queue()  # the keys whose loaders have read their rows
        self._process = process
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ready = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, given: Mapping[str, Any], folders: Sequence[Path] = ()) -> Crewman:
        """`given` is what worker.py takes; `folders` hold further modules it may need."""
        import tiercel

        paths = [Path(tiercel.__file__).parents[1], Path(__file__).parents[1], *folders]
        warnings = "error" if given["subject"].startswith("reality.") else "ignore"  # a rival's are its own
        process = await asyncio.create_subprocess_exec(
            "setpriv", "--pdeathsig", "KILL", sys.executable, "-W", warnings, "-m", "reality.worker", json.dumps(given),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES_MAX,
            start_new_session=True,  # a Ctrl-C at the terminal is its starter's affair
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        )  # fmt: skip
        crewman = cls(given["name"], process)
        await asyncio.wait_for(crewman._ready, START_SECONDS_MAX)
        return crewman

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, do: str, **command: Any) -> dict[str, Any]:
        answer = await asyncio.wait_for(self.told(do, **command), ANSWER_SECONDS_MAX)
        if "error" in answer:
            raise AssertionError(f"worker {self.name}, {do}: {answer['error']}")
        return answer

    def told(self, do: str, **command: Any) -> asyncio.Future[dict[str, Any]]:
        """Sent now; the future is the answer."""
        answer = asyncio.get_running_loop().create_future()
        if not self.alive or self._listening.done():
            answer.set_exception(WorkerDied(self.name))
            return answer
        number = next(self._numbers)
        self._asked[number] = answer
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "do": do, **command}).encode() + b"\n")
        return answer

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    async def ended(self) -> None:
        await self._process.wait()
        await self._listening

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> None:
        """Politely; by force where that takes too long."""
        self.signal(signal.SIGCONT)
        with suppress(WorkerDied, asyncio.TimeoutError):
            await asyncio.wait_for(self.told("stop"), 10)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), 5)
        if self.alive:
            self.signal(signal.SIGKILL)
        await self.ended()

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "ready" in said:
                self._ready.set_result(None)
            elif "loading" in said:
                self.loading.put_nowait(said["loading"])
            elif (answer := self._asked.pop(said.get("id"), None)) is not None and not answer.done():
                answer.set_result(said)
        for answer in [self._ready, *self._asked.values()]:
            if not answer.done():
                answer.set_exception(WorkerDied(self.name))
                answer.exception()  # it may be that nobody waits
        self._asked.clear()
