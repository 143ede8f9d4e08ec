"""Owns: the extension types of Tiercel's MessagePack: their numbers, and the bytes of those that hold no other values.

All integers are big-endian. The numbers are part of the format (docs/reference/value-codec.md);
tests/vectors/values.json holds them.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgpack  # type: ignore[import-untyped]

from tiercel._codec_zone import MICROSECOND, pack_zone, unpack_zone
from tiercel._errors import DecodeError

# Of values: a MessagePack array of the members.
TUPLE, SET, FROZENSET = 1, 2, 3
# Of bytes alone.
DATETIME, DATE, TIME, TIMEDELTA, DECIMAL, UUID_, INTEGER, OBJECT_ID = 4, 5, 6, 7, 8, 9, 10, 11
# A MessagePack array of a name and a value: what `tiercel.codec` registered.
REGISTERED = 12

_EPOCH: Final = datetime(1970, 1, 1)
_EPOCH_DAY: Final = 719_163  # date(1970, 1, 1).toordinal()
_DAY: Final = struct.Struct(">i")
_MICROSECONDS: Final = struct.Struct(">q")
_DELTA: Final = struct.Struct(">iII")
_SECOND: Final = timedelta(seconds=1)


def _pack_datetime(value: datetime) -> Any:
    since = value.replace(tzinfo=None, fold=0) - _EPOCH
    if value.tzinfo is timezone.utc and not value.fold:
        return msgpack.Timestamp(
            since // _SECOND, since.microseconds * 1000
        )  # MessagePack's own, so every reader knows it
    return msgpack.ExtType(DATETIME, _MICROSECONDS.pack(since // MICROSECOND) + pack_zone(value.tzinfo, value.fold))


def _unpack_datetime(data: bytes) -> datetime:
    zone, fold = unpack_zone(data[8:])
    return (_EPOCH + timedelta(microseconds=_MICROSECONDS.unpack(data[:8])[0])).replace(tzinfo=zone, fold=fold)


def _pack_time(value: time) -> Any:
    since = ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    return msgpack.ExtType(TIME, _MICROSECONDS.pack(since) + pack_zone(value.tzinfo, value.fold))


def _unpack_time(data: bytes) -> time:
    (since,) = _MICROSECONDS.unpack(data[:8])
    if not 0 <= since < 86_400_000_000:
        raise DecodeError("a time of day beyond 24 hours")
    zone, fold = unpack_zone(data[8:])
    return (_EPOCH + timedelta(microseconds=since)).time().replace(tzinfo=zone, fold=fold)


def _unpack_timedelta(data: bytes) -> timedelta:
    days, seconds, microseconds = _DELTA.unpack(data)
    return timedelta(days, seconds, microseconds)


def _pack_integer(value: int) -> Any:
    return msgpack.ExtType(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _unpack_object_id(data: bytes) -> Any:
    kind = object_id()
    if kind is None:
        raise DecodeError("an ObjectId, and bson is not loaded")
    return kind(data)


PACK: Final[Mapping[type, Callable[[Any], Any]]] = {
    int: _pack_integer,  # those beyond 64 bits
    datetime: _pack_datetime,
    date: lambda value: msgpack.ExtType(DATE, _DAY.pack(value.toordinal() - _EPOCH_DAY)),
    time: _pack_time,
    timedelta: lambda value: msgpack.ExtType(TIMEDELTA, _DELTA.pack(value.days, value.seconds, value.microseconds)),
    Decimal: lambda value: msgpack.ExtType(DECIMAL, str(value).encode()),
    UUID: lambda value: msgpack.ExtType(UUID_, value.bytes),
}
UNPACK: Final[Mapping[int, Callable[[bytes], Any]]] = {
    DATETIME: _unpack_datetime,
    DATE: lambda data: date.fromordinal(_DAY.unpack(data)[0] + _EPOCH_DAY),
    TIME: _unpack_time,
    TIMEDELTA: _unpack_timedelta,
    DECIMAL: lambda data: Decimal(data.decode("ascii")),
    UUID_: lambda data: UUID(bytes=data),
    INTEGER: lambda data: int.from_bytes(data, "big", signed=True),
    OBJECT_ID: _unpack_object_id,
}

SCALARS: Final = frozenset({type(None), bool, float, str, bytes}) | frozenset(PACK)


def object_id() -> Any:
    """bson.ObjectId if bson is loaded. It is never imported: who has no bson has no ObjectId."""
    bson = sys.modules.get("bson.objectid")
    return None if bson is None else getattr(bson, "ObjectId", None)
