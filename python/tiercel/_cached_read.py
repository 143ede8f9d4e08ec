"""Owns: the way of an `async def` function's call that L1 did not answer: read, join or lead a load, store, answer."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from tiercel._cached_policy import Policy
from tiercel._types import MISSING, Loaded

if TYPE_CHECKING:
    from tiercel import _core
    from tiercel._invalidation import Invalidation

log = logging.getLogger("tiercel")

Arguments = tuple[Any, ...]
Keywords = dict[str, Any] | None


class Load:
    """One call's loader, and what it loaded: the leader answers with the very object."""

    def __init__(self, policy: ReadThrough, args: Arguments, kwargs: Keywords) -> None:
        self.policy, self.args, self.kwargs = policy, args, kwargs
        self.value: Any = MISSING

    async def __call__(self) -> Loaded:
        value = await self.run()
        loaded = self.policy.loaded(value)
        self.value = value
        return loaded

    async def run(self) -> Any:
        awaitable = self.policy.function(*self.args, **self.kwargs or {})
        if self.policy.options.hard_timeout is None:
            return await awaitable
        return await asyncio.wait_for(awaitable, self.policy.options.hard_timeout)


class ReadThrough(Policy):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._refreshes: dict[
            str, asyncio.Task[None]
        ] = {}  # by key: one at a time, held because loops hold tasks weakly

    async def read(self, key: str, args: Arguments, kwargs: Keywords) -> Any:
        load, tags = Load(self, args, kwargs), self.tags(args, kwargs)
        outcome = await self.cache._get_or_load(
            key, load, tags=tags, tags_of_result=self.late, early=self.options.early
        )
        if outcome.kind == "hit":
            value = self.decoded(key, outcome)
            if value is not MISSING and not outcome.stale:
                if outcome.refresh_wanted and key not in self._refreshes:
                    self._begin_refresh(key, load, tags, self.options.early)
                return value
            if value is not MISSING and self.options.stale is not None:
                return await self._stale(key, value, outcome, load, tags)
            outcome = await self.cache._get_or_load(key, load, tags=tags, tags_of_result=self.late, skip_value=True)
        return await self._answer(key, outcome, load)

    async def refresh(self, key: str, args: Arguments, kwargs: Keywords) -> Any:
        load = Load(self, args, kwargs)
        outcome = await self.cache._get_or_load(
            key, load, tags=self.tags(args, kwargs), tags_of_result=self.late, skip_value=True
        )
        return await self._answer(key, outcome, load)

    async def invalidate(self, key: str) -> Invalidation:
        return await self.cache.invalidate(key)

    def plain(self, target: Callable[..., Awaitable[Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        @functools.wraps(target)
        async def function(*args: Any, **kwargs: Any) -> Any:
            return await target(*args, **kwargs)

        return function

    async def _answer(self, key: str, outcome: _core.Outcome, load: Load) -> Any:
        if load.value is not MISSING:
            return load.value
        if outcome.kind in ("hit", "loaded"):
            value = self.decoded(key, outcome)
            if value is not MISSING:
                return value
        return await load.run()

    async def _stale(self, key: str, value: Any, outcome: _core.Outcome, load: Load, tags: tuple[str, ...]) -> Any:
        """The value past its expiry: at once, or when the refresh has not come within soft_timeout, or has failed."""
        refresh = self._refreshes.get(key)
        own = refresh is None and outcome.refresh_wanted
        if own:
            refresh = self._begin_refresh(key, load, tags)
        if self.options.soft_timeout is None or refresh is None or refresh.get_loop() is not asyncio.get_running_loop():
            return value
        await asyncio.wait([refresh], timeout=self.options.soft_timeout)
        if own and load.value is not MISSING:
            return load.value
        return self._fresh(key, value)

    def _begin_refresh(self, key: str, load: Load, tags: tuple[str, ...], early: float = 0) -> asyncio.Task[None]:
        refresh = asyncio.get_running_loop().create_task(self._refresh_behind(key, load, tags, early))
        self._refreshes[key] = refresh
        refresh.add_done_callback(lambda _: self._refreshes.pop(key, None))
        return refresh

    def _fresh(self, key: str, otherwise: Any) -> Any:
        found = self.cache._find(key)
        return otherwise if found is None or found[0] != self.codec.id else self.codec.decode(found[1])

    async def _refresh_behind(self, key: str, load: Load, tags: tuple[str, ...], early: float) -> None:
        try:
            await self.cache._get_or_load(
                key, load, tags=tags, tags_of_result=self.late, skip_value=True, behind=True, early=early
            )
        except Exception:
            log.exception(
                "%s(): the refresh of %r failed; what is stored is served as long as it may be", self.name, key
            )
