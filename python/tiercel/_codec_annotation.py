"""Owns: what an annotation describes, told from the classes' own marks, so that neither Pydantic nor msgspec is
imported to find out.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

__all__ = ["Machinery", "machinery_of", "shape_of"]

Machinery = typing.Literal["open", "pydantic", "msgspec", "either", "typed_dict", "mixed"]

_UNIONS = (Union, types.UnionType)
_ANNOTATED_DEPTH_MAX = 32


def machinery_of(annotation: Any) -> Machinery:
    """Who encodes such values. open: nobody but Tiercel's own codec; either: Pydantic if it is there, else msgspec;
    typed_dict: the same, but Tiercel's own would do; mixed: nobody can.
    """
    found = {_mark(part) for part in _parts(annotation, 0)} - {"open"}
    if {"pydantic", "msgspec"} <= found:
        return "mixed"
    for machinery in ("pydantic", "msgspec", "either", "typed_dict"):
        if machinery in found:
            return typing.cast(Machinery, machinery)
    return "open"


def shape_of(annotation: Any) -> Callable[[Any], str | None] | None:
    """A quick look that a value is of the very classes the annotation names: codecs write a subclass as its base
    without a word.

    It looks at the value and, for list and dict, at the members. The answer is what was found amiss. None: nothing can
    be told.
    """
    annotation = _bare(annotation)
    members = [_bare(part) for part in (get_args(annotation) if get_origin(annotation) in _UNIONS else (annotation,))]
    classes, inner = set(), {}
    for member in members:
        kind = _class_of(member)
        if kind is None:
            return None
        classes.add(kind)
        arguments = get_args(member)
        within = shape_of(arguments[-1]) if kind in (list, dict) and arguments else None
        if within is not None:
            inner[kind] = within

    def look(value: Any) -> str | None:
        if type(value) not in classes:
            said = " | ".join(sorted(kind.__qualname__ for kind in classes))
            return f": a {type(value).__qualname__}, and the annotation says {said}"
        within = inner.get(type(value))
        if within is None:
            return None
        for key, member in value.items() if type(value) is dict else enumerate(value):
            found = within(member)
            if found is not None:
                return f"[{key!r}]{found}"
        return None

    return look


def _parts(annotation: Any, depth: int) -> Iterator[Any]:
    """The annotation and everything in its brackets."""
    annotation = _bare(annotation)
    yield annotation
    origin = get_origin(annotation)
    if origin is not None and origin is not typing.Literal and depth < _ANNOTATED_DEPTH_MAX:
        yield origin
        for argument in get_args(annotation):
            yield from _parts(argument, depth + 1)


def _bare(annotation: Any) -> Any:
    """Without Annotated, NewType and the names of type aliases."""
    for _ in range(_ANNOTATED_DEPTH_MAX):
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            break
    return type(None) if annotation is None else annotation


def _mark(part: Any) -> Machinery:
    if not isinstance(part, type):
        return "open"
    if "__pydantic_validator__" in dir(part) or hasattr(part, "__pydantic_core_schema__"):
        return "pydantic"
    if hasattr(part, "__struct_fields__"):
        return "msgspec"
    if _is_typed_dict(part):
        return "typed_dict"
    if dataclasses.is_dataclass(part) or issubclass(part, enum.Enum) or _is_named_tuple(part):
        return "either"
    return "open"


def _class_of(annotation: Any) -> type | None:
    """The class whose instances such values are, if it is one class."""
    kind = get_origin(annotation) or annotation
    if (
        not isinstance(kind, type)
        or kind is object
        or getattr(kind, "__module__", "") in ("typing", collections.abc.__name__)
    ):
        return None
    if getattr(kind, "__abstractmethods__", None) or getattr(kind, "__pydantic_root_model__", False):
        return None
    if kind is float:  # a checker lets an int stand for it
        return None
    return dict if _is_typed_dict(kind) else kind


def _is_typed_dict(kind: type) -> bool:
    return hasattr(kind, "__total__") and hasattr(kind, "__required_keys__")


def _is_named_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")
