"""Owns: the exceptions of Tiercel.

Redis being away is not among what a request sees, unless it asks to: only `cache.client`, `writing()`, `strict=True` and
`connect()` raise `Unavailable` and its neighbours. What the programmer did wrong is a `ValueError` or `TypeError` as well, so
callers need not know this tree.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "DecodeError",
    "LoadCycle",
    "NotCacheable",
    "ServerTooOld",
    "TiercelError",
    "Unavailable",
]


class TiercelError(Exception):
    """The root of everything Tiercel raises by itself."""


class Unavailable(TiercelError):
    """Redis is away or did not answer in time. Raised by `cache.client`, by `writing()` before its block, and by `strict=True`."""


class AuthenticationError(TiercelError):
    """Redis rejected the user name or the password. Raised by `connect()`: it needs the operator."""


class ServerTooOld(TiercelError):
    """The server lacks what Tiercel needs: RESP3 and Redis 6.2 or Valkey."""


class ConfigurationError(TiercelError, ValueError):
    """A setting that cannot be meant. The message names the setting and where it came from, never a password."""


class NotCacheable(TiercelError, TypeError):
    """A value that would not come out of the cache as it went in. The message names the field."""


class LoadCycle(TiercelError, RuntimeError):
    """A loader asked, by its chain of calls, for the key that it is loading. The message names the keys on the way."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        told = " -> ".join(repr(key)[:100] for key in self.keys)
        super().__init__(
            f"a cycle of loads: {told}. A loader must not ask the cache for what it is loading, not by what it calls either; "
            "read that from its source"
        )

    def __reduce__(self) -> tuple[type[LoadCycle], tuple[tuple[str, ...]]]:
        return type(self), (self.keys,)


class DecodeError(TiercelError, ValueError):
    """Stored bytes that are not a value of this codec. Readers treat it as a miss."""
