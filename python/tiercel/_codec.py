"""Owns: the choice of a codec. What an annotation describes is stored by its own machinery, what it leaves open by
Tiercel's.

`encode` raises NotCacheable, naming the place. `decode` is called from C++ at every hit, so it is the most direct
callable there is; any exception from it is a miss. Bytes and numbers: docs/reference/value-codec.md. Why msgpack:
docs/decisions/0005-value-codec.md.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from tiercel import _codec_untyped
from tiercel._codec_annotation import machinery_of
from tiercel._codec_registry import codec
from tiercel._codec_verify import verify
from tiercel._errors import ConfigurationError, DecodeError, NotCacheable

__all__ = ["UNTYPED", "Codec", "codec", "codec_for", "codec_named", "verify"]

# CodecId in src/entry/record.hpp: part of the format.
ID_TIERCEL: Final = 1
ID_JSON: Final = 2
ID_MSGSPEC: Final = 3
ID_PICKLE: Final = 5


@dataclass(frozen=True)
class Codec:
    """Who reads and writes a payload. `id` stands in the record; an entry of another id is a miss."""

    id: int
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    name: str


UNTYPED: Final = Codec(ID_TIERCEL, _codec_untyped.encode, _codec_untyped.decode, "Tiercel's own codec")


def codec_for(annotation: Any) -> Codec:
    """The codec of a function's result, or of `type=`. Never raises for a type: what cannot be stored refuses each
    value, saying why.
    """
    machinery = machinery_of(annotation)
    if machinery == "open":
        return UNTYPED
    if machinery == "mixed":
        return _refusing(f"{annotation!r} mixes Pydantic and msgspec, and neither encodes the other's")
    package = machinery
    if package in ("either", "typed_dict"):
        package = "pydantic" if importlib.util.find_spec("pydantic") else "msgspec"
    try:
        return _described(annotation, package)
    except NotCacheable as error:
        # A TypedDict's values are dicts, which Tiercel's own codec keeps as they are; Pydantic takes typing's only from Python 3.12 on.
        return UNTYPED if machinery == "typed_dict" else _refusing(str(error))


def _described(annotation: Any, package: str) -> Codec:
    if importlib.util.find_spec(package) is None:
        raise NotCacheable(f"{annotation!r} is stored by Pydantic or msgspec, and neither is installed")
    if package == "pydantic":
        from tiercel._codec_pydantic import pydantic_codec

        return pydantic_codec(annotation)
    from tiercel._codec_msgspec import msgspec_codec

    return msgspec_codec(annotation)


def codec_named(name: str, *, pickle_secret: bytes | None = None) -> Codec:
    """A codec asked for by name: `codec="pickle"`."""
    if name == "pickle":
        from tiercel._codec_pickle import pickle_codec

        return pickle_codec(pickle_secret)
    raise ConfigurationError(f'codec: {name!r} is not known; "pickle" is the only one to be asked for by name')


def _refusing(why: str) -> Codec:
    def encode(value: Any) -> NoReturn:
        raise NotCacheable(why)

    def decode(payload: bytes) -> NoReturn:
        raise DecodeError(why)

    return Codec(ID_TIERCEL, encode, decode, "no codec")
