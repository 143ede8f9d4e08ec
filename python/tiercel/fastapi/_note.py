"""Owns: the note that the middleware leaves in the scope and that dependencies beside the route write on.

It is one object, so what is written on it is seen even when a middleware in between has copied the scope.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tiercel._cache import Cache
    from tiercel.fastapi._policy import Policy

__all__ = ["NOTE", "Note", "notes_of"]

NOTE: Final = "tiercel.http"


class Note:
    __slots__ = (
        "cache",
        "cache_control",
        "captured",
        "depth",
        "invalidates",
        "outer",
        "policy",
        "tags",
        "wants_stamps",
    )

    def __init__(self, cache: Cache, *, wants_stamps: bool, outer: Note | None) -> None:
        self.cache = cache
        self.wants_stamps = (
            wants_stamps  # the answer may be stored: take the stamps of the policy's tags before the endpoint runs
        )
        self.outer = outer  # of a middleware further out
        self.depth: int = 1 + (outer.depth if outer is not None else 0)  # 1: the outermost
        self.policy: Policy | None = None
        self.tags: tuple[str, ...] = ()
        self.captured: Any = None
        self.invalidates: list[str] = []
        self.cache_control: str | None = None


def notes_of(scope: MutableMapping[str, Any]) -> Iterator[Note]:
    """Those of all middlewares around this request, the innermost first."""
    note = scope.get(NOTE)
    while isinstance(note, Note):
        yield note
        note = note.outer
