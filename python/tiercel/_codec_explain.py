"""Owns: saying where in a value the trouble is. Slow and thorough; it runs only once something was refused."""

from __future__ import annotations

from typing import Any

from tiercel import _codec_types as types
from tiercel._codec_registry import registered_type
from tiercel._errors import NotCacheable

SHOWN_CHARACTERS_MAX = 200


def step(path: str, key: Any) -> str:
    """The path one level further in: `.name` for names, `[3]` for the rest."""
    if type(key) is str and key.isidentifier() and len(key) <= 64:
        return f"{path}.{key}"
    shown = (
        repr(key)
        if type(key) in (str, int, float, bool, bytes) and len(str(key)) < 64
        else f"a {type(key).__qualname__}"
    )
    return f"{path}[{shown}]"


def explain(value: Any, error: BaseException) -> NotCacheable:
    """The exception to raise for what the packer, or the look at the types, stumbled over."""
    found = _find(value, "value", [])
    if found is None:
        return NotCacheable(
            f"value: {type(error).__name__}: {error}"[:SHOWN_CHARACTERS_MAX]
            if str(error)
            else "value: cannot be encoded"
        )
    path, trouble = found
    if len(path) > SHOWN_CHARACTERS_MAX:
        path = path[: SHOWN_CHARACTERS_MAX // 2] + " … " + path[-SHOWN_CHARACTERS_MAX // 2 :]
    return NotCacheable(f"{path}: {trouble}")


def _find(value: Any, path: str, around: list[Any]) -> tuple[str, str] | None:
    """Depth first, the first trouble wins. `around`: the containers we are in, to tell a cycle from mere depth."""
    from tiercel._codec_untyped import DEPTH_MAX

    kind = type(value)
    if kind in types.SCALARS:
        return _scalar_trouble(value, path)
    if kind not in (dict, list, tuple, set, frozenset):
        return None if kind is types.object_id() or registered_type(kind) else (path, no_codec(kind))
    if any(value is outer for outer in around):
        return path, "it contains itself"
    if len(around) >= DEPTH_MAX:
        return path, f"nested deeper than {DEPTH_MAX}"
    around.append(value)
    try:
        members = (
            value.items()
            if kind is dict
            else ((None, member) for member in value)
            if kind in (set, frozenset)
            else enumerate(value)
        )
        for key, member in list(members):
            if kind is dict:
                trouble = _find(key, f"{path} (a key)", around)
                if trouble is not None:
                    return trouble
            trouble = _find(member, f"{path} (a member)" if kind in (set, frozenset) else step(path, key), around)
            if trouble is not None:
                return trouble
        return None
    except RuntimeError:
        return path, "it changed while it was being stored"
    finally:
        around.pop()


def _scalar_trouble(value: Any, path: str) -> tuple[str, str] | None:
    from tiercel._codec_untyped import encode_scalar

    try:
        encode_scalar(value)
    except UnicodeEncodeError:
        return path, "a str with lone surrogates, which is not text in UTF-8"
    except Exception as error:
        return path, f"a {type(value).__qualname__}: {error}"
    return None


def no_codec(kind: type) -> str:
    """What to do about a type that is not stored as it is, most often a subclass of one that is."""
    name = f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__qualname__
    if (
        hasattr(kind, "__pydantic_validator__")
        or hasattr(kind, "__struct_fields__")
        or hasattr(kind, "__dataclass_fields__")
    ):
        return f"{name} is stored by its annotation: annotate the function's result, or give type={kind.__qualname__}"
    base = next(
        (base for base in kind.__mro__[1:] if base in types.SCALARS or base in (dict, list, tuple, set, frozenset)),
        None,
    )
    if base is not None:
        return (
            f"{name} would come back as {base.__qualname__}: "
            "convert it, annotate the result, or register it with tiercel.codec"
        )
    return f"{name} has no codec: convert it, annotate the result with a model, or register it with tiercel.codec"
