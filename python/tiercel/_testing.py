"""Owns: `with cache.testing() as t:`, a fresh store for a test, and time that moves when the test says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tiercel import _core
from tiercel._expiry import parse_duration
from tiercel._settings import Settings

if TYPE_CHECKING:
    from tiercel._cache import Cache
    from tiercel._stats import Stats

__all__ = ["Testing", "testing"]

_OF_THE_SERVER = ("user", "password", "tls_ca_file", "tls_cert_file", "tls_key_file", "tls_verify")


def testing(cache: Cache, **options: Any) -> Testing:
    """See `Testing`. Options are settings, such as `l1_bytes_max`, for the time of the test."""
    return Testing(cache, options)


class Testing:
    """Within the block the cache is an empty store in this process, whatever its URL, and strict: values that would not
    come out as they went in raise. Environment variables do not matter. Afterwards the cache is what it was, entries
    included.

    Blocks may be nested, and end in the reverse order; each begins empty. The exchange is seen by all threads and
    tasks, so tests of one cache do not run at the same time. `advance` moves the clock of the whole process, for all
    caches, and never back.
    """

    __test__ = False  # not a test of pytest's, whatever its name says

    def __init__(self, cache: Cache, options: dict[str, Any]) -> None:
        given = {name: value for name, value in cache._given[1].items() if name not in _OF_THE_SERVER}
        self._cache = cache
        self._settings = Settings.resolve("memory://", {**given, "strict": True, **options}, environ={})
        self._restore: Callable[[], None] | None = None
        self._last: Stats | None = None

    def __enter__(self) -> Testing:
        if self._restore is not None:
            raise RuntimeError("testing: this block is entered already; call cache.testing() for another one")
        self._last = None
        self._restore = self._cache._exchange(self._settings)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._restore is not None:
            self._last = self._cache.stats()
            restore, self._restore = self._restore, None
            restore()

    def advance(self, by: float | str | timedelta) -> None:
        """Moves the cache's time on: seconds, "5m", a timedelta. Nothing sleeps; other clocks stay as they are."""
        if self._restore is None:
            raise RuntimeError("testing: advance is for inside the block")
        _core.shift_clock(parse_duration(by, "by"))

    @property
    def stats(self) -> Stats:
        """`cache.stats()` since the block began; after it, as they were at its end."""
        if self._last is not None:
            return self._last
        return self._cache.stats()

    @property
    def hits(self) -> int:
        return self.stats.hits

    @property
    def misses(self) -> int:
        return self.stats.misses

    @property
    def loads(self) -> int:
        """How often a loader ran: once for all callers that came together, and once for each that ran its own."""
        return self.stats.loads

    @property
    def stores(self) -> int:
        return self.stats.stores
