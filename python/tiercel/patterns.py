"""Owns: the classic patterns as classes over a `Repository`: CacheAside, ReadThrough, WriteThrough, WriteBehind.

A decorated function is cache-aside with less to write; these are for those whose data comes through one object. All of
them read by `Cache.get_or_load`: callers who come together share one load, and a load that an invalidation overtook is
not stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from uuid import UUID

from tiercel._expiry import Expire, parse_expire
from tiercel._types import version_of_result

if TYPE_CHECKING:
    from tiercel._cache import Cache

__all__ = ["CacheAside", "ReadThrough", "Repository", "Unwritten", "WriteBehind", "WriteThrough"]

K = TypeVar("K")
V = TypeVar("V")


class Repository(Protocol[K, V]):
    """What the patterns ask of your data. Inherit from it to get the `_many` methods from the others, one by one."""

    async def load(self, key: K, /) -> V | None:
        """The value, or None: there is none."""
        ...

    async def store(self, key: K, value: V, /) -> None: ...

    async def remove(self, key: K, /) -> None: ...

    async def load_many(self, keys: Iterable[K], /) -> Mapping[K, V]:
        """Those that there are."""
        found = {key: await self.load(key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    async def store_many(self, values: Mapping[K, V], /) -> None:
        for key, value in values.items():
            await self.store(key, value)


class ReadThrough(Generic[K, V]):
    """Readers ask this object alone; what the cache lacks it loads. `get_many` loads all that is missing by one
    `load_many`.

    The entry of key 42 under prefix "user" is "user:42", as of a decorated function; keys other than str, int and UUID
    need `key_of`. That there is no value (None) is cached like a value. Writes by others are theirs to invalidate.
    """

    def __init__(
        self,
        cache: Cache,
        repository: Repository[K, V],
        prefix: str,
        expire: Expire = 3600,
        *,
        key_of: Callable[[K], str] | None = None,
        tags: Iterable[str] = (),
        type: Any = None,
    ) -> None:
        if not prefix:
            raise ValueError("prefix: it is empty")
        parse_expire(expire)
        self.cache, self.repository, self.prefix, self.expire = cache, repository, prefix, expire
        self.tags, self.type = tuple(tags), type
        self._key_of = key_of or _text_of
        self._batch: _Batch[K, V] = _Batch(repository)

    def key(self, key: K) -> str:
        """The key in the cache."""
        return f"{self.prefix}:{self._key_of(key)}"

    async def get(self, key: K) -> V | None:
        return await self._get(key, lambda: self.repository.load(key))

    async def get_many(self, keys: Iterable[K]) -> dict[K, V]:
        """Those that there are."""
        wanted = list(dict.fromkeys(keys))
        values = await asyncio.gather(*(self._get(key, partial(self._batch.load, key)) for key in wanted))
        return {key: value for key, value in zip(wanted, values, strict=True) if value is not None}

    async def forget(self, *keys: K) -> None:
        """Invalidates them: the next reader loads."""
        await self.cache.invalidate(*map(self.key, keys))

    async def _get(self, key: K, load: Callable[[], Any]) -> V | None:
        value: V | None = await self.cache.get_or_load(
            self.key(key), load, self.expire, tags=self.tags, version=self._version, type=self.type
        )
        return value

    def _version(self, value: V | None) -> int | None:
        """Of what was loaded: nobody says."""
        return None


class CacheAside(ReadThrough[K, V]):
    """Reads fill the cache, writes drop the entry: first the repository, then the cache. The pattern to start with."""

    async def save(self, key: K, value: V) -> None:
        try:
            await self.repository.store(key, value)
        finally:  # an error or a cancellation need not mean that nothing was written
            await self.forget(key)

    async def save_many(self, values: Mapping[K, V]) -> None:
        try:
            await self.repository.store_many(values)
        finally:
            await self.forget(*values)

    async def remove(self, key: K) -> None:
        try:
            await self.repository.remove(key)
        finally:
            await self.forget(key)


class WriteThrough(CacheAside[K, V]):
    """Writes put the new value into the cache once the repository has it, so no reader pays for the miss.

    Two writers of one key who finish in the other order can leave the older value in the cache until it expires: give
    `version_of`, the number of the value's version, and the older one is refused (`save` still returns: the repository has
    decided); or use CacheAside.
    """

    def __init__(self, *arguments: Any, version_of: Callable[[V], int] | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._version_of = version_of

    async def save(self, key: K, value: V) -> None:
        try:
            await self.repository.store(key, value)
        except BaseException:
            await self.forget(key)
            raise
        await self._put(key, value)

    def _version(self, value: V | None) -> int | None:
        return None if self._version_of is None or value is None else self._version_of(value)

    async def save_many(self, values: Mapping[K, V]) -> None:
        try:
            await self.repository.store_many(values)
        except BaseException:
            await self.forget(*values)
            raise
        await asyncio.gather(*(self._put(key, value) for key, value in values.items()))

    async def _put(self, key: K, value: V) -> None:
        kept = False
        try:
            version = None if self._version_of is None else version_of_result(self._version(value), "version_of")
            outcome = await self.cache._set(
                self.key(key), value, self.expire, tags=self.tags, type=self.type, version=version
            )
            kept = outcome.kind == "stored" or outcome.error_code == "superseded"
        finally:
            if not kept:  # not cacheable, or Redis did not take it: at least the old value must go
                await self.forget(key)


class _Batch(Generic[K, V]):
    """Loads that start in the same moment, as one `load_many`."""

    def __init__(self, repository: Repository[K, V]) -> None:
        self._repository = repository
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def load(self, key: K) -> V | None:
        future = self._waiting.get(key)
        if future is None or future.get_loop() is not asyncio.get_running_loop():
            if not self._waiting or future is not None:
                self._waiting = {}
                task = asyncio.create_task(self._run(self._waiting))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(future)

    async def _run(self, waiting: dict[K, asyncio.Future[V | None]]) -> None:
        await asyncio.sleep(0)
        if self._waiting is waiting:
            self._waiting = {}
        try:
            found = await self._repository.load_many(list(waiting))
            for key, future in waiting.items():
                if not future.done():
                    future.set_result(found.get(key))
        except BaseException as error:
            for future in waiting.values():
                if not future.done():
                    future.set_exception(error) if isinstance(error, Exception) else future.cancel()
                    future.exception() if isinstance(error, Exception) else None
            if not isinstance(error, Exception):
                raise


def _text_of(key: Any) -> str:
    if type(key) in (str, int, UUID):
        return str(key)
    raise TypeError(f"key: a {type(key).__qualname__} is not str, int or UUID; give key_of")


from tiercel._write_behind import Unwritten, WriteBehind  # noqa: E402  it is a ReadThrough, so it needs this module
