"""Owns: the types an application adds with `tiercel.codec`. What is found in Redis is a name looked up here, never
imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from tiercel._codec_types import SCALARS, object_id

__all__ = ["Registered", "codec", "registered_name", "registered_type"]

T = TypeVar("T")
NAME_BYTES_MAX = 256
BEANIE_MODULE, BEANIE_OBJECT_ID = "beanie.odm.fields", "beanie.PydanticObjectId"
_NATIVE = SCALARS | {list, dict, tuple, set, frozenset, object, type}


class Registered(NamedTuple):
    """A type, how its instances become values, and how values become instances."""

    kind: type
    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


_by_type: dict[type, Registered] = {}
_by_name: dict[str, Registered] = {}


def codec(kind: type[T], encode: Callable[[T], Any], decode: Callable[[Any], T], *, name: str | None = None) -> None:
    """Makes values of exactly this type cacheable where no annotation describes them.

    `encode` gives a value of types that are cacheable already, `decode` makes the instance of it. Entries carry `name`,
    by default module and qualified name: give one that outlives moving the class. Register before the first use, in
    every process.
    """
    if not isinstance(kind, type):
        raise TypeError(f"codec: expected a class, not {type(kind).__name__}")
    if kind in _NATIVE or kind is object_id():
        raise ValueError(f"codec: {kind.__qualname__} is stored by Tiercel itself")
    if not callable(encode) or not callable(decode):
        raise TypeError("codec: encode and decode must be callable")
    name = f"{kind.__module__}.{kind.__qualname__}" if name is None else name
    if not name or len(name.encode()) > NAME_BYTES_MAX:
        raise ValueError(f"codec: the name must have 1 to {NAME_BYTES_MAX} bytes")
    holder = _by_name.get(name)
    if holder is not None and (holder.kind.__module__, holder.kind.__qualname__) != (
        kind.__module__,
        kind.__qualname__,
    ):
        raise ValueError(f"codec: the name {name!r} belongs to {holder.kind.__module__}.{holder.kind.__qualname__}")
    if holder is not None:  # a reloaded module defines its classes anew
        _by_type.pop(holder.kind, None)
    before = _by_type.get(kind)
    if before is not None:  # the older name stays readable
        name_before = before.name
        _by_name[name_before] = Registered(kind, name_before, encode, decode)
    _by_type[kind] = _by_name[name] = Registered(kind, name, encode, decode)


def registered_type(kind: type) -> Registered | None:
    found = _by_type.get(kind)
    if found is None and kind.__module__ == BEANIE_MODULE:
        known = _beanie_object_id()
        found = known if known is not None and known.kind is kind else None
    return found


def registered_name(name: object) -> Registered | None:
    if not isinstance(name, str):
        return None
    return _by_name.get(name) or (_beanie_object_id() if name == BEANIE_OBJECT_ID else None)


def _beanie_object_id() -> Registered | None:
    """Beanie's documents have an `id` of a subclass of bson.ObjectId, which no user of Beanie would think of
    registering. Like bson, Beanie is never imported here: who has not loaded it has none of these.
    """
    kind = getattr(sys.modules.get(BEANIE_MODULE), "PydanticObjectId", None)
    return None if kind is None else Registered(kind, BEANIE_OBJECT_ID, lambda value: value.binary, kind)


def forget(kind: type) -> None:
    """Takes a type out again: for tests."""
    for name in [name for name, entry in _by_name.items() if entry.kind is kind]:
        del _by_name[name]
    _by_type.pop(kind, None)
