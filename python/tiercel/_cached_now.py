"""Owns: the way of a `def` function's call that L1 did not answer. In a thread it waits for the loop that is connected; on a loop's
own thread it cannot, so the function is called at once and its result handed to a load that was begun before (and so is fenced
against invalidations meanwhile)."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from tiercel import _core, _sync
from tiercel._cached_policy import Policy
from tiercel._types import MISSING, Loaded

if TYPE_CHECKING:
    from tiercel._invalidation import Invalidation

log = logging.getLogger("tiercel")

Arguments = tuple[Any, ...]
Keywords = dict[str, Any] | None

_left: set[_core.Operation[_core.Outcome]] = set()  # begun, and going on after their callers


class LeftInvalidation:
    """An invalidation made on a loop's own thread: it holds in this process and is on its way. False, because not yet confirmed;
    `await` it to know how it ended."""

    def __init__(self, end: asyncio.Future[Invalidation]) -> None:
        self._end = end

    def __bool__(self) -> bool:
        return False

    def __await__(self) -> Generator[Any, None, Invalidation]:
        return self._end.__await__()


class Stopped(Exception):
    """Carries a function's StopIteration through operations, which end by one themselves."""

    def __init__(self, stop: StopIteration) -> None:
        super().__init__(stop)
        self.stop = stop


class Load:
    """One call's loader, and what it loaded."""

    def __init__(self, policy: ReadNow, args: Arguments, kwargs: Keywords) -> None:
        self.policy, self.args, self.kwargs = policy, args, kwargs
        self.value: Any = MISSING

    def __call__(self) -> Loaded:
        try:
            value = self.run()
            loaded = self.policy.loaded(value)
        except StopIteration as stop:
            raise Stopped(stop) from None
        self.value = value
        return loaded

    def run(self) -> Any:
        return self.policy.function(*self.args, **self.kwargs or {})


class ReadNow(Policy):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._refreshes: set[str] = set()  # keys: one refresh of each at a time

    def read_now(self, key: str, args: Arguments, kwargs: Keywords, skip_value: bool = False) -> Any:
        load, tags = Load(self, args, kwargs), self.tags(args, kwargs)
        way = self._wait_for if _sync.may_wait() else self._call_and_leave
        try:
            return way(key, load, tags, skip_value)
        except Stopped as carrier:
            stop = carrier.stop
        raise stop

    def refresh(self, key: str, args: Arguments, kwargs: Keywords) -> Any:
        return self.read_now(key, args, kwargs, skip_value=True)

    def invalidate(self, key: str) -> Invalidation | LeftInvalidation:
        if _sync.may_wait():
            return self.cache._invalidation(_sync.wait(self.cache, self.cache._invalidate([key], ())))
        loop = asyncio.get_running_loop()
        operation = self.cache._invalidate([key], ())
        # Begun now, and not when a task comes to run: what is read next must not find the old value.
        try:
            operation._begin_at(loop)
        except StopIteration as end:
            ended = loop.create_future()
            ended.set_result(self.cache._invalidation(end.value))
            return LeftInvalidation(ended)
        self.cache._forget(key)  # it may be another loop that carries it out
        return LeftInvalidation(loop.create_task(self._end_of(operation)))

    async def _end_of(self, invalidation: _core.Operation[_core.Outcome]) -> Invalidation:
        return self.cache._invalidation(await invalidation)

    def plain(self, target: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(target)
        def function(*args: Any, **kwargs: Any) -> Any:
            return target(*args, **kwargs)

        return function

    def _wait_for(self, key: str, load: Load, tags: tuple[str, ...], skip_value: bool) -> Any:
        outcome = _sync.get_or_load(
            self.cache, key, load, tags=tags, tags_of_result=self.late, skip_value=skip_value, early=self.options.early
        )
        if outcome.kind == "hit":
            value = self._hit(key, outcome, load, tags)
            if value is not MISSING:
                return value
            outcome = _sync.get_or_load(self.cache, key, load, tags=tags, tags_of_result=self.late, skip_value=True)
        return self._answer(key, outcome, load)

    def _answer(self, key: str, outcome: _core.Outcome, load: Load) -> Any:
        if load.value is not MISSING:
            return load.value
        if outcome.kind in ("hit", "loaded"):
            value = self.decoded(key, outcome)
            if value is not MISSING:
                return value
        return load.run()

    def _hit(self, key: str, outcome: _core.Outcome, load: Load, tags: tuple[str, ...]) -> Any:
        """MISSING: it does not serve, because it does not decode, or is past its expiry and nobody asked for such."""
        value = self.decoded(key, outcome)
        if value is MISSING or not outcome.stale:
            if value is not MISSING and outcome.refresh_wanted:
                self._begin_refresh(key, load, tags, self.options.early)
            return value
        return MISSING if self.options.stale is None else self._stale(key, value, outcome, load, tags)

    def _stale(self, key: str, value: Any, outcome: _core.Outcome, load: Load, tags: tuple[str, ...]) -> Any:
        """The value past its expiry at once; who is elected refreshes it in a thread of its own."""
        if outcome.refresh_wanted:
            self._begin_refresh(key, load, tags)
        return value

    def _begin_refresh(self, key: str, load: Load, tags: tuple[str, ...], early: float = 0) -> None:
        if key in self._refreshes:
            return
        self._refreshes.add(key)
        refresh = functools.partial(self._refresh_behind, key, load, tags, early)
        run = contextvars.copy_context().run
        try:
            threading.Thread(target=run, args=(refresh,), name="tiercel-refresh", daemon=True).start()
        except RuntimeError:  # no more threads, or the process ends: the next call tries again
            self._refreshes.discard(key)

    def _refresh_behind(self, key: str, load: Load, tags: tuple[str, ...], early: float) -> None:
        try:
            _sync.get_or_load(
                self.cache,
                key,
                load,
                tags=tags,
                tags_of_result=self.late,
                skip_value=True,
                behind=True,
                early=early,
            )
        except Exception:
            log.exception(
                "%s(): the refresh of %r failed; what is stored is served as long as it may be", self.name, key
            )
        finally:
            self._refreshes.discard(key)

    def _call_and_leave(self, key: str, load: Load, tags: tuple[str, ...], skip_value: bool) -> Any:
        handed: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()

        async def hand_in() -> Loaded:
            return await handed

        operation = self.cache._load(
            key, hand_in, tags=tags, tags_of_result=self.late, skip_value=skip_value, early=self.options.early
        )
        try:
            waiter = operation._begin_at(asyncio.get_running_loop())
        except StopIteration as end:
            outcome = end.value
            if outcome.kind != "hit":
                return self._answer(key, outcome, load)
            value = self._hit(key, outcome, load, tags)
            return self._call_and_leave(key, load, tags, skip_value=True) if value is MISSING else value
        self._warn_of_blocking()
        try:
            loaded = load()
        except BaseException:
            operation.close()
            raise
        handed.set_result(loaded)
        _left.add(operation)
        waiter.add_done_callback(functools.partial(self._end, operation, key, load, tags))
        return load.value

    def _end(
        self, operation: _core.Operation[_core.Outcome], key: str, load: Load, tags: tuple[str, ...], _: object
    ) -> None:
        _left.discard(operation)
        try:
            operation.send(None)
        except StopIteration as end:
            outcome = end.value
            if outcome.kind == "hit" and (
                outcome.stale or outcome.refresh_wanted or self.decoded(key, outcome) is MISSING
            ):
                # What was loaded meanwhile was not asked for, and is not fenced any more.
                self._begin_refresh(key, Load(self, load.args, load.kwargs), tags)
        except Exception:
            log.exception("What a `def` function left to the event loop failed")
        operation.close()

    def _warn_of_blocking(self) -> None:
        if not self.cache._warned_of_blocking:
            self.cache._warned_of_blocking = True
            log.warning(
                "%s(), a cached `def` function, was called on the thread of a running event loop and missed: it cannot wait for the cache "
                "there, so it was called at once and the cache is filled later. Make it `async def`, or call it from a worker thread. "
                "(Said once.)",
                self.name,
            )
