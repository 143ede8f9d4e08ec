"""Owns: the small words of the public interface: MISSING, Pattern, Tag, and Loaded, which loaders hand to the engine."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

__all__ = ["MISSING", "Loaded", "MissingType", "Pattern", "Tag"]

PATTERN_BYTES_MAX: Final = 1024  # kPatternBytesMax in src/entry/key.hpp
TAG_BYTES_MAX: Final = 1024  # kTagBytesMax
TAGS_MAX: Final = 64  # kTagsMax


class MissingType(enum.Enum):
    """The type of MISSING. An enumeration, because type checkers narrow `value is MISSING`, and copies and pickles stay
    itself.
    """

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        # Falsy, so that `await cache.get(key, default=MISSING) or fallback` does what it says. Compare with `is` to
        # tell it from None or 0.
        return False


MISSING: Final = MissingType.MISSING


@dataclass(frozen=True)
class Pattern:
    """A glob over keys, as `delete_pattern` takes it. Quote what comes from outside with `tiercel.escape`."""

    text: str

    def __post_init__(self) -> None:
        check_name("pattern", self.text, PATTERN_BYTES_MAX)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


@dataclass(frozen=True)
class Tag:
    """A name that many entries carry. Invalidating it costs one round trip, however many they are."""

    name: str

    def __post_init__(self) -> None:
        check_name("tag", self.name, TAG_BYTES_MAX)

    def __repr__(self) -> str:
        return f"Tag({self.name!r})"


class Loaded(NamedTuple):
    """What a load gives the engine.

    value: store `payload` and give it to all who wait. answer_only: give it to them, store nothing. uncacheable: it has
    no bytes; others run their own loader. Times are seconds from now; None: no deadline.
    """

    kind: Literal["value", "answer_only", "uncacheable"]
    payload: bytes = b""
    codec: int = 0
    usable_for: float | None = None
    fresh_for: float | None = None
    version: int | None = None
    tags: tuple[str, ...] = ()  # where the load was begun with tags_of_result


Version: TypeAlias = int | Callable[[Any], int | None] | None


def version_of_result(version: object, argument: str = "version") -> int | None:
    """What a `version=` function answered, or a version given outright."""
    if version is None:
        return None
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version < 1 << 64:
        raise ValueError(f"{argument}: expected an int from 0 to 2**64 - 1, not {version!r:.100}")
    return version


def listed(names: Any, argument: str, of: str) -> tuple[Any, ...]:
    """Names that were given as an iterable, and not one of them alone, whose letters would be taken for names."""
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise TypeError(f"{argument}: expected a list of {of}, not one {type(names).__name__}")
    return tuple(names)


def tags_of_result(tags: object, argument: str = "tags") -> tuple[str, ...]:
    """What a `tags=` function answered: names, each once."""
    if isinstance(tags, (str, bytes)) or not isinstance(tags, Iterable):
        raise TypeError(f"{argument}: expected a list of str of the function of the result, not {tags!r:.100}")
    names = tuple(dict.fromkeys(tags))
    for name in names:
        check_name(argument, name, TAG_BYTES_MAX)
    if len(names) > TAGS_MAX:
        raise ValueError(f"{argument}: {len(names)} of them; an entry carries at most {TAGS_MAX}")
    return names


def check_name(what: str, text: object, bytes_max: int) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{what}: expected a str, not {type(text).__name__}")
    if not text:
        raise ValueError(f"{what}: it is empty")
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{what}: {text!r} has lone surrogates and is not text in UTF-8") from None
    if length > bytes_max:
        raise ValueError(f"{what}: {length} bytes, the limit is {bytes_max}")
