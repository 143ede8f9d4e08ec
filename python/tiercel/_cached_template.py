"""Owns: templates of keys and tags, `user:{user_id}` and `order:{order.id}`: a parameter, and attributes to follow from it."""

from __future__ import annotations

import enum
import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

RESULT: Final = "result"  # what a template calls the result, where no parameter has that name
_FIELD: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


class Part(NamedTuple):
    """Text, and then the value at `path` of `parameter`, if there is one."""

    text: str
    parameter: str | None
    path: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    source: str
    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, source: object, parameters: Iterable[str], option: str) -> Template:
        """Unknown parameters, and anything but names and attributes between braces, are a ValueError now and not at some call."""
        if not isinstance(source, str):
            raise TypeError(f"{option}: expected a str such as 'user:{{user_id}}', not {type(source).__name__}")
        if not source:
            raise ValueError(f"{option}: it is empty")
        try:
            fields = list(string.Formatter().parse(source))
        except ValueError as error:
            raise ValueError(f"{option}: {source!r}: {error}; a brace that is meant as one is written twice") from None
        known = list(parameters)
        return cls(source, tuple(_part(source, option, known, *field) for field in fields))

    def names(self, parameter: str) -> bool:
        return any(part.parameter == parameter for part in self.parts)

    def fill(self, arguments: Mapping[str, Any]) -> str:
        """The text as an f-string would give it: what someone invalidating by hand writes."""
        return "".join(
            part.text
            if part.parameter is None
            else part.text + _text(self, self._follow(arguments[part.parameter], part.path))
            for part in self.parts
        )

    def _follow(self, value: Any, path: tuple[str, ...]) -> Any:
        try:
            return follow(value, path)
        except AttributeError as missing:
            raise AttributeError(
                f"{self.source!r}: a {type(value).__qualname__} has nothing at {'.'.join(path)!r} ({missing})"
            ) from missing


def follow(value: Any, path: Iterable[str]) -> Any:
    """Attributes; of a mapping, its items."""
    for name in path:
        value = value[name] if isinstance(value, Mapping) and name in value else getattr(value, name)
    return value


def _part(
    source: str, option: str, known: list[str], text: str, field: str | None, spec: str | None, conversion: str | None
) -> Part:
    if field is None:
        return Part(text, None, ())
    if not _FIELD.fullmatch(field) or spec or conversion:
        written = "{" + field + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
        raise ValueError(
            f"{option}: {source!r}: {written} is not the name of a parameter, or of an attribute of one as in {{order.id}}"
        )
    name, *path = field.split(".")
    if name not in known:
        listed = ", ".join(known) or "no parameters"
        raise ValueError(f"{option}: {source!r} names {name!r}, but the function has {listed}")
    return Part(text, name, tuple(path))


def _text(template: Template, value: Any) -> str:
    if isinstance(value, enum.Enum):
        value = value.value
    if not any(_says(type(value), method) for method in ("__str__", "__repr__", "__format__")):
        raise TypeError(
            f"tags: {template.source!r}: an object of type {type(value).__qualname__} has no text of its own; name an attribute of it, "
            f"as in {{order.id}}"
        )
    return format(value, "")


def _says(cls: type, method: str) -> bool:
    """Whether a class above object says how it reads: object's own text holds a memory address."""
    return getattr(cls, method) is not getattr(object, method)
