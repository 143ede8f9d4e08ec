"""Owns: the decorator: what may be said when a function is cached, checked where it is said.

A decorated function is native (_core.CachedFunction: python/bindings/cached_function.hpp); its hits make no Python frame of ours.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from tiercel import _core
from tiercel._cached_now import ReadNow
from tiercel._cached_plan import Planner, first_is_receiver, signature_of
from tiercel._cached_policy import Options, Policy
from tiercel._cached_read import ReadThrough
from tiercel._cached_template import RESULT, Template
from tiercel._early import EARLY, parse_early
from tiercel._expiry import parse_duration, parse_expire_option

if TYPE_CHECKING:
    from tiercel._cache import Cache
    from tiercel._cached_typing import CachedDecorator
    from tiercel._expiry import ExpireOption

T = TypeVar("T")

TAGS_MAX = 64  # kTagsMax in src/entry/key.hpp


def cached(
    cache: Cache,
    prefix: str | None = None,
    expire: ExpireOption = 3600,
    key_builder: Callable[..., object] | None = None,
    *,
    key: str | None = None,
    exclude: Iterable[str] = (),
    tags: Iterable[str] | Callable[[Any], Iterable[str]] = (),
    jitter: float | str | timedelta | None = None,
    stale: float | str | timedelta | None = None,
    early: float = EARLY,
    soft_timeout: float | str | timedelta | None = None,
    hard_timeout: float | str | timedelta | None = None,
    condition: Callable[[Any], object] | None = None,
    version: Callable[[Any], int | None] | None = None,
) -> CachedDecorator:
    """Caches what a function returns, under `prefix` and its arguments: docs/reference/keys.md.

    key_builder   called with the bound arguments; the key is f"{prefix}:{result}"
    key           a template, the whole key: "user:{user_id}"
    exclude       parameters that stay out of the key
    tags          templates too; cache.invalidate(tags=["user:42"]) drops all that carry one. Those known from the result alone:
                  "team:{result.team_id}", or a function of the result that names all of them
    jitter        how much sooner than `expire` it may expire, by chance: a fraction (0.1) or a time ("30s")
    stale         how long past its expiry a value may serve while it is refreshed, or when that fails
    early         how eagerly it is loaded anew before it expires, behind the answer to one caller among all processes: 1, so many loads'
                  lengths before that on average; 0 (default), not at all
    soft_timeout  how long a caller waits for the refresh before it takes the stale value (default: not at all)
    hard_timeout  how long a load may take; TimeoutError beyond
    condition     called with the result: store it?
    version       called with the result, unless that is None: its version. While an invalidation that named a newer one is remembered (a
                  minute), it is not stored
    """
    _check_naming(prefix, key, key_builder)
    templates = [] if callable(tags) else _as_list(tags, "tags", "user:{user_id}")
    names = _as_list(exclude, "exclude", "session")
    life = {
        "expire": parse_expire_option(expire),
        "stale": None if stale is None else parse_duration(stale, "stale"),
        "early": parse_early(early),
        "soft_timeout": None if soft_timeout is None else parse_duration(soft_timeout, "soft_timeout"),
        "hard_timeout": None if hard_timeout is None else parse_duration(hard_timeout, "hard_timeout"),
        "condition": _checked_condition(condition),
        "version": _checked_version(version),
        **_jitter(jitter),
    }
    _check_together(life)

    def decorate(function: Any) -> Any:
        if isinstance(function, staticmethod):
            return staticmethod(_make(function.__func__, is_method=False))
        if isinstance(function, classmethod):
            return CachedClassMethod(_make(function.__func__, is_method=True))
        return _make(function, is_method=None)

    def _make(function: Callable[..., Any], is_method: bool | None) -> Any:
        is_async = _checked_function(function)
        if not is_async and hard_timeout is not None:
            raise ValueError(
                f"hard_timeout: {_name(function)}() is a `def` function, which cannot be stopped; make it `async def`"
            )
        if is_method is None:
            is_method = first_is_receiver(function)
        planner = Planner(
            function, prefix=prefix, key=key, key_builder=key_builder, exclude=names, is_method=is_method,
        )  # fmt: skip
        planner.check()
        parameters = planner.signature.parameters
        options = Options(**_tags(tags, templates, parameters), **life)
        return _assemble(function, cache, planner, options, is_async)

    return decorate


def _tags(tags: Any, templates: list[Any], parameters: Iterable[str]) -> dict[str, Any]:
    """What the arguments tell, and what the result does."""
    if callable(tags):
        return {"tags_of_result": tags}
    of_result = [] if RESULT in parameters else [RESULT]
    parsed = [Template.parse(tag, [*parameters, *of_result], "tags") for tag in templates]
    late = [template for template in parsed if of_result and template.names(RESULT)]
    for template in late:
        others = {part.parameter for part in template.parts} - {None, RESULT}
        if others:
            raise ValueError(
                f"tags: {template.source!r} names {RESULT!r} and a parameter; give a function of the result"
            )
    return {"tags": tuple(template for template in parsed if template not in late), "tags_of_result": tuple(late)}


def _assemble(function: Callable[..., Any], cache: Cache, planner: Planner, options: Options, is_async: bool) -> Any:
    policy: Policy = (ReadThrough if is_async else ReadNow)(function, cache, planner, options)
    made: Any = _core.CachedFunction(
        function, cache, policy, planner.plan(), is_async, planner.is_method, options.early
    )
    policy.cached = made
    made.__dict__.update(getattr(function, "__dict__", {}))
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        if hasattr(function, name):
            made.__dict__[name] = getattr(function, name)
    made.__dict__["__wrapped__"] = function
    return made


class CachedClassMethod(classmethod):  # type: ignore[type-arg]
    """`@cached` over `@classmethod`: binds by the cached function's own __get__, which Python's since 3.13 does not."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self.__func__.__get__(type(instance) if owner is None else owner, owner)


def _check_naming(prefix: object, key: object, key_builder: object) -> None:
    if callable(prefix) and not isinstance(prefix, str):
        raise TypeError('prefix: expected a str; the decorator needs its parentheses: @cached(prefix="user")')
    if prefix is None and key is None:
        raise TypeError('prefix: missing; say what is cached: @cached(prefix="user")')
    for name, value in (("prefix", prefix), ("key", key)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name}: expected a str, not {type(value).__name__}")
        if value == "":
            raise ValueError(f"{name}: it is empty")
        if isinstance(value, str) and not _is_utf8(value):
            raise ValueError(f"{name}: {value!r} has lone surrogates and is not text in UTF-8")
    if key is not None and key_builder is not None:
        raise ValueError("key, key_builder: only one of them; both say what the key is")
    if key_builder is not None and not callable(key_builder):
        raise TypeError(f"key_builder: expected a function of the arguments, not {type(key_builder).__name__}")
    if inspect.iscoroutinefunction(key_builder):
        raise TypeError("key_builder: it is an async function; a key is made without waiting")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_list(values: object, option: str, example: str) -> list[Any]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f'{option}: expected a list such as ["{example}"], not {values!r}')
    listed = list(values)
    if option == "tags" and len(listed) > TAGS_MAX:
        listed = [value for at, value in enumerate(listed) if value not in listed[:at]]
    if option == "tags" and len(listed) > TAGS_MAX:
        raise ValueError(f"tags: {len(listed)} of them; an entry carries at most {TAGS_MAX}")
    return listed


def _checked_condition(condition: Callable[[Any], object] | None) -> Callable[[Any], object] | None:
    if condition is not None and not callable(condition):
        raise TypeError(f"condition: expected a function of the result, not {type(condition).__name__}")
    if inspect.iscoroutinefunction(condition):
        raise TypeError("condition: it is an async function; whether to store is decided without waiting")
    return condition


def _checked_version(version: Callable[[Any], int | None] | None) -> Callable[[Any], int | None] | None:
    if version is not None and not callable(version):
        raise TypeError(f"version: expected a function of the result, not {type(version).__name__}")
    if inspect.iscoroutinefunction(version):
        raise TypeError("version: it is an async function; what version a result has is told without waiting")
    return version


def _jitter(jitter: float | str | timedelta | None) -> dict[str, Any]:
    if jitter is None:
        return {}
    if isinstance(jitter, (str, timedelta)):
        return {"jitter": parse_duration(jitter, "jitter"), "jitter_is_time": True}
    if isinstance(jitter, bool) or not isinstance(jitter, (int, float)):
        raise TypeError(f'jitter: expected a fraction such as 0.1 or a time such as "30s", not {type(jitter).__name__}')
    if not 0 <= jitter <= 1:
        raise ValueError(f'jitter: {jitter!r} is not a fraction from 0 to 1; a time is written "30s"')
    return {"jitter": float(jitter)}


def _check_together(life: dict[str, Any]) -> None:
    if life["stale"] is not None and life["expire"] is None:
        raise ValueError("stale: with expire=None nothing ever becomes stale")
    if life["soft_timeout"] is not None and life["stale"] is None:
        raise ValueError("soft_timeout: it needs stale=, because past it the stale value is served")
    soft, hard = life["soft_timeout"], life["hard_timeout"]
    if soft is not None and hard is not None and soft > hard:
        raise ValueError("soft_timeout: it is longer than hard_timeout, so it would never count")


def _checked_function(function: Any) -> bool:
    """Whether it is async."""
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"cached: expected a function, not {function!r}")
    if isinstance(function, functools.partial):
        raise TypeError(
            f"cached: {function!r}: what a partial has bound would not stand in the key; cache {_name(function.func)}() itself, and "
            f"make the partial of what that gives"
        )
    if inspect.ismethod(function) and hasattr(type(function.__self__), "__cache_key__"):
        raise TypeError(
            f"cached: {function!r}: what __cache_key__() says would not stand in the key of a method that is bound already; decorate "
            f"{_name(function)}() in its class"
        )
    # An object's own __call__, for callables that are no functions.
    called = type(function).__call__
    if any(inspect.isasyncgenfunction(it) or inspect.isgeneratorfunction(it) for it in (function, called)):
        raise TypeError(
            f"cached: {_name(function)}() is a generator, whose items come one by one; return a list to cache it"
        )
    try:
        signature_of(function)
    except ValueError:
        raise TypeError(f"cached: {function!r} does not show its parameters; wrap it in a function that does") from None
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
