"""Owns: two repositories over the rows and keys of users.py. On save, cache-aside drops and write-through replaces."""

from __future__ import annotations

from typing import Any

from tiercel import Cache

from .database import Database
from .models import User
from .users import as_dict


class CachedUserRepository:
    """Cache-aside: the reader fills, the writer drops."""

    def __init__(self, cache: Cache, database: Database) -> None:
        self.cache = cache
        self.database = database

    async def get(self, user_id: str) -> dict[str, Any] | None:
        # Look, load, store in one call: readers who come together share a load, and a save meanwhile is not undone.
        key = f"user:{user_id}"
        found: dict[str, Any] | None = await self.cache.get_or_load(key, lambda: self._load(user_id), expire=300)
        return found

    async def save(self, user: User) -> dict[str, Any]:
        saved = await self._write(user)
        await self.cache.delete(f"user:{user.id}")
        await self.cache.delete_pattern("users_list:*")
        return saved

    async def _load(self, user_id: str) -> dict[str, Any] | None:
        async with self.database.session() as session:
            user = await session.get(User, user_id)
        return as_dict(user) if user else None

    async def _write(self, user: User) -> dict[str, Any]:
        async with self.database.session() as session:
            user = await session.merge(user)
            await session.commit()
        return as_dict(user)


class WriteThroughUserRepository(CachedUserRepository):
    """Write-through: the writer puts the new value in place, so the next reader hits."""

    async def save(self, user: User) -> dict[str, Any]:
        saved = await self._write(user)
        await self.cache.set(f"user:{user.id}", saved, 300)
        await self.cache.delete_pattern("users_list:*")
        return saved
