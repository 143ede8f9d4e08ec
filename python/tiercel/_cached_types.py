"""Owns: what keys know of classes. `describe` says how instances of a class are written; `bare_type` which type an annotation means;
`unkeyable` whether an annotation already tells that no key can be made.

The kinds are those of TypeText::Kind in python/bindings/keys_types.hpp.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import inspect
import types
import typing
import uuid
from typing import Any, Final, Literal, Union

UNKEYABLE, OWN_KEY, ENUM, FLAG, FIELDS, SUBCLASS = range(6)

Description = tuple[int, str, Any, tuple[str, ...], "str | None"]

# Scalars first, each before what it is a subclass of.
SCALARS: Final[tuple[type, ...]] = (
    bool,
    str,
    int,
    float,
    bytes,
    uuid.UUID,
    decimal.Decimal,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
)
CONTAINERS: Final[tuple[type, ...]] = (list, tuple, dict, set, frozenset)
_NONE: Final = type(None)


def describe(cls: type) -> Description:
    name = f"{cls.__module__}.{cls.__qualname__}"
    if callable(getattr(cls, "__cache_key__", None)):
        return OWN_KEY, name, None, (), None
    if issubclass(cls, enum.Flag):
        return FLAG, name, int, (), None
    if issubclass(cls, enum.Enum):
        return ENUM, name, _type_of_values(cls), (), None
    fields = _fields(cls)
    if fields is not None:
        return FIELDS, name, None, fields, "__pydantic_extra__" if _is_pydantic_model(cls) else None
    base = next((base for base in (*SCALARS, *CONTAINERS) if issubclass(cls, base)), None)
    if base is not None and not _adds_slots(cls, base):
        return SUBCLASS, name, base, (), None
    return UNKEYABLE, name, None, (), None


def _fields(cls: type) -> tuple[str, ...] | None:
    if issubclass(cls, tuple) and isinstance(named := getattr(cls, "_fields", None), tuple):
        return named
    if dataclasses.is_dataclass(cls):
        return tuple(field.name for field in dataclasses.fields(cls))
    if _is_pydantic_model(cls):
        return tuple(cls.model_fields)  # type: ignore[attr-defined]
    structure = getattr(cls, "__struct_fields__", None)  # msgspec
    return structure if isinstance(structure, tuple) else None


def _is_pydantic_model(cls: type) -> bool:
    # By what only its models have, so that Pydantic need not be installed; its dataclasses are dataclasses.
    return hasattr(cls, "__pydantic_generic_metadata__") and hasattr(cls, "model_fields")


def _type_of_values(cls: type[enum.Enum]) -> type | None:
    kinds = {type(member.value) for member in cls}
    kind = kinds.pop() if len(kinds) == 1 else None
    return kind if kind in SCALARS else None


def _adds_slots(cls: type, base: type) -> bool:
    between = cls.__mro__[: cls.__mro__.index(base)]
    return any(part.__dict__.get("__slots__") for part in between)


def unwrap_annotation(annotation: Any) -> Any:
    """Optional, Annotated, NewType, `type X = ...` and literals of one type looked through."""
    for _ in range(32):
        inner = _looked_through(annotation)
        if inner is annotation:
            return annotation
        annotation = inner
    return annotation


def _looked_through(annotation: Any) -> Any:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return annotation.__origin__
    if origin in (Union, types.UnionType):
        rest = [part for part in typing.get_args(annotation) if part is not _NONE]
        return rest[0] if len(rest) == 1 else annotation
    if origin is Literal:
        kinds = {type(value) for value in typing.get_args(annotation) if value is not None}
        return kinds.pop() if len(kinds) == 1 else annotation
    if isinstance(annotation, typing.NewType):
        return annotation.__supertype__
    if type(annotation).__name__ == "TypeAliasType":
        return annotation.__value__
    return annotation


def bare_type(annotation: Any) -> type:
    """The type whose values stand without a tag: the annotation's if it has a bare form, else str."""
    annotation = unwrap_annotation(annotation)
    if not isinstance(annotation, type) or typing.get_origin(annotation) is not None:
        return str
    if annotation in SCALARS:
        return annotation
    if annotation is object or annotation in CONTAINERS or annotation is _NONE:
        return str
    kind, _, base, _, _ = describe(annotation)
    if kind in (OWN_KEY, FIELDS, FLAG) or (kind == ENUM and base is not None) or (kind == SUBCLASS and base in SCALARS):
        return annotation
    return str


def unkeyable(annotation: Any) -> Any:
    """The class in the annotation that no key can be made of, or None if the annotation does not tell."""
    annotation = unwrap_annotation(annotation)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        parts = [unkeyable(part) for part in args if part is not _NONE]
        return parts[0] if parts and all(part is not None for part in parts) else None
    if origin in (type, collections.abc.Callable) or annotation in (type, collections.abc.Callable, typing.Callable):
        return origin or annotation
    if origin in CONTAINERS:
        return next((bad for part in args if part is not ... and (bad := unkeyable(part)) is not None), None)
    if origin is not None:
        annotation = origin
    return annotation if isinstance(annotation, type) and _is_concrete_unkeyable(annotation) else None


def _is_concrete_unkeyable(cls: type) -> bool:
    if cls is object or cls is _NONE or cls in SCALARS or cls in CONTAINERS or typing.is_typeddict(cls):
        return False
    if (
        inspect.isabstract(cls)
        or getattr(cls, "_is_protocol", False)
        or cls.__module__ in ("typing", "collections.abc")
    ):
        return False  # instances are of other classes
    return describe(cls)[0] == UNKEYABLE
