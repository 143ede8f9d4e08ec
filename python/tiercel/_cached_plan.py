"""Owns: what is known of a function when it is decorated: its parameters and annotations, and so the plan of its keys.

The plan itself is native (python/bindings/keys.hpp); here it is written down. Annotations that name what is not defined yet are
tried again at the first call.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from tiercel._cached_template import Template
from tiercel._cached_types import bare_type, unkeyable, unwrap_annotation

UNRESOLVED: Final = object()


class Planner:
    """Signature and annotations of one function; `plan()` is what _core.KeyPlan reads."""

    def __init__(
        self, function: Callable[..., Any], *, prefix: str | None, key: str | None, key_builder: Callable[..., Any] | None,
        exclude: Iterable[str], is_method: bool,
    ) -> None:  # fmt: skip
        self.function = function
        self.name = getattr(function, "__qualname__", repr(function))
        self.signature = signature_of(function)
        self.parameters = list(self.signature.parameters.values())
        self.prefix, self.key_builder, self.is_method = prefix, key_builder, is_method
        self.exclude = frozenset(_checked_exclude(exclude, self.signature))
        self.template = None if key is None else Template.parse(key, self.signature.parameters, "key")
        self._annotations = {parameter.name: parameter.annotation for parameter in self.parameters}
        self._annotations["return"] = self.signature.return_annotation
        self.resolve()
        if (
            not self.complete
        ):  # asking a frame for its names keeps their values alive as long as it runs: only where needed
            self.resolve(names_around_decorator())

    @property
    def complete(self) -> bool:
        return all(not _is_unresolved(annotation) for annotation in self._annotations.values())

    def resolve(self, local_names: Mapping[str, Any] = types.MappingProxyType({})) -> None:
        """Turns annotations written as text into what they name, where that is known by now."""
        inner = _innermost(self.function)
        names = {**local_names, **_closure_of(inner)}
        for name, annotation in self._annotations.items():
            if _is_unresolved(annotation):
                self._annotations[name] = _resolved(annotation, getattr(inner, "__globals__", {}), names)

    def annotation(self, name: str) -> Any:
        """inspect.Parameter.empty: none, or one that names what nobody defines."""
        annotation = self._annotations[name]
        return inspect.Parameter.empty if _is_unresolved(annotation) else annotation

    def check(self) -> None:
        """TypeError for arguments of which the annotation already tells that no key can be made."""
        if self.template is not None or self.key_builder is not None:
            return
        for parameter in self.parameters[1 if self.is_method else 0 :]:
            annotation = self.annotation(parameter.name)
            if parameter.name in self.exclude or annotation is inspect.Parameter.empty:
                continue
            bad = unkeyable(annotation)
            if bad is not None:
                raise TypeError(
                    f"{self.name}(): no key can be made of argument {parameter.name!r}: its annotation is {_shown(bad)}. "
                    f'Leave the argument out with exclude=["{parameter.name}"], name the key with key= or key_builder=, '
                    f"or give {_shown(bad)} a method __cache_key__()"
                )

    def plan(self) -> tuple[Any, ...]:
        empty = inspect.Parameter.empty
        parameters = [
            (
                p.name,
                int(p.kind),
                p.default,
                p.default is not empty,
                bare_type(self.annotation(p.name)),
                p.name not in self.exclude,
            )
            for p in self.parameters
        ]
        return (self.name, self.prefix, parameters, self._template_parts(), self.key_builder)

    def _template_parts(self) -> list[tuple[str, int, tuple[str, ...], type]] | None:
        if self.template is None:
            return None
        index = {parameter.name: at for at, parameter in enumerate(self.parameters)}
        return [
            (part.text, -1, (), str)
            if part.parameter is None
            else (
                part.text,
                index[part.parameter],
                part.path,
                bare_type(_annotation_at(self.annotation(part.parameter), part.path)),
            )
            for part in self.template.parts
        ]


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def defined_in_class(function: Callable[..., Any]) -> bool:
    """By its qualified name: `UserService.get`, but not `test.<locals>.get`."""
    owner, _, _ = getattr(function, "__qualname__", "").rpartition(".")
    return bool(owner) and not owner.endswith("<locals>")


def first_is_receiver(function: Callable[..., Any]) -> bool:
    """A method, as far as can be told before Python says so by __set_name__: in a class, and its first parameter is called so."""
    parameters = list(signature_of(function).parameters.values())
    return defined_in_class(function) and takes_receiver(parameters) and parameters[0].name in ("self", "cls")


def takes_receiver(parameters: Sequence[inspect.Parameter]) -> bool:
    """Whether the first argument can come by position at all."""
    return bool(parameters) and parameters[0].kind not in (
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.VAR_KEYWORD,
    )


def names_around_decorator() -> dict[str, Any]:
    """Local names where the decorator stands, for annotations written as text inside functions."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("tiercel."):
        frame = frame.f_back
    names: dict[str, Any] = {}
    while frame is not None:
        names = {**frame.f_locals, **names}
        if frame.f_code.co_flags & inspect.CO_OPTIMIZED or frame.f_locals is frame.f_globals:
            break  # a function, or the module; class bodies are looked through
        frame = frame.f_back
    return names


def _innermost(function: Any) -> Any:
    """The function that annotations were written in: below decorators, partials and objects with __call__."""
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    return type(function).__call__ if callable(function) and not hasattr(function, "__globals__") else function


def _is_unresolved(annotation: Any) -> bool:
    return isinstance(annotation, (str, typing.ForwardRef))


def _resolved(annotation: Any, global_names: dict[str, Any], local_names: Mapping[str, Any]) -> Any:
    carrier = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(carrier, global_names, dict(local_names), include_extras=True)["it"]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return annotation


def _closure_of(function: Any) -> dict[str, Any]:
    names, cells = (
        getattr(getattr(function, "__code__", None), "co_freevars", ()),
        getattr(function, "__closure__", None) or (),
    )
    found = {}
    for name, cell in zip(names, cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


def _annotation_at(annotation: Any, path: tuple[str, ...]) -> Any:
    """What the class says of the attribute, as far as it says anything."""
    for name in path:
        annotation = unwrap_annotation(annotation)
        try:
            annotation = typing.get_type_hints(annotation, include_extras=True).get(name, inspect.Parameter.empty)
        except (NameError, AttributeError, TypeError):
            return inspect.Parameter.empty
    return annotation


def _checked_exclude(exclude: Iterable[str], signature: inspect.Signature) -> list[str]:
    if isinstance(exclude, str):
        raise TypeError(f'exclude: expected a list of parameter names such as ["session"], not the str {exclude!r}')
    names = list(exclude)
    for name in names:
        if name not in signature.parameters:
            raise ValueError(
                f"exclude: the function has no parameter {name!r}; it has {', '.join(signature.parameters) or 'none'}"
            )
    return names


def _shown(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
