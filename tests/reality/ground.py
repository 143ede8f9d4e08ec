"""Owns a run: one server, a source of truth, and worker processes, each behind a network of its own that can be made to fail."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reality.crew import Crewman, WorkerDied
from reality.faults import SERVER, Fault
from reality.history import Event, History, Loss, read_lines
from reality.source import Source
from support.proxy import Proxy
from support.servers import Server, start

TAGS_OF: Mapping[str, tuple[str, ...]] = {
    **{f"item:{number}": ("items", f"shelf-{number % 2}") for number in range(6)},
    **{f"row:{number}": ("rows",) for number in range(4)},
    **{f"plain:{number}": () for number in range(2)},
}
TIERCEL = "reality.subject:Tiercel"


@dataclass(frozen=True)
class Plan:
    """What a run is made of. Two runs of one plan meet the same operations and faults, as far as reality allows."""

    seed: str
    seconds: float
    kind: str = "redis-7.0"
    workers: int = 3
    tasks: int = 8  # of each worker
    staleness: float = 1.0
    subject: str = TIERCEL
    settings: Mapping[str, Any] = field(default_factory=dict)
    tags_of: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: TAGS_OF)
    users: tuple[str, ...] = ()  # ACL lines of the server
    login: str = ""  # of the workers
    refuses: tuple[str, ...] = ()  # commands that the network between them does not know
    folders: tuple[Path, ...] = ()  # of further modules that the workers import
    proxied: bool = True  # False: no network that could be made to fail, nor costs time


class Ground:
    """`async with Ground(plan) as ground`. Started and ended on the main thread, as servers want it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.faults_met: Counter[str] = Counter()
        self._stack = AsyncExitStack()
        self._losses: list[Loss] = []
        self._generations = Counter[int]()

    async def __aenter__(self) -> Ground:
        try:
            self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="tiercel-reality-")))
            self.server: Server = self._stack.enter_context(start(self.plan.kind, users=self.plan.users))
            self.source = Source.create(self.folder / "source", self.plan.tags_of)
            self._stack.callback(self.source.close)
            proxies = [Proxy(self.server.port, refuses=self.plan.refuses) for _ in range(self.plan.workers)]
            self.proxies = [self._stack.enter_context(proxy) for proxy in proxies]
            self.crew: list[Crewman] = []
            self._stack.push_async_callback(self._stop_crew)
            self.crew.extend(await asyncio.gather(*(self.start_worker(number) for number in range(self.plan.workers))))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _url(self, number: int) -> str:
        return self.proxies[number].url(login=self.plan.login) if self.plan.proxied else self.server.url()

    async def start_worker(self, number: int) -> Crewman:
        """Worker `number`, or its successor: a new process is a new Cache, and has a new name."""
        self._generations[number] += 1
        name = f"w{number}.{self._generations[number]}"
        given = {
            "name": name, "url": self._url(number), "staleness": self.plan.staleness,
            "settings": dict(self.plan.settings), "source": str(self.folder / "source"),
            "history": str(self.folder / f"{name}.history"), "tags_of": self.plan.tags_of, "subject": self.plan.subject,
        }  # fmt: skip
        return await Crewman.start(given, self.plan.folders)

    async def run(self, faults: Sequence[Fault] = ()) -> History:
        """All workers work, what is planned goes wrong, and what they saw is returned."""
        began = time.monotonic()
        lives = [self._live(number, began + self.plan.seconds) for number in range(self.plan.workers)]
        await asyncio.gather(*lives, *(self._at(began, fault) for fault in faults))
        return await self.history()

    async def history(self) -> History:
        """What the workers have written so far; ends them."""
        await self._stop_crew()
        events: list[Event] = list(self._losses)
        for path in sorted(self.folder.glob("*.history")):
            events.extend(read_lines(path))
        return History(self.plan.tags_of).add(events)

    async def restart_server(self, *, keep_data: bool) -> None:
        began = time.monotonic_ns()
        self.server.restart(keep_data=keep_data)  # on this thread: the server dies with the one that started it
        if not keep_data:
            self._losses.append(Loss(began, time.monotonic_ns()))

    # Inside

    async def _stop_crew(self) -> None:
        for proxy in self.proxies:
            proxy.release()
        await asyncio.gather(*(crewman.stop() for crewman in self.crew))

    async def _live(self, number: int, until: float) -> None:
        """One worker's work; its successor takes over where it dies."""
        while (left := until - time.monotonic()) > 0.1:
            seed = f"{self.plan.seed}/{number}/{self._generations[number]}"
            try:
                await self.crew[number].ask("run", seconds=left, seed=seed, tasks=self.plan.tasks)
            except WorkerDied:
                await self.crew[number].ended()
                self.crew[number] = await self.start_worker(number)

    async def _at(self, began: float, fault: Fault) -> None:
        await asyncio.sleep(began + fault.at - time.monotonic())
        self.faults_met[fault.kind] += 1
        if fault.victim == SERVER:
            await self._trouble_server(fault)
        else:
            await self._trouble_worker(fault, self.crew[fault.victim], self.proxies[fault.victim])

    async def _trouble_worker(self, fault: Fault, crewman: Crewman, proxy: Proxy) -> None:
        match fault.kind:
            case "delay":
                proxy.delay = 0.01 + 0.1 * fault.dice
                await asyncio.sleep(fault.lasts)
                proxy.delay = 0.0
            case "cut":
                proxy.cut()
            case "hold up" | "hold down" | "hold both":
                proxy.hold(up=fault.kind != "hold down", down=fault.kind != "hold up")
                await asyncio.sleep(fault.lasts)
                proxy.release()
            case "half open":
                proxy.half_open()
            case "stop":
                crewman.signal(signal.SIGSTOP)
                await asyncio.sleep(fault.lasts)
                crewman.signal(signal.SIGCONT)
            case "kill":
                crewman.signal(signal.SIGKILL)
            case "die after commit":
                if crewman.alive:
                    crewman.told("die after commit").add_done_callback(lambda answer: answer.exception())
            case _:
                raise ValueError(fault.kind)

    async def _configured(self, settings: Mapping[str, str], seconds: float) -> None:
        before = {name: self.server.client.config_get(name)[name] for name in settings}
        for name, value in settings.items():
            self.server.cli("CONFIG", "SET", name, value)
        await asyncio.sleep(seconds)
        for name, usual in before.items():
            self.server.cli("CONFIG", "SET", name, usual)

    async def _trouble_server(self, fault: Fault) -> None:
        match fault.kind:
            case "client kill":
                ours = sorted(int(client["id"]) for client in self.server.clients())
                if ours:
                    self.server.cli("CLIENT", "KILL", "ID", ours[int(fault.dice * len(ours))])
            case "client pause":
                mode = "ALL" if fault.dice < 0.5 else "WRITE"
                self.server.cli("CLIENT", "PAUSE", int(fault.lasts * 1000), mode)
                await asyncio.sleep(fault.lasts)
            case "forget tag":
                tags = sorted({tag for tags in self.plan.tags_of.values() for tag in tags})
                self.server.cli("DEL", f"tiercel:t:{tags[int(fault.dice * len(tags))]}")
            case "tiny tracking table":
                await self._configured({"tracking-table-max-keys": "2"}, fault.lasts)
            case "full":
                await self._configured({"maxmemory-policy": "noeviction", "maxmemory": "1"}, fault.lasts)
            case "evictions":
                used = self.server.client.info("memory")["used_memory"]
                await self._configured({"maxmemory-policy": "allkeys-random", "maxmemory": str(used)}, fault.lasts)
            case "restart" | "restart empty":
                await self.restart_server(keep_data=fault.kind == "restart")
            case _:
                raise ValueError(fault.kind)
