"""Owns: how old an answer may be, as readers say it: seconds, a time, "now", or a token that a write gave.

A token is `t1.<namespace>.<expiry>`: 16 hex digits of a digest of the namespace, and seconds since the Unix epoch. It holds no
secret and proves nothing: who makes one up can at most have a read ask Redis instead of memory.
"""

from __future__ import annotations

import functools
import hashlib
import re
import time
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias

from tiercel._expiry import seconds_of

__all__ = ["Fresh", "accepts", "issue", "parse_fresh"]

Fresh: TypeAlias = float | timedelta | str | Literal["now"] | None

TOKEN_SECONDS: Final = 60  # how long a token says anything
_CLOCKS_DIFFER: Final = 540  # seconds that another machine's clock may be ahead; what lies further on was made up
_TOKEN_CHARACTERS_MAX: Final = 32
_TOKEN: Final = re.compile(r"t1\.([0-9a-f]{16})\.([0-9]{1,12})", re.ASCII)


def issue(namespace: str) -> str:
    """What a reader needs to see all that was confirmed before."""
    return f"t1.{_digest(namespace)}.{int(time.time()) + TOKEN_SECONDS}"


def accepts(text: object, namespace: str) -> bool:
    """Whether it is a token of this namespace that has not expired. Any text from outside may come here."""
    if not isinstance(text, str) or len(text) > _TOKEN_CHARACTERS_MAX:
        return False
    parts = _TOKEN.fullmatch(text)
    if parts is None or parts[1] != _digest(namespace):
        return False
    return 0 < int(parts[2]) - time.time() <= TOKEN_SECONDS + _CLOCKS_DIFFER


def parse_fresh(given: Any, namespace: str) -> float | None:
    """Seconds of 0 or more; None: no more than the cache promises anyway. What only begins like a token is no token, and no error."""
    if isinstance(given, str):
        if given.startswith("t1."):
            return 0.0 if accepts(given, namespace) else None
        if given == "now":
            return 0.0
    try:
        seconds = seconds_of(given, "fresh")
    except (TypeError, ValueError):
        seconds = -1.0
    if seconds >= 0:
        return seconds
    raise ValueError(
        'fresh: expected "now", seconds of 0 or more, a timedelta, a text such as "500ms", or a token of this cache, '
        f"not {given!r:.100}"
    )


@functools.lru_cache(maxsize=64)
def _digest(namespace: str) -> str:
    return hashlib.blake2s(namespace.encode(), digest_size=8, person=b"tiercel").hexdigest()
