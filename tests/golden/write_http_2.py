"""Writes the golden stored responses of version 2, from the table in docs/reference/wire-format.md alone: a second
implementation, so that a mistake of the first cannot hide in its own files. Run once, by hand: `python write_http_2.py`.
The files are committed and never change under the number 2; tests/unit/http_golden_test.cpp states their contents once
more. Version 1 is there to be read as a miss.
"""

import struct
from pathlib import Path

FOLDER = Path(__file__).parent / "http-2"
PUBLIC, HEAD, AGELESS, VALIDATE_ALWAYS, NEVER_STALE = 1, 2, 4, 8, 16
NO_EXPIRY = 0xFFFFFFFF


def fields_of(fields: list[tuple[bytes, bytes]]) -> bytes:
    parts = (struct.pack(">HI", len(name), len(value)) + name + value for name, value in fields)
    return struct.pack(">H", len(fields)) + b"".join(parts)


def response(
    *,
    flags: int = 0,
    status: int = 200,
    received: int = 784111777,
    age: int = 0,
    lifetime: int = NO_EXPIRY,
    stale_while_revalidate: int = 0,
    stale_if_error: int = 0,
    fields: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"",
) -> bytes:
    head = struct.pack(">BBBHq", 2, 0, flags, status, received)
    head += struct.pack(">IIII", age, lifetime, stale_while_revalidate, stale_if_error)
    return head + fields_of(fields or []) + body


def variants(names: list[bytes], known: list[tuple[bytes, int]]) -> bytes:
    head = struct.pack(">BBB", 2, 1, len(names))
    head += b"".join(struct.pack(">H", len(name)) + name for name in names)
    return head + struct.pack(">B", len(known)) + b"".join(digest + struct.pack(">q", until) for digest, until in known)


RECORDS = {
    "response": response(
        lifetime=60, fields=[(b"content-type", b"text/plain"), (b"content-length", b"5")], body=b"hello"
    ),
    "response_full": response(
        flags=PUBLIC | HEAD | AGELESS | VALIDATE_ALWAYS | NEVER_STALE,
        status=404,
        age=7,
        lifetime=2147483648,
        stale_while_revalidate=30,
        stale_if_error=86400,
        fields=[(b"Link", b"<a>"), (b"Link", b"<b>"), (b"ETag", b'"\xe4"')],
        body=bytes(range(256)),
    ),
    "response_empty": response(status=204),
    "variants": variants([b"accept", b"origin"], [(bytes(range(16)), 784111837), (bytes(range(16, 32)), 0)]),
    # As version 1 wrote it: no lifetime, no staleness.
    "version_1": struct.pack(">BBBHqI", 1, 0, 0, 200, 784111777, 0) + fields_of([]) + b"hello",
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, record in RECORDS.items():
        (FOLDER / f"{name}.bin").write_bytes(record)
