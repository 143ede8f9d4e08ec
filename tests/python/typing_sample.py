"""Not run: what type checkers must find right in decorated functions, and wrong on the lines marked so.

Checked by test_cached_typing.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from typing_extensions import assert_type

from tiercel import Cache, RedisCache, cached

cache = Cache("memory://")


@dataclass
class User:
    id: int


@cache.cached(
    prefix="user", expire="5m", tags=["user:{user_id}"], jitter=0.1, stale="1m", condition=lambda user: user is not None
)
async def get_user(user_id: int, *, deep: bool = False) -> User | None:
    return User(user_id)


@cached("rates", 60)
def get_rates(currency: str = "EUR") -> dict[str, float]:
    return {currency: 1.0}


class UserService:
    @cache.cached(prefix="user", expire=300)
    async def get_by_id(self, user_id: str) -> User | None:
        return None

    @cached(prefix="users_list", expire=60, key_builder=lambda self, skip, limit: f"{skip}:{limit}")
    async def get_all(self, skip: int = 0, limit: int = 100) -> list[User]:
        return []

    @RedisCache("memory://").cached("count")
    def count(self, kind: str) -> int:
        return 0


async def functions() -> None:
    assert_type(await get_user(42), User | None)
    assert_type(await get_user(user_id=42, deep=True), User | None)
    assert_type(await get_user.refresh(42), User | None)
    assert_type(await get_user.uncached(42, deep=True), User | None)
    assert_type(get_user.key(42), str)
    assert_type(bool(await get_user.invalidate(42)), bool)
    assert_type(await get_user.function(42), User | None)
    assert_type(await asyncio.create_task(get_user(42)), User | None)
    assert_type(await asyncio.gather(get_user(1), get_user(2)), tuple[User | None, User | None])
    assert_type(await asyncio.wait_for(get_user(1), 1), User | None)
    await get_user("42")  # WRONG
    await get_user()  # WRONG
    await get_user(42, deeper=True)  # WRONG
    get_user.key("42")  # WRONG
    await get_user.invalidate("42")  # WRONG
    await get_user.refresh()  # WRONG
    await get_user.uncached(x=1)  # WRONG


async def methods() -> None:
    service = UserService()
    assert_type(await service.get_by_id("42"), User | None)
    assert_type(await service.get_all(limit=10), list[User])
    assert_type(service.get_by_id.key("42"), str)
    assert_type(await service.get_by_id.refresh("42"), User | None)
    assert_type(await service.get_by_id.uncached("42"), User | None)
    await service.get_by_id.invalidate("42")
    await UserService.get_by_id.invalidate("42")
    assert_type(UserService.get_by_id.key("42"), str)
    assert_type(await UserService.get_by_id(service, "42"), User | None)
    await service.get_by_id(42)  # WRONG
    await service.get_by_id.invalidate(42)  # WRONG
    await UserService.get_by_id.invalidate(service, "42")  # WRONG
    service.get_all.key(skip="1")  # WRONG


def plain() -> None:
    assert_type(get_rates("USD"), dict[str, float])
    assert_type(get_rates.refresh(), dict[str, float])
    assert_type(get_rates.uncached(currency="USD"), dict[str, float])
    assert_type(get_rates.key(), str)
    assert_type(bool(get_rates.invalidate("USD")), bool)
    assert_type(UserService().count("a"), int)
    UserService.count.invalidate("a")
    get_rates(1)  # WRONG
    get_rates.invalidate(1)  # WRONG
    UserService().count(1)  # WRONG


cache.cached(prefix="x", expires=3)  # WRONG
