"""Owns: is what comes out what went in? Compares values and types all the way down, and names the first place that
differs.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tiercel._codec_explain import step
from tiercel._errors import NotCacheable

if TYPE_CHECKING:
    from tiercel._codec import Codec

__all__ = ["difference", "verify"]


def verify(codec: Codec, value: Any, payload: bytes) -> None:
    """Decodes what was encoded and raises NotCacheable if it is not the value, by value and by type."""
    try:
        again = codec.decode(payload)
    except Exception as error:
        raise NotCacheable(f"value: stored by {codec.name}, it does not decode: {_one_line(error)}") from error
    try:
        found = difference(value, again, "value")
    except RecursionError:
        found = "value: it is too deep to be compared"
    if found is not None:
        raise NotCacheable(f"{found} (stored by {codec.name})")


def difference(before: Any, after: Any, path: str) -> str | None:
    """The first place where they differ, and how; None if nowhere. NaN is equal to itself."""
    kind = type(before)
    if kind is not type(after):
        return f"{path}: a {kind.__qualname__} came back as {type(after).__qualname__}"
    if kind in (list, tuple):
        return _of_sequences(before, after, path)
    if kind is dict:
        return _of_dicts(before, after, path)
    if kind in (set, frozenset):
        same = _counted(before) == _counted(after)
        return None if same else f"{path}: the set came back with other members"
    if kind in (datetime, time):
        return _of_times(before, after, path)
    if kind is Decimal:
        return None if before.as_tuple() == after.as_tuple() else f"{path}: {before!r} came back as {after!r}"
    names = _field_names(before)
    if names is not None:
        return _of_fields(before, after, names, path)
    return None if _equal(before, after) else f"{path}: {_short(before)} came back as {_short(after)}"


def _of_sequences(before: Any, after: Any, path: str) -> str | None:
    if len(before) != len(after):
        return f"{path}: {len(before)} members came back as {len(after)}"
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        found = difference(one, other, f"{path}[{index}]")
        if found is not None:
            return found
    return None


def _of_dicts(before: dict[Any, Any], after: dict[Any, Any], path: str) -> str | None:
    if len(before) != len(after):
        missing = [key for key in before if key not in after] or [key for key in after if key not in before]
        return f"{step(path, missing[0]) if missing else path}: {len(before)} keys came back as {len(after)}"
    for (key, one), (other_key, other) in zip(before.items(), after.items(), strict=True):
        if difference(key, other_key, path) is not None:
            return f"{step(path, key)}: the key came back as {_short(other_key)}"
        found = difference(one, other, step(path, key))
        if found is not None:
            return found
    return None


def _of_times(before: Any, after: Any, path: str) -> str | None:
    zones = [getattr(value.tzinfo, "key", None) for value in (before, after)]
    if zones[0] != zones[1]:
        return f"{path}: the time zone {zones[0] or before.tzinfo} came back as {zones[1] or after.tzinfo}"
    same = before.replace(tzinfo=None) == after.replace(tzinfo=None) and before.fold == after.fold
    same = same and before.utcoffset() == after.utcoffset()
    return None if same else f"{path}: {before!r} came back as {after!r}"


def _of_fields(before: Any, after: Any, names: Iterable[str], path: str) -> str | None:
    absent = object()
    for name in names:
        one, other = getattr(before, name, absent), getattr(after, name, absent)
        if one is absent and other is absent:
            continue
        where = f"{path}.{name}"
        if one is absent or other is absent:
            return f"{where}: it is there only {'after' if one is absent else 'before'}"
        found = difference(one, other, where)
        if found is not None:
            return found
    for hidden in ("__pydantic_extra__", "__pydantic_private__"):
        found = difference(getattr(before, hidden, None) or {}, getattr(after, hidden, None) or {}, path)
        if found is not None:
            return found
    return None


def _field_names(value: Any) -> list[str] | None:
    kind = type(value)
    if hasattr(kind, "__pydantic_fields_set__"):
        return list(getattr(kind, "__pydantic_fields__", None) or kind.model_fields)
    if hasattr(kind, "__dataclass_fields__"):
        return [field.name for field in dataclasses.fields(value)]
    if hasattr(kind, "__struct_fields__"):
        return list(kind.__struct_fields__)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return list(kind._fields)
    return None


def _counted(members: Any) -> Counter[Any]:
    return Counter(map(_member, members))


def _member(value: Any) -> Any:
    """A member of a set as something to count: with its type, and by its text where it is not equal to itself (NaN)."""
    kind = type(value)
    if kind is tuple:
        return kind, tuple(map(_member, value))
    if kind is frozenset:
        return kind, frozenset(_counted(value).items())
    return kind, value if value == value else repr(value)


def _equal(before: Any, after: Any) -> bool:
    try:
        return bool(before == after) or bool(before != before and after != after)
    except Exception:
        return False


def _short(value: Any) -> str:
    try:
        shown = repr(value)
    except Exception:
        shown = f"<{type(value).__qualname__}>"
    return shown if len(shown) <= 80 else shown[:77] + "…"


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
