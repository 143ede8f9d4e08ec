"""Owns: which loads of this process wait for which, so that loaders that come back to their own key get an error, and no silence.

A loader may ask for other keys, whose loaders ask for further ones: a chain of calls, which the context carries (`_core.loading` is the
innermost load), into tasks and `asyncio.to_thread` too. What would close a circle, in one chain or between several, is refused where it is
asked for. What a context does not reach (`run_in_executor`, another process) is not seen here; there patience ends it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from tiercel import _core
from tiercel._errors import LoadCycle

if TYPE_CHECKING:
    from contextvars import Context

    from tiercel._driver import Driver

Loading: TypeAlias = "dict[str, set[Link]]"  # of one driver: the loads that run, by their keys

_lock = threading.RLock()  # from the look around to the note that one waits: threads may close a circle together


class Asking:
    """One call that waits for a key. The native half keeps it for as long as it does."""

    __slots__ = ("__weakref__", "key", "loading")

    def __init__(self, loading: Loading, key: str) -> None:
        self.loading, self.key = loading, key

    @property
    def place(self) -> tuple[int, str]:
        return id(self.loading), self.key


class Link:
    """A load's place among the others. It is what the context carries, and holds nothing that leads back to a context."""

    def __init__(self, driver: Driver, key: str, context: Context) -> None:
        self.ended = False
        self.askings: weakref.WeakSet[Asking] | None = None
        self._place = Asking(driver.loading, key)
        within: Link | None = context.get(_core.loading)
        self._within = within if within is not None and not within.ended else None
        driver.loading.setdefault(key, set()).add(self)

    def end(self) -> None:
        """It waits no more, though a task that it has left behind may still run."""
        self.ended, self._within = True, None

    def forget(self) -> None:
        """Its driver knows it no more."""
        loading, key = self._place.loading, self._place.key
        loading[key].discard(self)
        if not loading[key]:
            del loading[key]

    def asks_for(self, driver: Driver, key: str) -> Asking:
        """Called by the native half when something in this load's chain of calls asks for what is not in memory. Raises LoadCycle where it
        would wait for itself."""
        asking = Asking(driver.loading, key)
        with _lock:
            chain = list(self._chain())
            circle = _circle(asking, {link._place.place for link in chain}, set())
            if circle is None:
                if self.askings is None:
                    self.askings = weakref.WeakSet()
                self.askings.add(asking)
                return asking
        keys = [link._place.key for link in reversed(chain)]
        raise LoadCycle([*keys[keys.index(circle[-1]) :], *circle])

    def _chain(self) -> Iterator[Link]:
        """From the innermost outwards."""
        link: Link | None = self
        while link is not None and not link.ended:
            yield link
            link = link._within


def _circle(asking: Asking, chain: set[tuple[int, str]], seen: set[tuple[int, str]]) -> list[str] | None:
    """The keys from the one asked for to one of the chain, if the loads that run lead there."""
    if asking.place in chain:
        return [asking.key]
    if asking.place in seen:
        return None
    seen.add(asking.place)
    for load in tuple(asking.loading.get(asking.key, ())):
        for further in tuple(load.askings or ()):
            rest = _circle(further, chain, seen)
            if rest is not None:
                return [asking.key, *rest]
    return None


def _renew_lock() -> None:
    """In a forked child: whoever held the lock does not live here."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)
