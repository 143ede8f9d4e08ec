"""Owns: values that Pydantic describes: models, dataclasses, TypedDicts, enumerations, named tuples, and containers of
them.

Two ways. JSON, read by Pydantic's own parser straight into instances, where JSON keeps every type of the schema: the
fast one. Where it does not (Any, bytes, extra fields, unions), Tiercel's MessagePack, read by msgpack and validated in
one C call.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from pydantic import VERSION, TypeAdapter
from pydantic_core import SchemaValidator, core_schema, to_json, to_jsonable_python

from tiercel import _codec_untyped as untyped
from tiercel._codec import ID_JSON, ID_TIERCEL, Codec
from tiercel._codec_annotation import shape_of
from tiercel._codec_verify import verify
from tiercel._errors import NotCacheable

_VERSION: Final = tuple(int(part) for part in VERSION.split(".")[:2])
# Fields by their own names: an alias may be another one for reading than for writing.
_BY_NAME: Final = _VERSION >= (2, 11)
_DUMP: Final[dict[str, Any]] = {"round_trip": True, "by_alias": not _BY_NAME, "warnings": "error"}
_READ: Final[dict[str, Any]] = {"by_alias": False, "by_name": True} if _BY_NAME else {}
# What JSON would give back as something else.
_UNSURE: Final = frozenset({"any", "callable", "generator", "is-instance", "is-subclass", "arguments"})
_LOSSY: Final = _UNSURE | {"bytes", "complex", "union"}


def pydantic_codec(annotation: Any) -> Codec:
    if _VERSION < (2, 7):
        raise NotCacheable(f"Pydantic {VERSION} is too old for cached models: 2.7 or newer is needed")
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        schema = adapter.core_schema
    except Exception as error:
        raise NotCacheable(
            f"Pydantic has no schema for {annotation!r}: {' '.join(str(error).split())[:200]}"
        ) from error
    nodes = list(_nodes(schema))
    kinds = {node.get("type") for node in nodes}
    name = f"Pydantic for {getattr(annotation, '__qualname__', None) or annotation!r}"
    if kinds & _LOSSY or any(_keeps_extra(node) for node in nodes):
        return _by_messagepack(annotation, adapter, nodes, name)
    return _by_json(annotation, adapter, nodes, kinds, name)


def _by_json(
    annotation: Any, adapter: TypeAdapter[Any], nodes: list[dict[str, Any]], kinds: set[Any], name: str
) -> Codec:
    to_bytes: Callable[..., bytes] = partial(adapter.serializer.to_json, **_DUMP)
    to_plain: Callable[..., Any] = partial(adapter.serializer.to_python, mode="json", **_DUMP)
    floats, classes = "float" in kinds, _classes(nodes)

    def encode(value: Any) -> bytes:
        payload = to_bytes(value)
        if floats and b"null" in payload:
            # By default NaN and infinity become null, which may even be valid there. Written as constants they come
            # back.
            payload = to_json(to_plain(value), inf_nan_mode="constants")
        if any(kind.__subclasses__() for kind in classes):  # a field may hold one of them, and is written as its base
            verify(codec, value, payload)
        return payload

    validate = adapter.validator.validate_json
    decode: Callable[[bytes], Any] = partial(validate, **_READ) if _READ and _has_alias(nodes) else validate
    codec = Codec(ID_JSON, _guarded(encode, annotation), decode, name)
    return codec


def _by_messagepack(annotation: Any, adapter: TypeAdapter[Any], nodes: list[dict[str, Any]], name: str) -> Codec:
    dump: Callable[..., Any] = partial(adapter.serializer.to_python, **_DUMP)
    # In a field of type Any a model comes back as a dict, in a union one class as another: it depends on each value.
    sure_kinds = all(
        node["type"] not in _UNSURE and not _keeps_extra(node) and not _is_ambiguous(node) for node in nodes
    )
    classes = _classes(nodes)

    def encode(value: Any) -> bytes:
        plain = dump(value)
        try:
            payload, sure = untyped.encode(plain), sure_kinds and not any(kind.__subclasses__() for kind in classes)
        except NotCacheable:
            payload, sure = untyped.encode(_softened(plain, 0)), False
        if not sure:
            verify(codec, value, payload)
        return payload

    # msgpack as a validator before the schema's: from bytes to instances without a Python frame. Not strict: what was
    # valid once must be readable from its parts.
    reader = SchemaValidator(core_schema.no_info_before_validator_function(untyped.decode, adapter.core_schema))
    codec = Codec(
        ID_TIERCEL, _guarded(encode, annotation), partial(reader.validate_python, strict=False, **_READ), name
    )
    return codec


def _guarded(encode: Callable[[Any], bytes], annotation: Any) -> Callable[[Any], bytes]:
    look = shape_of(annotation)

    def guarded(value: Any) -> bytes:
        amiss = look(value) if look is not None else None
        if amiss is not None:
            raise NotCacheable(f"value{amiss}")
        try:
            return encode(value)
        except NotCacheable:
            raise
        except Exception as error:  # serializers are the application's own code, too
            raise NotCacheable(f"value: {' '.join(str(error).split())[:300]}") from error

    return guarded


def _softened(value: Any, depth: int) -> Any:
    """Enumerations, URLs and the like as their JSON forms, which the schema reads back. Only ever used with `verify`."""
    if depth > untyped.DEPTH_MAX:
        raise NotCacheable(f"value: nested deeper than {untyped.DEPTH_MAX}, or contains itself")
    kind = type(value)
    if kind is dict:
        return {_softened(key, depth + 1): _softened(member, depth + 1) for key, member in value.items()}
    if kind in (list, tuple, set, frozenset):
        return kind(_softened(member, depth + 1) for member in value)
    if isinstance(value, enum.Enum):
        return _softened(value.value, depth + 1)
    try:
        untyped.encode(value)
    except NotCacheable:
        return to_jsonable_python(value)
    return value


def _classes(nodes: list[dict[str, Any]]) -> list[type]:
    return [node["cls"] for node in nodes if node["type"] in ("model", "dataclass")]


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every part of a core schema. Recursive types refer to definitions, so the tree is finite."""
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if isinstance(node.get("type"), str):
                yield node
            # metadata is not schema; a custom serializer has one of its own for what it returns
            pending.extend(part for key, part in node.items() if key not in ("metadata", "config", "serialization"))
        elif isinstance(node, (list, tuple)):
            pending.extend(node)


def _keeps_extra(node: dict[str, Any]) -> bool:
    config = node.get("config") or {}
    return "allow" in (node.get("extra_behavior"), config.get("extra_fields_behavior"))


def _has_alias(nodes: list[dict[str, Any]]) -> bool:
    return any("validation_alias" in node or "serialization_alias" in node or "alias" in node for node in nodes)


def _is_ambiguous(node: dict[str, Any]) -> bool:
    if node.get("type") != "union":
        return False
    choices = [choice[0] if isinstance(choice, tuple) else choice for choice in node.get("choices", ())]
    return sum(choice.get("type") not in ("none", "str", "int", "float", "bool", "bytes") for choice in choices) > 1
