"""Owns: decorated functions as type checkers see them. At run time they are all _core.CachedFunction and its bound object.

Nothing here is looked at when a program runs; the classes exist so that every method takes the function's own parameters: without
`self` where Python has bound it, and where it is asked through the class.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    from tiercel._invalidation import Invalidation

    class CachedOptions(TypedDict, total=False):
        """The keywords of `cached`; see tiercel._cached.cached."""

        key: str | None
        exclude: Iterable[str]
        tags: Iterable[str] | Callable[[Any], Iterable[str]]
        jitter: float | str | timedelta | None
        stale: float | str | timedelta | None
        early: float
        soft_timeout: float | str | timedelta | None
        hard_timeout: float | str | timedelta | None
        condition: Callable[[Any], object] | None
        version: Callable[[Any], int | None] | None


P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


class _Named(Protocol):
    __name__: str
    __qualname__: str
    __module__: str


class BoundCachedFunction(_Named, Protocol[P, R_co]):
    """An `async def` function, cached: called as itself, and asked by its own arguments."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]: ...
    def key(self, *args: P.args, **kwargs: P.kwargs) -> str: ...
    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Invalidation]: ...
    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]: ...
    def uncached(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]: ...
    @property
    def function(self) -> Callable[P, Coroutine[Any, Any, R_co]]: ...
    @property
    def __wrapped__(self) -> Callable[P, Coroutine[Any, Any, R_co]]: ...


class CachedMethod(_Named, Protocol[S_contra, P, R_co]):
    """`UserService.get_by_id`: called with an instance; `key` and `invalidate` need none."""

    def __call__(self, instance: S_contra, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]: ...
    def key(self, *args: P.args, **kwargs: P.kwargs) -> str: ...
    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Invalidation]: ...
    def refresh(self, instance: S_contra, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]: ...
    def uncached(self, instance: S_contra, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]: ...


class CachedFunction(BoundCachedFunction[P, R_co], Protocol[P, R_co]):
    """The same in a class body: by __get__ a method."""

    @overload
    def __get__(
        self: CachedFunction[Concatenate[S, Q], R], instance: None, owner: type[S]
    ) -> CachedMethod[S, Q, R]: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> BoundCachedFunction[Q, R]: ...


class LeftInvalidation(Protocol):
    """True: confirmed. On the thread of a running loop it may be awaited."""

    def __bool__(self) -> bool: ...
    def __await__(self) -> Generator[Any, None, Invalidation]: ...


class BoundCachedNow(_Named, Protocol[P, R_co]):
    """A `def` function, cached: nothing of it is awaited."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def key(self, *args: P.args, **kwargs: P.kwargs) -> str: ...
    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Invalidation | LeftInvalidation: ...
    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def uncached(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @property
    def function(self) -> Callable[P, R_co]: ...
    @property
    def __wrapped__(self) -> Callable[P, R_co]: ...


class CachedMethodNow(_Named, Protocol[S_contra, P, R_co]):
    def __call__(self, instance: S_contra, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def key(self, *args: P.args, **kwargs: P.kwargs) -> str: ...
    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Invalidation | LeftInvalidation: ...
    def refresh(self, instance: S_contra, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def uncached(self, instance: S_contra, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class CachedNow(BoundCachedNow[P, R_co], Protocol[P, R_co]):
    @overload
    def __get__(self: CachedNow[Concatenate[S, Q], R], instance: None, owner: type[S]) -> CachedMethodNow[S, Q, R]: ...
    @overload
    def __get__(
        self: CachedNow[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> BoundCachedNow[Q, R]: ...


class CachedDecorator(Protocol):
    """What `cached(…)` returns."""

    # The order decides: a coroutine function is a function too.
    @overload
    def __call__(self, function: staticmethod[P, R], /) -> staticmethod[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, function: classmethod[S, P, R], /) -> classmethod[S, P, R]: ...
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> CachedFunction[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, function: Callable[P, R], /) -> CachedNow[P, R]: ...
