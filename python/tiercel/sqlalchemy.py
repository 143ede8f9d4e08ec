"""Owns: the hook into SQLAlchemy's sessions: what a transaction changes is announced from its flush until it has ended.

`install(sessions, cache, keys=…, tags=…)`. It goes by the unit of work: bulk statements (`session.execute(update(…))`) and the
`bulk_…` methods flush no instance, so they name nothing; put `cache.writing(…)` around those. Needs SQLAlchemy 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, SessionTransaction, scoped_session, sessionmaker
from sqlalchemy.util import await_only

from tiercel import _sync
from tiercel._writing import TAGS_MAX, Writing

if TYPE_CHECKING:
    from tiercel._cache import Cache, Key

__all__ = ["Hook", "install"]

_KEYS_MAX: Final = 1000  # of one announcement: what is sent at once

_left: set[asyncio.Task[None]] = set()  # loops hold their tasks weakly


def install(
    sessions: Any,
    cache: Cache,
    *,
    keys: Callable[[Any], Iterable[Key]] | None = None,
    tags: Callable[[Any], Iterable[str]] | None = None,
    strict: bool = True,
    wait: bool = False,
) -> Hook:
    """`install(async_sessionmaker(engine), cache, keys=lambda row: [f"user:{row.id}"])`, once, when the application starts.

    sessions   an async_sessionmaker or a sessionmaker: what it makes from now on. An AsyncSession, a Session, or a class of them
    keys       called with every instance that a flush has inserted, changed or deleted: the keys that hold it
    tags       the same, for tags. At the flush an instance has its new values and its primary key; the old values are in
               sqlalchemy.inspect(instance).attrs.<name>.history
    strict     Redis being away makes the flush raise tiercel.Unavailable, and the transaction is rolled back; False: it goes on
    wait       as of `cache.writing`: each flush waits for `staleness`
    """
    for name, given in (("keys", keys), ("tags", tags)):
        if given is not None and not callable(given):
            raise TypeError(f"{name}: expected a function of an instance, not {type(given).__name__}")
    if keys is None and tags is None:
        raise ValueError("keys, tags: neither is given; say what holds an instance")
    hook = Hook(cache, keys, tags, strict=strict, wait=wait)
    hook._listen(_sync_sessions(sessions))
    return hook


class Hook:
    """What `install` has put in place; `remove()` takes it out again. Transactions that have begun end as they would have."""

    def __init__(self, cache: Cache, keys: Any, tags: Any, *, strict: bool, wait: bool) -> None:
        self._cache, self._keys, self._tags, self._strict, self._wait = cache, keys, tags, strict, wait
        self._target: Any = None

    def remove(self) -> None:
        if self._target is not None:
            event.remove(self._target, "after_flush", self._flushed)
            self._target = None

    def _listen(self, target: Any) -> None:
        self._target = target
        event.listen(target, "after_flush", self._flushed)
        event.listen(target, "after_transaction_end", self._ended)

    def _flushed(self, session: Session, _: object) -> None:
        """Called when the statements have been sent and nobody else can see what they did."""
        begun: list[Writing] = session.info.setdefault(self, [])
        for keys, tags in _portions(*self._names(session)):
            write = self._cache.writing(keys=keys, tags=tags, strict=self._strict, wait=self._wait)
            if _sync.may_wait():
                write.__enter__()
            else:
                _await(
                    write.__aenter__, "a Session on the thread of a running event loop cannot wait; use AsyncSession"
                )
            begun.append(write)

    def _ended(self, session: Session, transaction: SessionTransaction) -> None:
        """Called after commit, rollback or close: of savepoints too, which decide nothing."""
        if transaction.parent is not None:
            return
        begun: list[Writing] = session.info.pop(self, [])
        if not begun:
            return
        if _sync.may_wait():
            for write in begun:
                write.__exit__(None, None, None)
            return
        try:
            await_only(_end(begun))
        except MissingGreenlet:  # closed from outside: nobody here can wait
            task = asyncio.get_running_loop().create_task(_end(begun))
            _left.add(task)
            task.add_done_callback(_left.discard)

    def _names(self, session: Session) -> tuple[list[Key], list[str]]:
        """Of what the flush has sent, each once."""
        keys: dict[Key, None] = {}
        tags: dict[str, None] = {}
        for instance in _changed(session):
            for named, given, argument in ((keys, self._keys, "keys"), (tags, self._tags, "tags")):
                if given is not None:
                    named.update(dict.fromkeys(_listed(given(instance), argument)))
        return list(keys), list(tags)


def _changed(session: Session) -> Iterator[Any]:
    yield from session.new
    yield from session.deleted
    yield from (instance for instance in session.dirty if session.is_modified(instance))


def _portions(keys: list[Key], tags: list[str]) -> Iterator[tuple[list[Key], list[str]]]:
    while keys or tags:
        yield keys[:_KEYS_MAX], tags[:TAGS_MAX]
        keys, tags = keys[_KEYS_MAX:], tags[TAGS_MAX:]


def _listed(names: Any, argument: str) -> Iterable[Any]:
    if names is None:
        return ()
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise TypeError(f"{argument}: expected its function to return a list, not one {type(names).__name__}")
    return names


def _await(begin: Callable[[], Any], advice: str) -> None:
    try:
        await_only(begin())
    except MissingGreenlet:
        raise RuntimeError(f"tiercel.sqlalchemy: {advice}") from None


async def _end(begun: list[Writing]) -> None:
    """All of them, whatever meets one: each is under way as soon as it is asked."""
    failure: BaseException | None = None
    for write in begun:
        try:
            await write.__aexit__(None, None, None)
        except BaseException as met:
            failure = failure or met
    if failure is not None:
        raise failure


def _sync_sessions(sessions: Any) -> Any:
    """What has the events. Of a maker's or class' sessions alone: not of all that share their class with them."""
    if isinstance(sessions, async_sessionmaker):
        own = _subclass(sessions.kw.get("sync_session_class") or sessions.class_.sync_session_class)
        sessions.configure(sync_session_class=own)
        return own
    if isinstance(sessions, type) and issubclass(sessions, AsyncSession):
        sessions.sync_session_class = _subclass(sessions.sync_session_class)
        return sessions.sync_session_class
    if isinstance(sessions, AsyncSession):
        return sessions.sync_session
    if isinstance(sessions, (sessionmaker, scoped_session, Session)):
        return sessions
    if isinstance(sessions, type) and issubclass(sessions, Session):
        return sessions
    raise TypeError(f"sessions: expected a sessionmaker, a Session or their async kind, not {type(sessions).__name__}")


def _subclass(base: type[Session]) -> type[Session]:
    return type(base.__name__, (base,), {})
