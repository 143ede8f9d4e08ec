"""Owns: values that no annotation describes, as MessagePack with Tiercel's extension types. Types come back exactly or
are refused.

The packer would pass some types off as others (bytearray as bytes), so the types are looked at first: one set operation
per container. Reading is msgpack's C decoder alone; Python runs for extension types only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from tiercel import _codec_types as types
from tiercel._codec_registry import registered_name, registered_type
from tiercel._codec_types import SCALARS
from tiercel._codec_zone import Unsupported
from tiercel._errors import DecodeError, NotCacheable

DEPTH_MAX: Final = 128  # of containers in each other, on the way in
NESTED_MAX: Final = (
    16  # of extension types that hold values: msgpack takes 40 KiB of stack for each when it reads them back
)

_ARRAYS: Final[dict[type, int]] = {tuple: types.TUPLE, set: types.SET, frozenset: types.FROZENSET}
_PLAIN: Final = SCALARS | {list, dict, tuple, set, frozenset}


def encode(value: Any) -> bytes:
    """The payload. NotCacheable, naming the place, if anything in the value would come back as something else."""
    try:
        if type(value) not in SCALARS:
            _check(value, 0)
        return _pack(value, _Extensions().pack)
    except NotCacheable:
        raise
    except (Unsupported, TypeError, ValueError, OverflowError, RecursionError, RuntimeError, MemoryError) as error:
        from tiercel._codec_explain import explain

        raise explain(value, error) from error


def _pack(value: Any, default: Callable[[Any], Any]) -> bytes:
    packed: bytes = msgpack.packb(value, default=default, strict_types=True)
    return packed


def _check(value: Any, depth: int) -> None:
    """Refuses types the packer would take for others, before it sees them. Raises Unsupported; `explain` finds the
    place.
    """
    if depth >= DEPTH_MAX:
        raise Unsupported(f"it is nested deeper than {DEPTH_MAX}, or contains itself")
    kind = type(value)
    if kind is dict:
        _check_all(value, depth)
        _check_all(value.values(), depth)
    elif kind is list or kind in _ARRAYS:
        _check_all(value, depth)
    elif kind not in SCALARS and registered_type(kind) is None and kind is not types.object_id():
        raise Unsupported("its type has no codec")


def _check_all(members: Iterable[Any], depth: int) -> None:
    if not SCALARS.issuperset(map(type, members)):
        for member in members:
            if type(member) not in SCALARS:
                _check(member, depth + 1)


class _Extensions:
    """One encoding: packs what MessagePack itself has no type for, and counts how deep it is in such values."""

    __slots__ = ("depth",)

    def __init__(self) -> None:
        self.depth = 0

    def pack(self, value: Any) -> Any:
        kind = type(value)
        simple = types.PACK.get(kind)
        if simple is not None:
            return simple(value)
        if kind is types.object_id():
            return msgpack.ExtType(types.OBJECT_ID, value.binary)
        if self.depth >= NESTED_MAX:
            raise Unsupported(f"tuples, sets and registered types are nested deeper than {NESTED_MAX}")
        self.depth += 1
        try:
            number = _ARRAYS.get(kind)
            if number is not None:
                return msgpack.ExtType(number, _pack(list(value), self.pack))
            return msgpack.ExtType(types.REGISTERED, self._registered(value, kind))
        finally:
            self.depth -= 1

    def _registered(self, value: Any, kind: type) -> bytes:
        entry = registered_type(kind)
        if entry is None:
            raise Unsupported("its type has no codec")
        try:
            state = entry.encode(value)
        except Exception as error:
            raise NotCacheable(
                f"the codec of {entry.name} failed to encode: {type(error).__name__}: {error}"
            ) from error
        _check([state], 0)
        return _pack([entry.name, state], self.pack)


def _reader(depth: int) -> Callable[[bytes], Any]:
    """msgpack's decoder for values `depth` extension types deep. Its limits follow from the payload's length; bytes
    left over raise.
    """
    inner = _reader(depth + 1) if depth < NESTED_MAX else None

    def extension(number: int, data: bytes) -> Any:
        try:
            simple = types.UNPACK.get(number)
            if simple is not None:
                return simple(data)
            if inner is None:
                raise DecodeError(f"extension types nested deeper than {NESTED_MAX}")
            return _unpack_nested(number, inner(data))
        except DecodeError:
            raise
        except Exception as error:
            raise DecodeError(f"extension type {number}: {type(error).__name__}: {error}") from error

    # timestamp=3: MessagePack's own timestamps become aware datetimes in UTC. strict_map_key: keys of all types are
    # ours.
    reader: Callable[[bytes], Any] = functools.partial(
        msgpack.unpackb, ext_hook=extension, strict_map_key=False, timestamp=3
    )
    return reader


def _unpack_nested(number: int, members: Any) -> Any:
    if type(members) is not list:
        raise DecodeError(f"extension type {number} does not hold an array")
    if number == types.TUPLE:
        return tuple(members)
    if number == types.SET or number == types.FROZENSET:
        unique = set(members) if number == types.SET else frozenset(members)
        if len(unique) != len(members):
            raise DecodeError("a set holds a member twice")
        return unique
    if number == types.REGISTERED and len(members) == 2:
        entry = registered_name(members[0])
        if entry is None:
            raise DecodeError("a registered type whose name is not registered here")
        return entry.decode(members[1])
    raise DecodeError(f"unknown extension type {number}")


decode: Final = _reader(0)


def encode_scalar(value: Any) -> bytes:
    """One value without members, with the packer's own errors: for `explain`."""
    return _pack(value, _Extensions().pack)
