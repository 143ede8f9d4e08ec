"""Owns: how an invalidation ended, as callers see it: confirmed or pending, and the token that a confirmed one gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tiercel import _core


class Invalidation:
    """True in a condition if Redis has confirmed it.

    Otherwise it is pending: Redis is away, or did not answer in time; it holds in this process now, and is sent before Redis is used again.
    """

    __slots__ = ("confirmed", "token")

    CONFIRMED: ClassVar[Invalidation]  # to compare with
    PENDING: ClassVar[Invalidation]

    def __init__(self, confirmed: bool, token: str | None = None) -> None:
        self.confirmed = confirmed
        self.token = token  # for readers in other processes, see `Cache.token`; None while it is pending

    def __bool__(self) -> bool:
        return self.confirmed

    def __eq__(self, other: object) -> bool:
        return self.confirmed == other.confirmed if isinstance(other, Invalidation) else NotImplemented

    def __hash__(self) -> int:
        return hash((Invalidation, self.confirmed))

    def __repr__(self) -> str:
        return f"<Invalidation {'confirmed' if self.confirmed else 'pending'}>"


Invalidation.CONFIRMED = Invalidation(True)
Invalidation.PENDING = Invalidation(False)


def is_confirmed(outcome: _core.Outcome) -> bool:
    return outcome.kind == "invalidated"
