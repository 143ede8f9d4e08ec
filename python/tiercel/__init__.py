"""Tiercel: a cache in the process over one in Redis or Valkey, for web services. See README.md."""

from tiercel._cache import Cache, RedisCache
from tiercel._codec import codec
from tiercel._core import escape
from tiercel._errors import (
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    LoadCycle,
    NotCacheable,
    ServerTooOld,
    TiercelError,
    Unavailable,
)
from tiercel._invalidator import CacheInvalidator
from tiercel._module import cache, cached, configure
from tiercel._types import MISSING, Pattern, Tag

__all__ = [
    "MISSING",
    "AuthenticationError",
    "Cache",
    "CacheInvalidator",
    "ConfigurationError",
    "DecodeError",
    "LoadCycle",
    "NotCacheable",
    "Pattern",
    "RedisCache",
    "ServerTooOld",
    "Tag",
    "TiercelError",
    "Unavailable",
    "cache",
    "cached",
    "codec",
    "configure",
    "escape",
]
