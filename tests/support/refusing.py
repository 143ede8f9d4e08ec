"""Owns what a proxy does to commands that it does not know: they are refused, and the rest passes. The server refuses them by itself, under
names that it cannot have, so answers keep their order.
"""

from __future__ import annotations

from collections.abc import Collection


class Refusing:
    """The bytes of one client towards the server, piece by piece. `names`: of commands, or of a command and its subcommand."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = {name.upper().encode() for name in names}
        self._held = bytearray()

    def __call__(self, piece: bytes) -> bytes:
        self._held += piece
        passed = bytearray()
        while (command := self._take()) is not None:
            words, size = command
            refused = {words[0].upper(), b" ".join(words[:2]).upper()} & self._names
            passed += _encoded([b"PROXY-KNOWS-NO-" + words[0], *words[1:]]) if refused else self._held[:size]
            del self._held[:size]
        return bytes(passed)

    def _take(self) -> tuple[list[bytes], int] | None:
        """The first command and its length in bytes; None: it is not all there."""
        at, words = 0, []
        count = self._number(at)
        if count is None:
            return None
        left, at = count
        for _ in range(left):
            length = self._number(at)
            if length is None or len(self._held) < length[1] + length[0] + 2:
                return None
            words.append(bytes(self._held[length[1] : length[1] + length[0]]))
            at = length[1] + length[0] + 2
        return words, at

    def _number(self, at: int) -> tuple[int, int] | None:
        end = self._held.find(b"\r\n", at)
        return None if end < 0 else (int(self._held[at + 1 : end]), end + 2)


def _encoded(words: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
