"""Owns what a worker does when it is left to itself: a random mix of reads and writes from a seed, the same for the same seed.

The loads are slow around what they read, so that writes fall into them; writes come in pairs and then not for a while, so that a
value left behind has the time to be seen; some entries live for a second, so that keys are loaded often.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reality.worker import Worker

Operation = Callable[[random.Random], Awaitable[Any]]

ROWS_MAX = 3  # of one transaction that names its keys
EXPIRES = (1.0, 5.0, 30.0)
LOAD_SECONDS = (0.0, 0.002, 0.01, 0.03, 0.1, 0.2)
AGAIN_SHARE, AGAIN_SECONDS_MAX = 0.7, 0.15
PAUSE_SECONDS = 0.006  # between two operations of a task, on average


class Workload:
    def __init__(self, worker: Worker, seed: str) -> None:
        self._worker, self._seed = worker, seed
        self._keys = sorted(worker.tags_of)
        self._tags = sorted({tag for tags in worker.tags_of.values() for tag in tags})
        self._prefixes = sorted({key.split(":")[0] for key in self._keys})
        self._until = 0.0
        self._mix: dict[Operation, float] = {
            self._load: 60, self._look: 30, self._give_up: 3,
            self._look_now: 3 * worker.subject.fresh_reads, self._load_now: 3 * worker.subject.fresh_reads,
            self._write_key: 0.2, self._write_tag: 0.1 * bool(self._tags), self._write_pattern: 0.05,
        }  # fmt: skip

    async def run(self, seconds: float, tasks: int) -> int:
        self._until = time.monotonic() + seconds
        return sum(await asyncio.gather(*(self._task(number) for number in range(tasks))))

    async def _task(self, number: int) -> int:
        dice = random.Random(f"{self._seed}/{number}")
        operations, weights = list(self._mix), list(self._mix.values())
        done = 0
        while time.monotonic() < self._until:
            (operation,) = dice.choices(operations, weights)
            await operation(dice)
            done += 1
            await asyncio.sleep(dice.expovariate(1 / PAUSE_SECONDS))
        return done

    async def _load(self, dice: random.Random, *, fresh: bool = False) -> None:
        key, expire = dice.choice(self._keys), dice.choice(EXPIRES)
        before, after = (functools.partial(asyncio.sleep, dice.choice(LOAD_SECONDS)) for _ in range(2))
        await self._worker.read(key, before=before, after=after, expire=expire, fresh=fresh)

    async def _look(self, dice: random.Random) -> None:
        await self._worker.look(dice.choice(self._keys))

    async def _load_now(self, dice: random.Random) -> None:
        await self._load(dice, fresh=True)

    async def _look_now(self, dice: random.Random) -> None:
        await self._worker.look(dice.choice(self._keys), fresh=True)

    async def _give_up(self, dice: random.Random) -> None:
        """A caller that is cancelled, wherever it is then."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._load(dice), dice.uniform(0.0005, 0.05))

    async def _write_key(self, dice: random.Random) -> None:
        keys = dice.sample(self._keys, dice.randint(1, ROWS_MAX))
        await self._write(dice, keys, keys=keys)

    async def _write_tag(self, dice: random.Random) -> None:
        tag = dice.choice(self._tags)
        await self._write(dice, [key for key in self._keys if tag in self._worker.tags_of[key]], tags=[tag])

    async def _write_pattern(self, dice: random.Random) -> None:
        prefix = dice.choice(self._prefixes)
        rows = [key for key in self._keys if key.startswith(f"{prefix}:")]
        await self._write(dice, rows, patterns=[f"{prefix}:*"])

    async def _write(self, dice: random.Random, rows: list[str], **what: list[str]) -> None:
        """Often twice, the second time when everybody is loading what the first made invalid."""
        again = dice.random() < AGAIN_SHARE
        wait = dice.uniform(0, AGAIN_SECONDS_MAX)
        await self._worker.write(rows, **what)
        if again:
            await asyncio.sleep(wait)
            await self._worker.write(rows, **what)
