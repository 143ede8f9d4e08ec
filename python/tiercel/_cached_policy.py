"""Owns: what decorated functions have in common beyond an L1 hit: options, how long a result lives, what its bytes are, its tags.

_cached_read.py goes on from here for `async def` functions, _cached_now.py for `def` functions.
"""

from __future__ import annotations

import inspect
import logging
import random
import sys
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tiercel import _codec
from tiercel._cached_plan import Planner, takes_receiver
from tiercel._cached_template import RESULT, Template
from tiercel._early import EARLY
from tiercel._errors import NotCacheable
from tiercel._expiry import expire_of_result
from tiercel._types import MISSING, Loaded, tags_of_result, version_of_result

if TYPE_CHECKING:
    from tiercel import _core
    from tiercel._cache import Cache

log = logging.getLogger("tiercel")

VERIFY_ONE_IN: Final = 1000


@dataclass(frozen=True)
class Options:
    """Checked. Times are seconds; `jitter` is a fraction of the expiry, or seconds when `jitter_is_time`."""

    expire: float | Callable[[Any], Any] | None
    tags: tuple[Template, ...] = ()  # of the arguments
    tags_of_result: tuple[Template, ...] | Callable[[Any], Iterable[str]] = ()
    jitter: float = 0.0
    jitter_is_time: bool = False
    stale: float | None = None
    early: float = EARLY
    soft_timeout: float | None = None
    hard_timeout: float | None = None
    condition: Callable[[Any], object] | None = None
    version: Callable[[Any], int | None] | None = None


class Policy:
    """Native code calls complete, misfit, owner, belongs_to, is_receiver and plain; the subclasses have read or read_now, refresh and
    invalidate."""

    cached: _core.CachedFunction

    def __init__(self, function: Callable[..., Any], cache: Cache, planner: Planner, options: Options) -> None:
        self.function, self.cache, self.planner, self.options = function, cache, planner, options
        self.name = planner.name
        self.codec: Any = _codec.UNTYPED
        self.dice: Callable[[], float] = random.random
        self.given_up = False
        self._planned = planner.complete
        self._built: dict[str, Any] = {}
        self._owners: list[weakref.ref[type]] = []  # whose method it is: several where a decorator makes the class anew
        self._stores = 0
        self.late = bool(options.tags_of_result)  # tags come with the result
        self._refusals_logged = False

    # What native code asks

    def complete(self) -> None:
        """Before the first look-up: what could not be resolved at decoration, and the codec, which may take a while to build.

        First calls may meet here in several threads. Each builds, because no lock is held across users' code; all take the codec that
        was built first, so that an entry's bytes and the codec's number always belong together.
        """
        if not self._planned:
            self.planner.resolve()
            self.planner.check()
            self.cached._set_plan(self.planner.plan())
            self._planned = True
        annotation = self.planner.annotation("return")
        built = _codec.UNTYPED if annotation is inspect.Signature.empty else _codec.codec_for(annotation)
        self.codec = self._built.setdefault("codec", built)  # one step under the GIL
        self.cached._set_codec(self.codec)

    def misfit(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None, receiver_left_out: int) -> None:
        """Arguments that do not fit, in inspect's words."""
        signature = self.planner.signature
        if receiver_left_out:
            signature = signature.replace(parameters=list(signature.parameters.values())[1:])
        try:
            signature.bind(*args, **kwargs or {})
        except TypeError as error:
            raise TypeError(f"{self.name}.{method}(): {error}") from None
        raise TypeError(f"{self.name}.{method}(): the arguments do not fit {signature}")

    def owner(self) -> type | None:
        """The class of a classmethod, by its qualified name: for what is called through the class where Python does not bind it."""
        if next(iter(self.planner.signature.parameters), None) != "cls":
            return None
        found: Any = sys.modules.get(self.function.__module__)
        for name in self.name.split(".")[:-1]:
            found = getattr(found, name, None)
        return found if isinstance(found, type) else None

    def belongs_to(self, owner: type) -> bool:
        """Whether it is a method of the class that names it: written in its body, not made elsewhere and only named there too."""
        written_in, _, _ = getattr(self.function, "__qualname__", "").rpartition(".")
        here = written_in == owner.__qualname__ and getattr(self.function, "__module__", None) == owner.__module__
        if here:
            self._owners.append(weakref.ref(owner))
        return here and takes_receiver(self.planner.parameters)

    def is_receiver(self, first: object) -> bool:
        return any(isinstance(first, owner) for owner in (ref() for ref in self._owners) if owner is not None)

    # A result

    def tags(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> tuple[str, ...]:
        if not self.options.tags:
            return ()
        arguments = self.cached._bound(args, kwargs)
        return tuple(template.fill(arguments) for template in self.options.tags)

    def loaded(self, value: Any) -> Loaded:
        """A fresh result as the engine takes it."""
        try:
            payload = self._payload(value)
        except NotCacheable as refusal:
            return self._refused(value, refusal)
        life = self._life(value)
        if life is MISSING:
            return Loaded("answer_only", payload, self.codec.id)
        version, tags = self._version(value), self._tags_of_result(value)
        if life is None or self.options.stale is None:
            return Loaded("value", payload, self.codec.id, life, version=version, tags=tags)
        return Loaded("value", payload, self.codec.id, life + self.options.stale, life, version, tags)

    def decoded(self, key: str, outcome: _core.Outcome) -> Any:
        """MISSING: of another codec, or it does not decode, which is counted."""
        if outcome.payload is None or outcome.codec != self.codec.id:
            return MISSING
        try:
            return self.codec.decode(outcome.payload)
        except Exception:
            self.cached._count_failure(True)
            self.cache._forget(key)
            return MISSING

    def _payload(self, value: Any) -> bytes:
        unfit = _never_cacheable(value)
        if unfit is not None:
            self._give_up()
            raise NotCacheable(
                f"{self.name}() returned {unfit}, which cannot be cached: return what it yields or holds"
            )
        payload: bytes = self.codec.encode(value)
        if self._stores % VERIFY_ONE_IN == 0:
            try:
                _codec.verify(self.codec, value, payload)
            except NotCacheable:
                self._give_up()
                raise
        self._stores += 1
        return payload

    def _give_up(self) -> None:
        """Results like this would come out changed: from now on every call goes straight to the function."""
        if not self.cache._strict:
            self.given_up = True
            self.cached._give_up()

    def _refused(self, value: Any, refusal: NotCacheable) -> Loaded:
        if self.options.condition is not None and not self.given_up and not self.options.condition(value):
            return Loaded("uncacheable")  # it was not to be stored anyway
        if self.cache._strict:
            raise refusal
        self.cached._count_failure(False)
        if not self._refusals_logged:
            self._refusals_logged = True
            stays = "The function stays uncached." if self.given_up else "Results like this are not cached."
            log.error("%s(): %s %s (Said once.)", self.name, refusal, stays)
        return Loaded("uncacheable")

    def _tags_of_result(self, value: Any) -> tuple[str, ...]:
        asked = self.options.tags_of_result
        if value is None:
            return ()  # there is nothing to name
        if callable(asked):
            return tags_of_result(asked(value), f"{self.name}(): tags")
        named = (template.fill({RESULT: value}) for template in asked)
        return tags_of_result(named, f"{self.name}(): tags")

    def _version(self, value: Any) -> int | None:
        if self.options.version is None or value is None:
            return None
        return version_of_result(self.options.version(value), f"{self.name}(): version")

    def _life(self, value: Any) -> Any:
        """Seconds it is fresh; None: no expiry; MISSING: it is not to be stored."""
        options = self.options
        if options.condition is not None and not options.condition(value):
            return MISSING
        seconds = (
            expire_of_result(options.expire(value), f"{self.name}(): expire")
            if callable(options.expire)
            else options.expire
        )
        if seconds is None:
            return None
        if seconds <= 0:
            return MISSING
        spread = options.jitter if options.jitter_is_time else options.jitter * seconds
        return max(seconds - spread * self.dice(), min(seconds, 0.001))


def _never_cacheable(value: Any) -> str | None:
    if inspect.iscoroutine(value) or inspect.isawaitable(value):
        return f"a {type(value).__name__} that nobody awaited"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return f"a {type(value).__name__}"
    responses = sys.modules.get("starlette.responses")
    if responses is not None and isinstance(value, responses.Response):
        return f"a {type(value).__name__} (responses are cached by ResponseCacheMiddleware)"
    return None
