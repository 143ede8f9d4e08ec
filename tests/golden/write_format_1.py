"""Writes the golden records of format 1, from docs/reference/wire-format.md alone: a second implementation, so that a
mistake of the first cannot hide in its own files. Run once, by hand: `pip install xxhash; python write_format_1.py`.
The files are committed and never change under the number 1; tests/unit/entry_test.cpp states their contents once more.
"""

import struct
from pathlib import Path

import xxhash

FOLDER = Path(__file__).parent / "format-1"
VALUE, LEASE, INTENT, PASS, FLOOR = range(5)
RAW, TIERCEL, JSON, MSGSPEC, HTTP, PICKLE = range(6)


def stamp(first: int) -> bytes:
    return bytes(range(first, first + 16))


def record(
    *,
    state: int,
    codec: int,
    first: int,
    version: int | None = None,
    soft: int = 0,
    hard: int = 0,
    cost: int = 0,
    tags: list[tuple[bytes, bytes]] | None = None,
    validator: bytes = b"",
    payload: bytes = b"",
) -> bytes:
    tags = tags or []
    middle = b"".join(struct.pack(">H", len(name)) + name + tag_stamp for name, tag_stamp in tags)
    middle += struct.pack(">H", len(validator)) + validator
    head = b"TL" + struct.pack(">BBHBB", 1, state, version is not None, codec, len(tags)) + stamp(first)
    head += struct.pack(">QQQIII", version or 0, soft, hard, cost, len(middle), len(payload))
    rest = middle + payload
    return head + struct.pack(">I", xxhash.xxh3_64_intdigest(head + rest) & 0xFFFFFFFF) + rest


def main() -> None:
    hour, now = 3_600_000_000, 1_700_000_000_000_000
    files = {
        "value": record(state=VALUE, codec=RAW, first=0x10, payload=b"hello"),
        "value_full": record(
            state=VALUE,
            codec=TIERCEL,
            first=0x20,
            version=0x0102030405060708,
            soft=now,
            hard=now + hour,
            cost=1234,
            tags=[(b"", stamp(0x60)), (b"users", stamp(0x70)), ("städte".encode(), stamp(0x80))],
            validator=b'"etag-1"',
            payload=bytes(range(256)),
        ),
        "value_empty": record(state=VALUE, codec=JSON, first=0x30, hard=now),
        "lease": record(state=LEASE, codec=RAW, first=0x40, hard=now, tags=[(b"", stamp(0x60))]),
        "intent": record(state=INTENT, codec=RAW, first=0x41, hard=now, payload=stamp(0x90) + struct.pack(">Q", now)),
        "pass": record(state=PASS, codec=RAW, first=0x42, hard=now),
        "floor": record(state=FLOOR, codec=RAW, first=0x43, version=0xFFFFFFFFFFFFFFFF, hard=now),
        "unknown_codec": record(state=VALUE, codec=200, first=0x44, payload=b"?"),
        "tag": stamp(0x50) + struct.pack(">Q", now + hour),
        "root": stamp(0x60) + struct.pack(">Q", 0) + stamp(0xA0) + stamp(0xB0),
    }
    FOLDER.mkdir(exist_ok=True)
    for name, content in files.items():
        (FOLDER / f"{name}.bin").write_bytes(content)


if __name__ == "__main__":
    main()
