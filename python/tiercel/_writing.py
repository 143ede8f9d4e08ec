"""Owns: `cache.writing(…)`: a write to the source of truth that announces itself, from before its commit until after it or the rollback.

Between the two, whoever reads what it names loads for himself and stores nothing, in every process. The end invalidates, whatever
became of the block. What is begun is always ended: by the block's end, by whoever drops it without one, or by the native half if its
caller has gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Final

from tiercel import _core, _sync
from tiercel._errors import Unavailable
from tiercel._invalidation import is_confirmed
from tiercel._types import TAG_BYTES_MAX, check_name, listed

if TYPE_CHECKING:
    from typing_extensions import Self

    from tiercel._cache import Cache, Key
    from tiercel._driver import Driver

TAGS_MAX: Final = 64  # kTagsMax in src/entry/key.hpp
KEYS_MAX: Final = 4_096  # what is announced is announced in one write


class Writing:
    """`async with cache.writing(keys=…, tags=…) as write:`, or `with` in a thread without an event loop. For one block."""

    _id = 0  # of the writing in the engine; 0: there is none to be ended
    _begun_on: Driver | None = None
    _epoch = 0

    def __init__(self, cache: Cache, keys: Iterable[Key], tags: Iterable[str], *, strict: bool, wait: bool) -> None:
        self._cache, self._strict, self._wait = cache, strict, wait
        self._keys, self._tags = _checked_keys(keys), _checked_tags(tags)
        if not self._keys and not self._tags:
            raise ValueError("keys, tags: neither is given; name what the block is about to change")
        self._entered = False
        self.announced = False  # before the block: all of it stands in Redis
        self.held = False  # after it: it stood throughout, so nothing of before the commit was stored after it
        self.confirmed = False  # after it: Redis has confirmed the invalidation; else that is pending
        self.token: str | None = None  # of a confirmed one, see `Cache.token`

    async def __aenter__(self) -> Self:
        operation = self._begin()
        self._begun(*await operation)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended(await self._end())

    def __enter__(self) -> Self:
        if not _sync.may_wait():
            raise RuntimeError("writing: it cannot wait on the thread of a running event loop; write `async with`")
        self._begun(*_sync.wait(self._cache, self._begin()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended(_sync.wait(self._cache, self._end()))

    def __del__(self) -> None:
        if (
            self._id and self._begun_on is not None and self._epoch == _core.fork_epoch()
        ):  # a child's parent ends its own
            self._begun_on._post_cancel(self._id)

    def __repr__(self) -> str:
        return f"<Writing keys={self._keys!r} tags={self._tags!r}>"

    def _begin(self) -> _core.Operation[tuple[_core.Outcome, int]]:
        if self._entered:
            raise RuntimeError("writing: it is for one block; call cache.writing(…) for each")
        self._entered = True
        self._begun_on, self._epoch = self._cache._require_driver(), _core.fork_epoch()
        # With caching turned off (TIERCEL_ENABLED=0) no commit may fail for want of Redis.
        strict = self._strict = self._strict and self._cache._enabled
        return self._cache._begin_writing(self._keys, self._tags, strict=strict, wait=self._wait)

    def _begun(self, outcome: _core.Outcome, writing: int) -> None:
        if outcome.kind == "announced":
            self._id = writing
            self.announced = not outcome.degraded
        elif self._strict:
            raise Unavailable(f"writing: {outcome.error}")

    def _end(self) -> _core.Operation[_core.Outcome]:
        writing, self._id = self._id, 0
        begun_on = self._begun_on
        if writing and begun_on is not None and begun_on is not self._cache._require_driver():
            # The block ends on another engine (of `cache.testing()`, of a forked child): what it announced is withdrawn where it began.
            if self._epoch == _core.fork_epoch():
                begun_on._post_cancel(writing)
            writing = 0
        if not writing:
            return self._cache._invalidate(self._keys, self._tags)
        return self._cache._end_writing(self._begun_on, writing, self._keys, self._tags)

    def _ended(self, outcome: _core.Outcome) -> None:
        self.held, self.confirmed = outcome.held, is_confirmed(outcome)
        self.token = self._cache.token() if self.confirmed else None


def _checked_keys(keys: Iterable[Key]) -> tuple[Key, ...]:
    checked: tuple[Key, ...] = listed(keys, "keys", "keys")
    for key in checked:
        _core.canonical_key(key)
    if (count := len(set(checked))) > KEYS_MAX:
        raise ValueError(
            f"keys: {count} of them; a write names at most {KEYS_MAX}. Name a tag that they carry, or write in parts"
        )
    return checked


def _checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    checked: tuple[str, ...] = tuple(dict.fromkeys(listed(tags, "tags", "str")))
    for tag in checked:
        check_name("tags", tag, TAG_BYTES_MAX)
    if len(checked) > TAGS_MAX:
        raise ValueError(f"tags: {len(checked)} of them; a write names at most {TAGS_MAX}")
    return checked
