"""Owns: reading one setting's value, from an argument or an environment variable alike. Every refusal starts with the
name it was given under.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from tiercel._errors import ConfigurationError
from tiercel._expiry import parse_duration

NAMESPACE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
SIZE_MAX: Final = 1 << 46  # 64 TiB
COUNT_MAX: Final = 1 << 31
SECRET_BYTES_MIN: Final = 16
_SIZE: Final = re.compile(r"\s*([0-9]{1,20}(?:\.[0-9]{1,9})?)\s*([A-Za-z]*)\s*", re.ASCII)
_SIZES: Final[Mapping[str, int]] = {
    "": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40,
    "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
}  # fmt: skip
_FLAGS: Final[Mapping[str, bool]] = {
    "1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False,
}  # fmt: skip


def text(value: object, name: str) -> str:
    """Any text. Never shown: user name and password come this way."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a str, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name}: it has lone surrogates and is not text in UTF-8") from None
    return value


def namespace(value: object, name: str) -> str:
    shown = text(value, name)
    if NAMESPACE.fullmatch(shown) is None:
        raise ConfigurationError(f"{name}: {_short(shown)} is not 1 to 64 of the characters A-Z a-z 0-9 _ . -")
    return shown


def client_name(value: object, name: str) -> str | None:
    """As CLIENT SETNAME takes it: printable ASCII without spaces."""
    if value is None:
        return None
    shown = text(value, name)
    if not shown or len(shown) > 128 or not all("!" <= character <= "~" for character in shown):
        raise ConfigurationError(f"{name}: {_short(shown)} is not 1 to 128 printable ASCII characters without spaces")
    return shown


def size(value: object, name: str, *, least: int, most: int = SIZE_MAX) -> int:
    """Bytes: a number, or a text such as "64MiB" (KiB MiB GiB TiB; KB MB GB TB are powers of ten; K M G T those of
    two).
    """
    if isinstance(value, str):
        parts = _SIZE.fullmatch(value)
        if parts is None or parts[2].lower() not in _SIZES:
            raise ConfigurationError(f'{name}: {_short(value)} is not a size; write bytes, or a text such as "64MiB"')
        number = float(parts[1]) * _SIZES[parts[2].lower()]
        value = math.floor(number) if "." in parts[1] else int(parts[1]) * _SIZES[parts[2].lower()]
    return _whole(value, name, least, most)


def count(value: object, name: str, *, least: int, most: int = COUNT_MAX) -> int:
    if isinstance(value, str):
        digits = value.strip()
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
            raise ConfigurationError(f"{name}: {_short(value)} is not a whole number")
        value = int(digits)
    return _whole(value, name, least, most)


def time(value: object, name: str) -> float:
    """Seconds above zero. A ValueError whoever asks, as all settings."""
    if not isinstance(value, (int, float, str, timedelta)):
        raise TypeError(f"{name}: expected a time, not {type(value).__name__}")
    try:
        return parse_duration(value, name)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def time_or_none(value: object, name: str) -> float | None:
    return None if value is None else time(value, name)


def flag(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return value
    known = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None and value in (0, 1) and isinstance(value, int):
        return bool(value)
    if known is None:
        raise ConfigurationError(f"{name}: {_short(value)} is neither true nor false; write 1 or 0")
    return known


def choice(value: object, name: str, *, among: tuple[str, ...]) -> str:
    shown = text(value, name).strip().lower()
    if shown not in among:
        raise ConfigurationError(f"{name}: {_short(value)} is not {' or '.join(map(repr, among))}")
    return shown


def file(value: object, name: str) -> str | None:
    """A file that can be read now: a wrong path is told at construction, not at the first connection."""
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name}: expected a path, not {type(value).__name__}")
    path = os.fsdecode(value)
    try:
        with open(path, "rb"):
            return path
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigurationError(f"{name}: {_short(path)} cannot be read: {why}") from None


def secret(value: object, name: str) -> bytes | None:
    """A key for signatures. Its length is all that is ever said of it."""
    if value is None:
        return None
    if isinstance(value, str):
        value = text(value, name).encode()
    if not isinstance(value, bytes):
        raise TypeError(f"{name}: expected bytes or a str, not {type(value).__name__}")
    if len(value) < SECRET_BYTES_MIN:
        raise ConfigurationError(
            f"{name}: {len(value)} bytes are too short for a secret; take {SECRET_BYTES_MIN} or more"
        )
    return value


def _whole(value: object, name: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: expected a whole number, not {type(value).__name__}")
    if not least <= value <= most:
        raise ConfigurationError(f"{name}: {_short(value)} is not from {least} to {most}")
    return value


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number of that size"
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "…"
