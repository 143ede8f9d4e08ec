"""Owns one process under test: `python -m reality.worker '{"name": …}'`. It obeys its stdin and writes a history.

Lines of JSON both ways, so that a worker in another language can take the place. The argument is an object: `name` (of the one Cache
in here), `url`, `staleness`, `settings`, `source` and `history` (files), `tags_of` (key to tags), `subject` (module:Class).
Commands carry an `id`, and each is answered by one line with the same; several may be under way:

    {"id":1, "do":"read", "key":…, "callers":200, "gate":"g"}  -> {"id":1, "versions":[…], "seconds":[…]}
    {"id":2, "do":"open", "gate":"g"}                           lets loaders that wait at that gate go on
    {"id":3, "do":"look", "key":…, "fresh":true}               -> {"id":3, "version":1 or null}
    {"id":4, "do":"write", "keys":[…], "tags":[…], "patterns":[…], "rows":[…]} -> {"id":4, "confirmed":true}
    {"id":5, "do":"run", "seconds":…, "seed":…, "tasks":…}     -> {"id":5, "operations":…}: see workload.py
    {"id":6, "do":"die after commit"}                           the next write kills this process where the invalidation would begin
    {"id":7, "do":"stop"}

A loader that was begun by "read" and has read its row says so unasked: {"loading": key}. The first line is {"ready": name}.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from reality.history import Commit, Event, Invalidation, Load, Read, Value, to_line
from reality.source import Source
from reality.subject import CACHED_PREFIX, Loader, Subject
from reality.workload import Workload

now = time.monotonic_ns


class Worker:
    """The operations, each written down with its interval when it has ended."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.name: str = given["name"]
        self.tags_of: dict[str, list[str]] = given["tags_of"]
        self.rows = Source(Path(given["source"]))
        module, name = given["subject"].split(":")
        make = getattr(importlib.import_module(module), name)
        self.subject: Subject = make(
            given["url"], name=self.name, staleness=given["staleness"], settings=given["settings"]
        )
        self.dies_after_commit = False
        self._numbers = itertools.count()
        self._file = os.open(given["history"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def read(
        self, key: str, *, before: Callable[[], Awaitable[Any]], after: Callable[[], Awaitable[Any]],
        expire: float = 30, fresh: bool = False,
    ) -> int:  # fmt: skip
        """get_or_load, or the decorated function. `before` and `after` are awaited on both sides of what the loader reads."""
        name = f"{self.name}#{next(self._numbers)}"
        loader = self._loader(name, key, before, after)
        troubles, began = self.subject.troubles(), now()
        text = await self.subject.load(key, loader, expire=expire, tags=self.tags_of[key], fresh=fresh)
        via = "cached" if key.startswith(CACHED_PREFIX) and not fresh else "get_or_load"
        return self._wrote_read(name, via, key, began, text, fresh, troubles) or 0

    async def look(self, key: str, *, fresh: bool = False) -> int | None:
        name = f"{self.name}#{next(self._numbers)}"
        troubles, began = self.subject.troubles(), now()
        text = await self.subject.look(key, fresh=fresh)
        return self._wrote_read(name, "get", key, began, text, fresh, troubles)

    async def write(
        self, rows: Sequence[str], *, keys: Sequence[str] = (), tags: Sequence[str] = (), patterns: Sequence[str] = ()
    ) -> bool:
        """Commit, then invalidate."""
        began = now()
        written = self.rows.write(rows)
        ended = now()
        self._write(*(Commit(self.name, key, version, began, ended) for key, version in written.items()))
        if self.dies_after_commit:
            os.kill(os.getpid(), signal.SIGKILL)
        began = now()
        confirmed = await self.subject.invalidate(keys, tags, patterns)
        self._write(Invalidation(self.name, began, now(), confirmed, tuple(keys), tuple(tags), tuple(patterns)))
        return confirmed

    def _loader(
        self, name: str, key: str, before: Callable[[], Awaitable[Any]], after: Callable[[], Awaitable[Any]]
    ) -> Loader:
        async def load() -> str:
            began = now()
            await before()
            version = self.rows.read(key)
            await after()
            self._write(Load(name, self.name, key, began, now(), version))
            return str(Value(key, version, began, name))

        return load

    def _wrote_read(
        self, name: str, via: str, key: str, began: int, text: str | None, fresh: bool, troubles: int | None
    ) -> int | None:
        ended = now()
        value = Value.parse(text) if text is not None else None
        degraded = troubles is None or troubles != self.subject.troubles()  # it may have been loaded without a lease
        self._write(Read(name, self.name, via, key, began, ended, value, fresh, degraded))
        return value.version if value is not None else None

    def _write(self, *events: Event) -> None:
        """Whole lines in one call: a killed process leaves all it did, but for the last line at most."""
        os.write(self._file, "".join(map(to_line, events)).encode())


class Obedience:
    """Reads commands, carries them out side by side, answers."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._gates: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def until_told_to_stop(self) -> None:
        loop = asyncio.get_running_loop()
        commands = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        await self._worker.subject.open()
        say({"ready": self._worker.name})
        while line := await commands.readline():
            command = json.loads(line)
            if command["do"] == "stop":
                break
            task = loop.create_task(self._carry_out(command))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        for task in self._tasks:
            task.cancel()  # some wait at a gate
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._worker.subject.close()
        transport.close()
        say({"id": command["id"]} if line else {})

    async def _carry_out(self, command: dict[str, Any]) -> None:
        number, name = command.pop("id"), command.pop("do").replace(" ", "_")
        try:
            answer = await getattr(self, f"_do_{name}")(**command)
        except Exception as error:  # told to whoever asked
            answer = {"error": f"{type(error).__name__}: {error}"}
        say({"id": number, **(answer or {})})

    async def _do_read(self, key: str, callers: int = 1, gate: str | None = None, expire: float = 30) -> dict[str, Any]:
        async def before() -> None:
            pass

        async def after() -> None:
            say({"loading": key})
            if gate is not None:
                await self._gate(gate).wait()

        async def one() -> tuple[int, float]:
            began = time.monotonic()
            version = await self._worker.read(key, before=before, after=after, expire=expire)
            return version, time.monotonic() - began

        answers = await asyncio.gather(*(one() for _ in range(callers)))
        return {"versions": [version for version, _ in answers], "seconds": [seconds for _, seconds in answers]}

    async def _do_open(self, gate: str) -> None:
        self._gate(gate).set()

    async def _do_look(self, key: str, fresh: bool = False) -> dict[str, Any]:
        return {"version": await self._worker.look(key, fresh=fresh)}

    async def _do_write(self, rows: list[str], **what: list[str]) -> dict[str, Any]:
        return {"confirmed": await self._worker.write(rows, **what)}

    async def _do_run(self, seconds: float, seed: str, tasks: int) -> dict[str, Any]:
        return {"operations": await Workload(self._worker, seed).run(seconds, tasks)}

    async def _do_die_after_commit(self) -> None:
        self._worker.dies_after_commit = True

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.getLogger("tiercel").addHandler(logging.NullHandler())  # faults are meant here
    asyncio.run(Obedience(Worker(json.loads(sys.argv[1]))).until_told_to_stop())
