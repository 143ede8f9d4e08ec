"""Owns: the connection to SQLite, sessions on it, and a count of the statements sent: what the cache has saved."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine


def data_folder() -> Path:
    """Where cities.db lies: TIERCEL_DEMO_DATA, else examples/fastapi/data, which git ignores."""
    return Path(os.environ.get("TIERCEL_DEMO_DATA") or Path(__file__).parent / "data")


def url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


class Database:
    """One SQLite file. Opened and closed by the application's lifespan."""

    def __init__(self) -> None:
        self.statements = 0
        self._engine: AsyncEngine | None = None
        self._sessions: async_sessionmaker[AsyncSession] | None = None

    def open(self, file: Path) -> None:
        self._engine = create_async_engine(url_of(file))
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        event.listen(self._engine.sync_engine, "before_cursor_execute", self._count)

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.dispose()
        self._engine = self._sessions = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        if self._sessions is None:
            raise RuntimeError("The database is not open: run the application with its lifespan.")
        async with self._sessions() as session:
            yield session

    def _count(self, *_: Any) -> None:
        self.statements += 1


database = Database()
