"""Owns the source of truth: one SQLite file whose rows carry a version, unique and ascending for each key."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

LOCK_SECONDS_MAX = 20.0  # a stopped process may hold the write lock


class Source:
    """A connection of this process. WAL: readers see the last commit and never wait."""

    def __init__(self, path: Path) -> None:
        self._rows = sqlite3.connect(path, timeout=LOCK_SECONDS_MAX, isolation_level=None)
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.execute("PRAGMA synchronous=OFF")  # a killed process loses nothing; only a machine would

    @classmethod
    def create(cls, path: Path, keys: Iterable[str]) -> Source:
        source = cls(path)
        source._rows.execute("CREATE TABLE facts (key TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID")
        source._rows.executemany("INSERT INTO facts VALUES (?, 1)", [(key,) for key in keys])
        return source

    def read(self, key: str) -> int:
        (version,) = self._rows.execute("SELECT version FROM facts WHERE key = ?", (key,)).fetchone()
        return int(version)

    def write(self, keys: Sequence[str]) -> dict[str, int]:
        """One transaction that gives each row its next version; returns them."""
        self._rows.execute("BEGIN IMMEDIATE")
        self._rows.executemany("UPDATE facts SET version = version + 1 WHERE key = ?", [(key,) for key in keys])
        written = {key: self.read(key) for key in keys}
        self._rows.execute("COMMIT")
        return written

    def close(self) -> None:
        self._rows.close()
