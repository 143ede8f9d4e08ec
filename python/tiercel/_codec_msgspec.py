"""Owns: values that msgspec describes: its Structs, containers of them, and dataclasses where Pydantic is not
installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tiercel._codec import ID_MSGSPEC, Codec
from tiercel._codec_annotation import shape_of
from tiercel._codec_verify import verify
from tiercel._errors import NotCacheable


def msgspec_codec(annotation: Any) -> Codec:
    try:
        decoder = msgspec.msgpack.Decoder(annotation)
        parts = list(_parts(msgspec.inspect.type_info(annotation)))
    except Exception as error:
        raise NotCacheable(f"msgspec cannot describe {annotation!r}: {' '.join(str(error).split())[:200]}") from error
    doubtful = any(isinstance(part, msgspec.inspect.AnyType) for part in parts)
    classes = [
        part.cls for part in parts if isinstance(part, (msgspec.inspect.StructType, msgspec.inspect.DataclassType))
    ]
    dump: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
    look = shape_of(annotation)

    def encode(value: Any) -> bytes:
        amiss = look(value) if look is not None else None
        if amiss is not None:
            raise NotCacheable(f"value{amiss}")
        try:
            payload = dump(value)
        except Exception as error:
            raise NotCacheable(f"value: {' '.join(str(error).split())[:300]}") from error
        # In a field of type Any a tuple comes back as a list, and a subclass as its base: it depends on each value.
        if doubtful or any(kind.__subclasses__() for kind in classes):
            verify(codec, value, payload)
        return payload

    codec = Codec(
        ID_MSGSPEC, encode, decoder.decode, f"msgspec for {getattr(annotation, '__qualname__', None) or annotation!r}"
    )
    return codec


def _parts(info: Any) -> Iterator[Any]:
    """Every type in a description by msgspec.inspect, each once: recursive structs refer to themselves."""
    pending, seen = [info], set()
    while pending:
        part = pending.pop()
        if isinstance(part, (list, tuple)):
            pending.extend(part)
        elif isinstance(part, msgspec.Struct) and id(part) not in seen:
            seen.add(id(part))
            yield part
            pending.extend(getattr(part, name) for name in part.__struct_fields__ if name != "default")
