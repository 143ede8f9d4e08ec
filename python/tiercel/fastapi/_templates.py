"""Owns: tags with holes, `product:{id}`, filled from the path as the endpoint's own parameter types read it: /products/042 and
/products/42 name one tag when `id` is an int."""

from __future__ import annotations

import enum
import string
from collections.abc import Iterable, Mapping
from typing import Any

from tiercel._types import Tag

__all__ = ["TagTemplates"]


class TagTemplates:
    """Checked when written, filled per request."""

    __slots__ = ("names", "texts")

    def __init__(self, tags: Iterable[str | Tag], argument: str) -> None:
        if isinstance(tags, (str, Tag)):
            raise TypeError(f"{argument}: expected a list of tags, not one {type(tags).__name__}")
        self.texts = tuple(tag.name if isinstance(tag, Tag) else tag for tag in tags)
        names: set[str] = set()
        for text in self.texts:
            Tag(text)  # refuses what is not a tag
            if text.startswith("~http "):
                raise ValueError(f"{argument}: {text!r}: tags that begin with '~http ' are Tiercel's own")
            names.update(_names_in(text, argument))
        self.names = frozenset(names)

    def filled(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Requires a value for each of `names`."""
        if not self.names:
            return self.texts
        texts = {name: _text_of(values[name]) for name in self.names}
        return tuple(text.format_map(texts) for text in self.texts)


def _names_in(text: str, argument: str) -> Iterable[str]:
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{argument}: {text!r}: {error}; write {{{{ for a brace") from None
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{argument}: {text!r}: a hole is the name of a path parameter, such as {{id}}")
        yield name


def _text_of(value: Any) -> str:
    return str(value.value if isinstance(value, enum.Enum) else value)
