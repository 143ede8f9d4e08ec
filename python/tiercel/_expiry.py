"""Owns: how long, as users write it: seconds, "5m", "1h30m", a timedelta, None for no expiry, or a callable of the
result.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import timedelta
from numbers import Real
from typing import Any, Final, TypeAlias

__all__ = [
    "Expire",
    "ExpireOption",
    "expire_of_result",
    "parse_duration",
    "parse_expire",
    "parse_expire_option",
    "seconds_of",
]

Expire: TypeAlias = int | float | str | timedelta | None
ExpireOption: TypeAlias = Expire | Callable[[Any], Expire]

SECONDS_MIN: Final = 0.001  # Redis counts milliseconds
SECONDS_MAX: Final = 100 * 365.25 * 86_400.0  # microseconds of it, added to any clock, fit 63 bits

_UNITS: Final = {"w": 604_800.0, "d": 86_400.0, "h": 3_600.0, "min": 60.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([^\W\d_]+)\s*", re.ASCII)
_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]+(?:\.[0-9]+)?\s*", re.ASCII)
_FORMS: Final = 'seconds, a text such as "5m" or "1h30m" (units: ms s m min h d w), a timedelta'


def parse_expire(value: Expire, argument: str = "expire") -> float | None:
    """Seconds; None for no expiry. Zero, negative, NaN, beyond a hundred years or of an unknown unit: ValueError."""
    if value is None:
        return None
    return parse_duration(value, argument, advice="None means no expiry")


def parse_expire_option(value: ExpireOption, argument: str = "expire") -> float | Callable[[Any], Expire] | None:
    """The same for options that also take a callable of the result: callables pass through unchanged."""
    if callable(value):
        return value
    return parse_expire(value, argument)


def expire_of_result(value: Expire, argument: str = "expire") -> float | None:
    """What a callable of the result answered. 0.0: do not store (it answered 0 or less); None: no expiry."""
    if value is None:
        return None
    seconds = seconds_of(value, argument)
    if seconds <= 0:
        return 0.0
    return _bounded(seconds, value, argument, "None means no expiry")


def parse_duration(value: float | str | timedelta, argument: str, *, advice: str = "") -> float:
    """Seconds above zero, for expiry and for every setting that is a time."""
    seconds = seconds_of(value, argument)
    if seconds <= 0:
        raise ValueError(_say(f"{argument}: {_short(value)} is not above zero", advice))
    return _bounded(seconds, value, argument, advice)


def seconds_of(value: object, argument: str) -> float:
    """Of any sign; NaN and what is no time: ValueError or TypeError."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return _seconds_of_text(value, argument)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{argument}: expected {_FORMS}, not {type(value).__name__}")
    try:
        seconds = float(value)
    except OverflowError:  # an int or a fraction of hundreds of digits
        seconds = math.inf if value > 0 else -math.inf  # type: ignore[operator]
    if math.isnan(seconds):
        raise ValueError(f"{argument}: NaN is not a time")
    return seconds


def _seconds_of_text(text: str, argument: str) -> float:
    if len(text) > 64:
        raise ValueError(f"{argument}: a text of {len(text)} characters is not a time; write {_FORMS}")
    if _NUMBER.fullmatch(text):
        return float(text)
    seconds, position, unit_before = 0.0, 0, math.inf
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            raise ValueError(f"{argument}: {text!r} is not a time; write {_FORMS}")
        unit = _UNITS.get(part[2])
        if unit is None:
            raise ValueError(f"{argument}: unknown unit {part[2]!r} in {text!r}; the units are ms s m min h d w")
        if unit >= unit_before:  # "1h1h" and "5s1h" are slips of the pen
            raise ValueError(f"{argument}: in {text!r} the units do not go from large to small")
        seconds, position, unit_before = seconds + float(part[1]) * unit, part.end(), unit
    if position == 0:
        raise ValueError(f"{argument}: an empty text is not a time; write {_FORMS}")
    return seconds


def _bounded(seconds: float, value: object, argument: str, advice: str) -> float:
    if seconds < SECONDS_MIN:
        raise ValueError(f"{argument}: {value!r} is less than a millisecond")
    if seconds > SECONDS_MAX:
        raise ValueError(_say(f"{argument}: {_short(value)} is more than a hundred years", advice))
    return seconds


def _short(value: object) -> str:
    # Python refuses to print integers of more than 4,300 digits.
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number of that size"
    return repr(value)


def _say(text: str, advice: str) -> str:
    return f"{text}; {advice}" if advice else text
