"""Owns: the exceptions of Tiercel.

Redis being away is not among what a request sees, unless it asks to: only `cache.client`, `writing()`, `strict=True` and
`connect()` raise `Unavailable` and its neighbours. What the programmer did wrong is a `ValueError` or `TypeError` as well, so
callers need not know this tree.
"""

from __future__ import annotations

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "DecodeError",
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


class DecodeError(TiercelError, ValueError):
    """Stored bytes that are not a value of this codec. Readers treat it as a miss."""
