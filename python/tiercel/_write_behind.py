"""Owns: WriteBehind, which answers a write from memory and writes to the repository later.

What it costs, plainly: the queue is in this process' memory. A crash, a kill -9 or power loss loses every write that
`flush` or `close` has not confirmed. Until it is written, other processes see the new value only while the cache has
it; after an expiry or eviction they load the old one from the repository. Writes of different keys may reach the
repository in another order than they were made, those of one key never do, but a key written several times may be
written once, with the last value. If that is too much, use WriteThrough.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tiercel._errors import NotCacheable, TiercelError
from tiercel._types import MISSING, MissingType
from tiercel.patterns import ReadThrough

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger("tiercel")

K = TypeVar("K")
V = TypeVar("V")

BACKOFF_FIRST: Final = 0.1
BACKOFF_MAX: Final = 30.0


class Unwritten(TiercelError):
    """Writes that did not reach the repository, by key; the value None stands for a removal. `errors`: what each met
    last.
    """

    def __init__(self, writes: Mapping[Any, Any], errors: Mapping[Any, Exception]) -> None:
        super().__init__(f"{len(writes)} writes did not reach the repository")
        self.writes, self.errors = dict(writes), dict(errors)


class WriteBehind(ReadThrough[K, V]):
    """`async with WriteBehind(cache, repository, "user") as users:` writes in the background, and flushes at the end of
    the block.

    The queue holds at most `queue_items_max` keys; a `save` beyond waits for room. A failing write is tried again after
    0.1 s, 0.2 s, … 30 s, at most `attempts_max` times; then it is logged, given to `on_failure(key, value, error)`,
    kept in `failed`, and its entry dropped from the cache, which would show what the repository never got. One event
    loop: the one it was entered on.
    """

    def __init__(
        self,
        *arguments: Any,
        queue_items_max: int = 10_000,
        batch_items_max: int = 100,
        delay: float = 0.05,
        attempts_max: int = 10,
        on_failure: Callable[[K, V | None, Exception], Any] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        for name, value in (
            ("queue_items_max", queue_items_max),
            ("batch_items_max", batch_items_max),
            ("attempts_max", attempts_max),
        ):
            if value < 1:
                raise ValueError(f"{name}: {value!r} is not above zero")
        self._items_max, self._batch_max, self._attempts_max = queue_items_max, batch_items_max, attempts_max
        self._delay, self._on_failure, self._sleep = delay, on_failure, sleep
        self.failed: dict[K, V | None] = {}
        self._errors: dict[K, Exception] = {}
        self._queued: dict[K, V | MissingType] = {}  # MISSING: a removal
        self._writing: dict[K, V | MissingType] = {}
        self._changed = asyncio.Condition()
        self._worker: asyncio.Task[None] | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        self._closing = False
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pending(self) -> int:
        """Keys whose last write is not in the repository yet."""
        return len(self._queued.keys() | self._writing.keys())

    async def save(self, key: K, value: V) -> None:
        """Queued when it returns, not written. Readers of this object see it from now on."""
        await self._enqueue(key, value)
        await self._show(key, value)

    async def remove(self, key: K) -> None:
        await self._enqueue(key, MISSING)
        await self.forget(key)

    async def get(self, key: K) -> V | None:
        """What waits to be written comes first: the cache may have lost it, the repository does not have it."""
        waiting = self._waiting(key)
        if waiting is None:
            return await super().get(key)
        return None if waiting[0] is MISSING else waiting[0]

    async def get_many(self, keys: Iterable[K]) -> dict[K, V]:
        wanted = list(dict.fromkeys(keys))
        waiting = {key: found[0] for key in wanted if (found := self._waiting(key)) is not None}
        loaded = await super().get_many(key for key in wanted if key not in waiting)
        return {key: value for key in wanted if (value := waiting.get(key, loaded.get(key, MISSING))) is not MISSING}

    async def flush(self) -> None:
        """Returns when everything queued before is written, or has failed for good: then raises Unwritten."""
        self._require_worker()
        async with self._changed:
            await self._changed.wait_for(lambda: not self._queued and not self._writing)
        self._raise_failed()

    async def close(self, timeout: float | None = None) -> None:
        """Flushes and ends. What is not written after `timeout` seconds, or has failed, is raised as Unwritten: nothing
        is dropped in silence.
        """
        worker, self._worker = self._worker, None
        if worker is None:
            return
        async with self._changed:
            self._closing = True
            self._changed.notify_all()
        try:
            await asyncio.wait_for(asyncio.shield(worker), timeout)
        except asyncio.TimeoutError:
            pass
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            for key, value in (self._writing | self._queued).items():
                self.failed[key] = None if value is MISSING else value
            self._queued, self._writing = {}, {}
            if self.failed:
                log.error(
                    "write-behind %r ends with %d writes that did not reach the repository",
                    self.prefix,
                    len(self.failed),
                )
        self._raise_failed()

    def _raise_failed(self) -> None:
        if self.failed:
            raise Unwritten(self.failed, self._errors)

    def _require_worker(self) -> None:
        if self._worker is None:
            raise RuntimeError("WriteBehind: enter it first: async with WriteBehind(…) as …")

    def _waiting(self, key: K) -> tuple[V | MissingType] | None:
        for writes in (self._queued, self._writing):
            if key in writes:
                return (writes[key],)
        return None

    async def _enqueue(self, key: K, value: V | MissingType) -> None:
        self._require_worker()
        self.key(key)  # a key that cannot be is refused before anything happens
        async with self._changed:
            await self._changed.wait_for(
                lambda: key in self._queued or len(self._queued) < self._items_max or self._closing
            )
            if self._closing:
                raise RuntimeError("WriteBehind: it is closing")
            self._queued[key] = value
            self.failed.pop(key, None)
            self._errors.pop(key, None)
            self._changed.notify_all()

    async def _show(self, key: K, value: V) -> None:
        kept = False
        try:
            kept = await self.cache.set(self.key(key), value, self.expire, tags=self.tags, type=self.type)
        except NotCacheable as error:
            log.warning("write-behind %r: not cached, but written: %s", self.prefix, error)
        if not kept:
            await self.forget(key)

    # The writer. One task, so the writes of one key cannot overtake each other.

    async def _work(self) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._queued) or self._closing)
                if not self._queued:
                    return
            if not self._closing:
                await self._sleep(self._delay)  # writes of one key that follow each other become one
            for key in list(self._queued)[: self._batch_max]:
                self._writing[key] = self._queued.pop(key)
            await self._write()
            async with self._changed:
                self._writing = {}
                self._changed.notify_all()

    async def _write(self) -> None:
        """One batch, together if that works, else one by one, so that one bad value does not hold up the others."""
        values = {key: value for key, value in self._writing.items() if value is not MISSING}
        if len(values) > 1:
            try:
                await self.repository.store_many(values)
            except Exception as error:
                log.warning(
                    "write-behind %r: a batch of %d failed, trying one by one: %s", self.prefix, len(values), error
                )
            else:
                await self._written(values)
        for key, value in list(self._writing.items()):
            await self._write_one(key, value)

    async def _write_one(self, key: K, value: V | MissingType) -> None:
        for attempt in range(self._attempts_max):
            if attempt:
                pause = min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** (attempt - 1))
                await self._sleep(pause * random.uniform(0.5, 1.0))
            if key in self._queued:  # a newer value will do
                break
            try:
                if value is MISSING:
                    await self.repository.remove(key)
                else:
                    await self.repository.store(key, value)
            except Exception as error:
                self._errors[key] = error
                log.warning(
                    "write-behind %r: attempt %d of %d failed: %s", self.prefix, attempt + 1, self._attempts_max, error
                )
            else:
                self._errors.pop(key, None)
                await self._written({key: value})
                return
        else:
            await self._give_up(key, value)
        self._writing.pop(key, None)

    async def _written(self, values: Mapping[K, V | MissingType]) -> None:
        """The entry once more: since `save`, it may have expired and been loaded from the repository as it was before."""
        for key, value in values.items():
            self._writing.pop(key, None)
            if key in self._queued:
                continue
            if value is MISSING:
                await self.forget(key)
            else:
                await self._show(key, value)

    async def _give_up(self, key: K, value: V | MissingType) -> None:
        error, lost = self._errors[key], None if value is MISSING else value
        self.failed[key] = lost
        log.error("write-behind %r: given up after %d attempts: %s", self.prefix, self._attempts_max, error)
        await self.forget(key)
        if self._on_failure is not None:
            try:
                self._on_failure(key, lost, error)
            except Exception:
                log.exception("write-behind %r: on_failure raised", self.prefix)
