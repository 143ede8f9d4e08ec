"""What every adapter offers; a rival that lacks a thing leaves it out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pydantic import BaseModel


class User(BaseModel):
    """The small model that function benchmarks return."""

    id: int
    name: str
    email: str
    active: bool


def some_user(user_id: int) -> User:
    return User(id=user_id, name="Ada Lovelace", email="ada@example.org", active=True)


TEXT_300 = "x" * 300  # what Redis benchmarks fetch

Get = Callable[[str], Awaitable[object]]
GetUser = Callable[[int], Awaitable[User]]


class RedisRival(Protocol):
    """Reads a key of 300 bytes from Redis, every time, over connections opened before the measurement."""

    def __call__(self, url: str) -> AbstractAsyncContextManager[Get]: ...


class FunctionRival(Protocol):
    """A function that returns a User, cached in this process."""

    def __call__(self) -> AbstractAsyncContextManager[GetUser]: ...


__all__ = ["TEXT_300", "AsyncIterator", "FunctionRival", "Get", "GetUser", "RedisRival", "User", "some_user"]
