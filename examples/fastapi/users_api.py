"""Owns: the routes of the users: service, repositories, events. All share one row and one key, `user:<id>`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from tiercel.fastapi import CachePolicy, Invalidates

from .caching import cache
from .database import database
from .events import invalidator
from .models import User, UserCreate, UserOut, UserUpdate
from .repositories import CachedUserRepository, WriteThroughUserRepository
from .users import UserService

router = APIRouter()
service = UserService()
cache_aside = CachedUserRepository(cache, database)
write_through = WriteThroughUserRepository(cache, database)

# A stored response falls by itself when its own path is written to (/users/7 by PUT /users/7). Here other paths write
# the same user, so the reads carry tags and the writes name them.
reads_user = CachePolicy(expire=60, tags=["user:{user_id}"])
writes_user = Invalidates(tags=["user:{user_id}", "users"])


@router.get(
    "/users", dependencies=[CachePolicy(expire=60, tags=["users"])], response_model=list[UserOut], tags=["users"]
)
async def read_users(skip: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 100) -> Any:
    """A page of users: a cached method with a key_builder."""
    return await service.get_all(skip, limit)


@router.get("/users/{user_id}", dependencies=[reads_user], response_model=UserOut, tags=["users"])
async def read_user(user_id: str) -> Any:
    """One user: a cached method."""
    return _found(await service.get_by_id(user_id))


@router.post("/users", status_code=201, response_model=UserOut, tags=["users"])
async def create_user(data: UserCreate) -> Any:
    """A new user. Drops the lists."""
    return await service.create(data)


@router.put("/users/{user_id}", dependencies=[writes_user], response_model=UserOut, tags=["users"])
async def update_user(user_id: str, data: UserUpdate) -> Any:
    """A change by the service, which deletes `user:<id>` and `users_list:*`."""
    return _found(await service.update(user_id, data))


@router.get("/cache-aside/users/{user_id}", dependencies=[reads_user], response_model=UserOut, tags=["repositories"])
async def read_cache_aside(user_id: str) -> Any:
    """The same user by the cached repository: it hits what the service has stored, and the other way round."""
    return _found(await cache_aside.get(user_id))


@router.put("/cache-aside/users/{user_id}", dependencies=[writes_user], response_model=UserOut, tags=["repositories"])
async def save_cache_aside(user_id: str, data: UserUpdate) -> Any:
    """Saves and drops: the next reader asks the database."""
    return await cache_aside.save(await _changed(user_id, data))


@router.put("/write-through/users/{user_id}", dependencies=[writes_user], response_model=UserOut, tags=["repositories"])
async def save_write_through(user_id: str, data: UserUpdate) -> Any:
    """Saves and stores: the next reader hits the new value."""
    return await write_through.save(await _changed(user_id, data))


@router.put("/behind-the-back/users/{user_id}", response_model=UserOut, tags=["events"])
async def write_behind_the_back(user_id: str, data: UserUpdate) -> Any:
    """What another program would do: write the row and tell no cache. Readers see the old user until the event."""
    user = await _changed(user_id, data)
    async with database.session() as session:
        user = await session.merge(user)
        await session.commit()
    return UserOut.model_validate(user, from_attributes=True)


@router.post("/events/user_updated", status_code=204, tags=["events"])
async def user_updated(user_id: str) -> None:
    """The event: drops the entry, the lists and the stored responses of this user (events.py)."""
    await invalidator.emit("user_updated", user_id=user_id)


async def _changed(user_id: str, data: UserUpdate) -> User:
    user = _found(await service.get_by_id_uncached(user_id))
    for name, value in data.model_dump(exclude_none=True).items():
        setattr(user, name, value)
    return user  # type: ignore[no-any-return]


def _found(value: Any) -> Any:
    if value is None:
        raise HTTPException(404)
    return value
