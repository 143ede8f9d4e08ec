"""How the tables of tests/conformance/http are read by Python: messages in, plain values out. C++: http_case.hpp."""

from __future__ import annotations

from typing import Any

NOW = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT


def text(value: Any) -> bytes:
    """A text, or {"of": text, "times": n} for one that nobody would write out, or a list of such to be joined."""
    if isinstance(value, list):
        return b"".join(map(text, value))
    if isinstance(value, dict):
        return text(value["of"]) * int(value["times"])
    return str(value).encode("latin-1")


def headers(lines: list[Any]) -> list[tuple[bytes, bytes]]:
    """Header lines: "Name: value", or [name, value] where the value is long."""
    pairs = []
    for line in lines:
        if isinstance(line, list):
            pairs.append((text(line[0]), text(line[1])))
        else:
            name, _, value = text(line).partition(b":")
            pairs.append((name, value.removeprefix(b" ")))
    return pairs


def plain(value: Any) -> Any:
    """As JSON has it: bytes as text, tuples as lists."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def lines(pairs: list[tuple[bytes, bytes]]) -> list[str]:
    return [f"{plain(name)}: {plain(value)}" for name, value in pairs]
