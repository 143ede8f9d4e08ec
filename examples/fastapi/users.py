"""Owns: the users service, over SQLAlchemy: cached methods, and writes that drop what they changed."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import select

from .caching import cache
from .database import database
from .models import User, UserCreate, UserOut, UserUpdate


def as_dict(user: User) -> dict[str, Any]:
    """A datetime and a Decimal are in it, and come out of the cache as such."""
    return UserOut.model_validate(user, from_attributes=True).model_dump()


class UserService:
    # The key is `user:<user_id>`: what one would write by hand, so that `cache.delete` below can.
    @cache.cached(prefix="user", expire=300)
    async def get_by_id(self, user_id: str) -> dict[str, Any] | None:
        user = await self.get_by_id_uncached(user_id)
        return as_dict(user) if user else None

    @cache.cached(prefix="users_list", expire=60, key_builder=lambda self, skip, limit, **_: f"{skip}:{limit}")
    async def get_all(self, skip: int = 0, limit: int = 100) -> list[dict[str, Any]]:
        async with database.session() as session:
            users = await session.scalars(select(User).order_by(User.joined, User.id).offset(skip).limit(limit))
            return [as_dict(user) for user in users]

    async def get_by_id_uncached(self, user_id: str) -> User | None:
        async with database.session() as session:
            return await session.get(User, user_id)

    async def create(self, data: UserCreate) -> dict[str, Any]:
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        user = User(id=uuid.uuid4().hex[:12], joined=now, **data.model_dump())
        async with database.session() as session:
            session.add(user)
            await session.commit()
        await cache.delete(f"user:{user.id}")  # somebody may have asked for it in vain before it was there
        await cache.delete_pattern("users_list:*")
        return as_dict(user)

    async def update(self, user_id: str, data: UserUpdate) -> dict[str, Any] | None:
        async with database.session() as session:
            user = await session.get(User, user_id)
            if user is None:
                return None
            for name, value in data.model_dump(exclude_none=True).items():
                setattr(user, name, value)
            await session.commit()
        await cache.delete(f"user:{user_id}")
        await cache.delete_pattern("users_list:*")
        return as_dict(user)
