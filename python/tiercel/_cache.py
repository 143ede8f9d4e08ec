"""Owns: `Cache`, what an application holds. It checks arguments, chooses codecs and words outcomes; the work is the engine's."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from tiercel import _core, _early, _fresh, _gather
from tiercel._codec import UNTYPED, codec_for
from tiercel._driver import Driver
from tiercel._early import EARLY, parse_early
from tiercel._errors import AuthenticationError, NotCacheable, ServerTooOld, Unavailable
from tiercel._expiry import Expire, expire_of_result, parse_expire, parse_expire_option
from tiercel._fresh import Fresh
from tiercel._invalidation import Invalidation, is_confirmed
from tiercel._settings import Settings, check_keywords
from tiercel._stats import Stats, stats_of
from tiercel._types import MISSING, Loaded, Version, listed, tags_of_result, version_of_result
from tiercel._writing import Writing

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from tiercel._cached_typing import CachedDecorator, CachedOptions
    from tiercel._client import Client
    from tiercel._codec import Codec
    from tiercel._expiry import ExpireOption
    from tiercel._explain import Explanation
    from tiercel._settings import SettingsKeywords

Key = str | bytes
EXPIRE: Final = 3600

# What tiercel.configure(…) has set, for caches that are made without a URL of their own.
configured: dict[str, Any] = {}


class Cache(_core.CacheCore):
    """A cache in this process over one in Redis: `Cache("redis://…")`; or in this process alone: `Cache("memory://")`.

    Redis being away never fails a call; it makes hits misses. What is wrong in the program raises. Without a URL the settings are
    read at first use (see docs/reference/settings.md), with one they are checked here.
    """

    def __init__(self, url: str | None = None, **settings: Unpack[SettingsKeywords]) -> None:
        super().__init__()
        self._given = (url, settings)
        self._resolved: Settings | None = None
        self._codecs: Codec = UNTYPED
        self._typed: dict[Any, Codec] = {}
        self._connected = False
        self._warned_of_blocking = False
        self._set_untyped(UNTYPED)
        if url is None:
            check_keywords(dict(settings))
        else:
            self._resolve()

    # Life

    async def connect(self) -> None:
        """Connects. Redis being away, slow or loading is not an error; a rejected password or a server too old is."""
        outcome = await self._connect()
        if outcome.error_code == "authentication":
            raise AuthenticationError(outcome.error)
        if outcome.error_code == "too_old":
            raise ServerTooOld(outcome.error)
        self._connected = True

    async def disconnect(self) -> None:
        """Closes the connections. The cache may be used again: it connects by itself."""
        self._connected = False
        if self._alive and not self._settings.in_memory:
            await self._require_driver().disconnect()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.disconnect()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """`FastAPI(lifespan=cache.lifespan)`."""
        _check_policies(app)
        async with self:
            yield

    def lifespan_with(
        self, other: Callable[[Any], AbstractAsyncContextManager[Any]]
    ) -> Callable[[Any], AbstractAsyncContextManager[Any]]:
        """A lifespan that connects the cache around another one, and passes on that one's state."""

        @asynccontextmanager
        async def both(app: Any) -> AsyncIterator[Any]:
            _check_policies(app)
            async with self, other(app) as state:
                yield state

        return both

    # Values

    if TYPE_CHECKING:

        def get(self, key: Key, *, default: Any = None, fresh: Fresh = None, type: Any = None) -> _core.Operation[Any]:
            """The value, or `default`. `type`: read it as that type's codec.

            `fresh`: it may have missed no change that is older than so long (seconds, "500ms", "now"), or none that came before a token.
            """
            # Native: CacheCore.get.

    async def set(
        self, key: Key, value: Any, expire: Expire = EXPIRE, *,
        tags: Iterable[str] = (), version: int | None = None, type: Any = None,
    ) -> bool:  # fmt: skip
        """Stores it. False: it was not kept in Redis (away or full). What cannot be cached raises NotCacheable.

        With `version` (0 to 2**64 - 1; equal or newer is taken) False also says: a newer one is there, or a write is under way.
        """
        outcome = await self._set(key, value, expire, tags=tags, version=version, type=type)
        return outcome.kind == "stored"

    async def delete(self, *keys: Key) -> int:
        """Invalidates the keys, loads in flight too. How many there were, as far as is known."""
        return (await self._invalidate(keys, ())).count if keys else 0

    async def delete_pattern(self, pattern: str, *, strict: bool = False) -> int:
        """Invalidates all keys that match (* ? [set]). Quote what comes from outside with `tiercel.escape`.

        `strict`: as of `invalidate`.
        """
        outcome = await self._invalidate_matching(pattern)
        self._invalidation(outcome, strict)
        return outcome.count

    async def exists(self, key: Key, *, fresh: Fresh = None) -> bool:
        outcome = await self._read(key, fresh=fresh)
        return outcome.kind == "hit" and not outcome.stale

    async def ttl(self, key: Key) -> float | None:
        """Seconds it may still be used; None: there is no such key, or it does not expire."""
        outcome = await self._read(key)
        return outcome.usable_for if outcome.kind == "hit" and not outcome.stale else None

    async def get_many(self, keys: Iterable[Key], *, fresh: Fresh = None, type: Any = None) -> dict[Key, Any]:
        """A dict of those found. They are asked in one write, a thousand at a time."""
        if isinstance(keys, (str, bytes)):
            raise TypeError("keys: expected a list of keys, not one key")
        wanted = list(dict.fromkeys(keys))
        values = await _gather.in_parts(wanted, lambda key: self.get(key, default=MISSING, fresh=fresh, type=type))
        return {key: value for key, value in zip(wanted, values, strict=True) if value is not MISSING}

    async def set_many(
        self, values: Mapping[Key, Any], expire: Expire = EXPIRE, *, tags: Iterable[str] = (), type: Any = None
    ) -> int:
        """Stores them in one write, up to a thousand or 4 MiB at a time; how many were kept."""
        usable_for, codec, names = parse_expire(expire), self._codec_for(type), _names(tags)
        payloads = [(key, codec.encode(value)) for key, value in values.items()]
        outcomes = await _gather.in_parts(
            payloads,
            lambda one: self._store(one[0], one[1], codec=codec.id, usable_for=usable_for, tags=names),
            size=lambda one: len(one[1]),
        )
        return sum(outcome.kind == "stored" for outcome in outcomes)

    async def get_or_load(
        self, key: Key, loader: Callable[[], Any], expire: ExpireOption = EXPIRE, *,
        tags: Iterable[str] | Callable[[Any], Iterable[str]] = (), version: Version = None, fresh: Fresh = None,
        early: float = EARLY, type: Any = None,
    ) -> Any:  # fmt: skip
        """The value, or what `loader` (plain or async) returns, which is stored. However many call at once, one load runs.

        `expire` may be a function of the result; 0 or less from it: do not store. `version` too: what was loaded is not stored while an
        invalidation that named a newer one is remembered. `tags` too, where they are known from the result alone. `fresh`: as of `get`; a
        load that began longer ago is not joined. `early`: how eagerly one caller among all processes loads it anew before it expires, while
        it goes on being served (0: not at all).
        """
        if not callable(loader):
            raise TypeError(f"loader: expected a function without arguments, not {loader.__class__.__name__}")
        if not callable(version):
            version_of_result(version)
        life = parse_expire_option(expire)
        codec, beta = self._codec_for(type), parse_early(early)
        own: list[Any] = []

        async def load() -> Loaded:
            value = loader()
            own[:] = [await value if inspect.isawaitable(value) else value]
            try:
                payload = codec.encode(own[0])
            except NotCacheable:
                if self._strict:
                    raise
                return Loaded("uncacheable")
            usable_for = expire_of_result(life(own[0])) if callable(life) else life
            if usable_for == 0:
                return Loaded("answer_only", payload, codec.id)
            nothing = own[0] is None  # it has no version, and nothing to be named after
            number = version_of_result(None if nothing else version(own[0])) if callable(version) else version
            of_result = tags_of_result(tags(own[0])) if callable(tags) and not nothing else ()
            return Loaded("value", payload, codec.id, usable_for, version=number, tags=of_result)

        names, late = () if callable(tags) else _names(tags), callable(tags)
        begin = functools.partial(self._get_or_load, key, load, tags=names, tags_of_result=late)
        outcome = await begin(fresh=fresh, early=beta)
        if outcome.kind == "hit" and outcome.refresh_wanted and not outcome.stale:
            _early.begin(key, begin(skip_value=True, behind=True, early=beta))
        if outcome.kind == "hit" and outcome.stale:
            outcome = await begin(skip_value=True)
        if outcome.led and own:
            return own[0]
        if outcome.kind in ("hit", "loaded"):
            value = self._decoded(key, outcome, codec)
            if value is not MISSING:
                return value
        value = loader()
        return await value if inspect.isawaitable(value) else value

    # Invalidation

    async def invalidate(
        self, *keys: Key, tags: Iterable[str] = (), version: int | None = None, strict: bool = False
    ) -> Invalidation:
        """Keys, and everything that carries one of the tags, in one round trip however many they are.

        `version`: what of the keys is newer stays, and for a minute nothing older is stored by who names a version too. `strict`: raises
        Unavailable if it is only pending; it is then kept and sent all the same.
        """
        names = _names(tags)
        if version is not None and names and not keys:
            raise ValueError(
                "version: it says what of the keys may stay, and no key is given; tags take all that carry them"
            )
        return self._invalidation(await self._invalidate(keys, names, version=version), strict)

    async def clear(self, *, strict: bool = False) -> Invalidation:
        """Everything in this namespace, in every process."""
        return self._invalidation(await self._clear(), strict)

    def writing(
        self, *, keys: Iterable[Key] = (), tags: Iterable[str] = (), strict: bool = True, wait: bool = False
    ) -> Writing:
        """`async with cache.writing(keys=["user:42"]): await session.commit()`: from before the commit until after it nothing that was
        loaded before it is stored in any process; the end invalidates, also after a rollback or a cancellation.

        `strict`: raises Unavailable before the block when Redis is away; False: goes on, and the invalidation is pending. `wait`: the block
        begins when no process serves from its memory what it had before (`staleness` later). In a thread without a loop: `with`.
        """
        return Writing(self, keys, tags, strict=strict, wait=wait)

    def token(self) -> str:
        """A text for readers in other processes: `get(…, fresh=token)` sees every write of this process that was confirmed by now.

        It says so for a minute, and later nothing. What begins with `t1.` and is no such token of this namespace says nothing either, and
        is no error; for what may be any text, a cookie or a header, see `fresh_of`.
        """
        return _fresh.issue(self._settings.namespace)

    def fresh_of(self, text: str | None) -> Literal["now"] | None:
        """What a text from outside is worth as `fresh=`: "now" if it is a token of this namespace and of the last minute."""
        return "now" if _fresh.accepts(text, self._settings.namespace) else None

    # Looking in

    def stats(self) -> Stats:
        """Counters, latencies, memory and the state of Redis; see `tiercel._stats.Stats`. From any thread."""
        return stats_of(self._stats(), self._settings.address)

    async def explain(self, key: Key) -> Explanation:
        """Why a reader of the key gets what he gets: what memory knows of it, what stands in Redis, and what comes of that, in words.

        For people: it asks Redis several times, over the connection of `client`, and counts nothing. See `tiercel._explain.Explanation`.
        """
        from tiercel._explain import explain

        return await explain(self, key)

    @property
    def client(self) -> Client:
        """Raw commands. Only after `connect()`, and not on memory://."""
        if not self._connected or self._settings.in_memory:
            raise RuntimeError("Redis not connected")
        from tiercel._client import Client

        return Client(self)

    def __repr__(self) -> str:
        if self._resolved is None:
            return f"<{type(self).__name__}, not used yet>"
        return f"<{type(self).__name__} {self._resolved.address} namespace={self._resolved.namespace!r}>"

    # Functions and tests

    def cached(
        self,
        prefix: str | None = None,
        expire: ExpireOption = EXPIRE,
        key_builder: Callable[..., object] | None = None,
        **options: Unpack[CachedOptions],
    ) -> CachedDecorator:
        """The decorator; see tiercel._cached."""
        from tiercel._cached import cached

        return cached(self, prefix, expire, key_builder, **options)

    def testing(self, **options: Any) -> Any:
        """`with cache.testing() as t:` a fresh store in this process, strict, whose time can be moved on."""
        from tiercel._testing import testing

        return testing(self, **options)

    # For the other modules of the package (and see _core.pyi)

    @property
    def _settings(self) -> Settings:
        return self._resolved if self._resolved is not None else self._resolve()

    @property
    def _strict(self) -> bool:
        return self._settings.strict

    def _get_or_load(
        self, key: Key, load: Callable[[], Awaitable[Loaded]], *, tags: Sequence[str] = (), skip_value: bool = False,
        behind: bool = False, fresh: Fresh = None, early: float = 0, tags_of_result: bool = False,
    ) -> Awaitable[_core.Outcome]:  # fmt: skip
        return self._load(
            key, load, tags=tags, skip_value=skip_value, behind=behind, fresh=fresh, early=early,
            tags_of_result=tags_of_result,
        )  # fmt: skip

    async def _set(
        self, key: Key, value: Any, expire: Expire, *, tags: Iterable[str], version: int | None, type: Any
    ) -> _core.Outcome:
        usable_for = parse_expire(expire)
        codec = self._codec_for(type)
        return await self._store(
            key, codec.encode(value), codec=codec.id, usable_for=usable_for, tags=_names(tags), version=version
        )

    def _invalidation(self, outcome: _core.Outcome, strict: bool = False) -> Invalidation:
        if is_confirmed(outcome):
            return Invalidation(True, self.token())
        if strict:
            raise Unavailable(f"the invalidation is pending: {outcome.error}")
        return Invalidation.PENDING

    def _parse_fresh(self, given: Any) -> float | None:
        """Called by native code for what is neither None, "now" nor a float."""
        return _fresh.parse_fresh(given, self._settings.namespace)

    def _codec_for(self, wanted: Any) -> Codec:
        if wanted is None:
            return self._codecs
        try:
            return self._typed[wanted]
        except (KeyError, TypeError):  # an annotation need not be hashable
            codec = codec_for(wanted)
        with suppress(TypeError):
            self._typed[wanted] = codec
        return codec

    def _decoded(self, key: Key, outcome: _core.Outcome, codec: Codec) -> Any:
        """MISSING: of another codec, or damaged, which is counted."""
        if outcome.payload is None or outcome.codec != codec.id:
            return MISSING
        try:
            return codec.decode(outcome.payload)
        except Exception:
            self._count_decode_failure()
            self._forget(key)
            return MISSING

    def _resolve(self) -> Settings:
        url, keywords = self._given
        self._use(Settings.resolve(url, keywords, configured=configured if url is None else None))
        assert self._resolved is not None
        return self._resolved

    def _use(self, settings: Settings) -> None:
        self._resolved = settings
        self._enabled = settings.enabled

    def _begin(self) -> None:
        """Called at the first operation, and at the first in a forked child, whose parent keeps its engine."""
        with _beginning:
            if self._alive:
                return  # another thread was faster
            if self._driver is not None:
                self._abandon()
            self._attach(Driver(self._settings))

    def _require_driver(self) -> Driver:
        if not self._alive:
            self._begin()
        return self._driver  # type: ignore[return-value]

    def _exchange(self, settings: Settings) -> Callable[[], None]:
        """For testing(): other settings and a store of their own, until the function returned is called."""
        before, driver, connected = self._resolved, self._driver if self._alive else None, self._connected
        self._attach(None)
        self._use(settings)

        def restore() -> None:
            self._attach(driver)
            self._connected = connected
            self._resolved = before
            if before is not None:
                self._use(before)
            else:
                self._enabled = True

        return restore


_beginning = threading.Lock()  # over the first operations of threads that begin at once


def _renew_lock() -> None:
    """In a forked child: whoever held the lock does not live here."""
    global _beginning
    _beginning = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def _names(tags: Iterable[str]) -> tuple[str, ...]:
    return listed(tags, "tags", "str")


def _check_policies(app: object) -> None:
    """Policies beside routes that no middleware follows are an error at start-up. Without tiercel.fastapi there are none."""
    fastapi_part = sys.modules.get("tiercel.fastapi")
    if fastapi_part is not None:
        fastapi_part.check_app(app)


class RedisCache(Cache):
    """The first user's name for it. `RedisCache()` finds its URL like the module-level cache."""
