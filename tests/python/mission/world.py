"""Owns: what the mission document leaves to the reader: a `User` on Beanie, a database, and the names its snippets use.

Beanie 2.1 and 2.2 do not start over mongomock-motor 0.0.36: they call `list_collection_names(authorizedCollections=…)`,
which mongomock refuses. Beanie 2.0, the first on pymongo's own asyncio driver, starts, so it runs here, unpatched.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Optional

from beanie import DecimalAnnotation, Document, init_beanie
from beanie.odm.utils.encoder import Encoder
from mongomock_motor import AsyncMongoMockClient
from pydantic import BaseModel

import tiercel

from . import snippets


class User(Document):
    """Has what JSON has no word for: an ObjectId (`id`), a datetime, a Decimal."""

    name: str
    joined: datetime
    balance: DecimalAnnotation  # Beanie's Decimal: MongoDB answers Decimal128

    class Settings:
        name = "users"


class UserCreate(BaseModel):
    name: str
    joined: datetime
    balance: Decimal


class UserUpdate(BaseModel):
    name: str | None = None
    balance: Decimal | None = None


class Users:
    """The collection as the repositories see it; counts the questions.

    bson knows no Decimal: an application gives pymongo a type codec for it. mongomock takes none, so Beanie's encoder
    stands in for it here.
    """

    def __init__(self, collection: Any) -> None:
        self.collection = collection
        self.questions = 0

    async def find_one(self, spec: dict[str, Any]) -> Any:
        self.questions += 1
        return await self.collection.find_one(spec)

    async def update_one(self, spec: dict[str, Any], update: dict[str, Any], **options: Any) -> Any:
        return await self.collection.update_one(spec, Encoder(to_db=True).encode(update), **options)


class Database:
    def __init__(self, users: Users) -> None:
        self.users = users


class World:
    """The document's uses, run against one cache and one empty database."""

    def __init__(self, cache: tiercel.RedisCache, cached: Any, database: Any, run: Any = snippets.mended) -> None:
        self.cache = cache
        self.users = Users(database.users)
        self.names: dict[str, Any] = {
            "__name__": "mission",
            # What an import replaces ...
            "RedisCache": tiercel.RedisCache,
            "cache": cache,
            "cached": cached,
            # ... and what the document takes for granted.
            "Optional": Optional,
            "User": User,
            "UserCreate": UserCreate,
            "UserUpdate": UserUpdate,
            "Database": Database,
        }
        for name in snippets.USES:
            exec(compile(run(name), f"{name}.py.txt", "exec"), self.names)
        self.service = self.names["UserService"]()
        self.repository = self.names["CachedUserRepository"](cache, Database(self.users))
        self.invalidator = self.names["CacheInvalidator"](cache)
        self.app = self.names["app"]

    @property
    def write_through(self) -> Any:
        return self.names["WriteThroughUserRepository"](self.cache, Database(self.users))


async def empty_database() -> Any:
    client = AsyncMongoMockClient()
    await init_beanie(database=client.mission, document_models=[User])
    return client.mission


NEW = UserCreate(name="Ada", joined=datetime(2024, 2, 29, 12, 30, 15, 250_000), balance=Decimal("12.30"))
