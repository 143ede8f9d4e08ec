"""Owns: time zones inside stored times: none, a fixed offset, a zone of the IANA database by its key, or Pydantic's own
offset.

After a time's microseconds stands one byte: bit 0 is `fold`, bits 1 and 2 the kind of zone; then the zone.
docs/reference/value-codec.md.
"""

from __future__ import annotations

import struct
import sys
import zoneinfo
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Final

from tiercel._errors import DecodeError

NAIVE, OFFSET, ZONE, PYDANTIC = range(4)
ZONE_KEY_BYTES_MAX: Final = 128
MICROSECOND: Final = timedelta(microseconds=1)
_FLAGS: Final = struct.Struct(">B")
_MICROSECONDS: Final = struct.Struct(">q")


class Unsupported(Exception):
    """A value of a known type that cannot be stored as it is; the message says why."""


def pack_zone(zone: tzinfo | None, fold: int) -> bytes:
    if zone is None:
        return _FLAGS.pack(fold | NAIVE << 1)
    kind = type(zone)
    if kind is timezone:
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
        return (
            _FLAGS.pack(fold | OFFSET << 1)
            + _MICROSECONDS.pack(offset // MICROSECOND)
            + (name[0].encode() if name else b"")
        )
    if kind is zoneinfo.ZoneInfo and zone.key and len(zone.key) <= ZONE_KEY_BYTES_MAX:  # type: ignore[attr-defined]
        return _FLAGS.pack(fold | ZONE << 1) + zone.key.encode()  # type: ignore[attr-defined,no-any-return]
    if kind is _pydantic_zone():
        return _FLAGS.pack(fold | PYDANTIC << 1) + _MICROSECONDS.pack(
            (zone.utcoffset(datetime(1970, 1, 1)) or timedelta()) // MICROSECOND
        )
    raise Unsupported(
        f"its time zone is a {kind.__module__}.{kind.__qualname__}; use zoneinfo.ZoneInfo or datetime.timezone"
    )


def unpack_zone(data: bytes) -> tuple[tzinfo | None, int]:
    flags, rest = data[0], data[1:]
    kind = flags >> 1
    if kind == NAIVE and not rest:
        return None, flags & 1
    if kind == OFFSET:
        offset = timedelta(microseconds=_MICROSECONDS.unpack(rest[:8])[0])
        return timezone(offset, rest[8:].decode()) if rest[8:] else timezone(offset), flags & 1
    if kind == ZONE and len(rest) <= ZONE_KEY_BYTES_MAX:
        return zoneinfo.ZoneInfo(rest.decode("ascii")), flags & 1  # refuses keys that are not below its own folders
    if kind == PYDANTIC:
        offset = timedelta(microseconds=_MICROSECONDS.unpack(rest)[0])
        pydantic_zone = _pydantic_zone()
        return (pydantic_zone(int(offset.total_seconds())) if pydantic_zone else timezone(offset)), flags & 1
    raise DecodeError(f"a time zone of unknown kind {kind}")


def _pydantic_zone() -> Any:
    """The class of time zones in parsed Pydantic models, if Pydantic is loaded: `model_dump()` hands them out."""
    core = sys.modules.get("pydantic_core")
    return None if core is None else getattr(core, "TzInfo", None)
