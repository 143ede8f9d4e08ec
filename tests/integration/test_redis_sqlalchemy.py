"""The session hook over a real server: the window around a commit is closed for other processes; Redis away refuses the commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from support.servers import Server
from support.waiting import eventually
from tiercel import Cache, Unavailable
from tiercel.sqlalchemy import install


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'items.db'}")
    async with made.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.dispose()


async def price(engine: AsyncEngine) -> int | None:
    async with AsyncSession(engine) as session:
        found: int | None = await session.scalar(select(Item.price).where(Item.id == 1))
        return found


async def test_what_another_process_reads_around_the_commit_is_not_stored(
    redis_server: Server, engine: AsyncEngine
) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as writer, Cache(redis_server.url(), op_timeout=5) as reader:
        maker = async_sessionmaker(engine)
        install(maker, writer, keys=lambda item: [f"item:{item.id}"], tags=lambda _: ["items"])
        for new in range(5):
            async with maker() as session:
                await session.merge(Item(id=1, price=new))
                await session.flush()
                assert (await reader.explain("item:1"))["redis"]["state"] == "intent"
                old = await reader.get_or_load("item:1", lambda: price(engine), fresh="now")
                assert old == (new - 1 if new else None)
                await session.commit()
            assert await reader.get_or_load("item:1", lambda: price(engine), fresh="now") == new
            assert await reader.get_or_load("sum", lambda: price(engine), tags=["items"], fresh="now") == new


async def test_without_redis_the_transaction_is_rolled_back_unless_it_may_go_on(
    fresh_redis: Server, engine: AsyncEngine
) -> None:
    async with Cache(fresh_redis.url()) as cache:
        strict, lenient = async_sessionmaker(engine), async_sessionmaker(engine)
        install(strict, cache, keys=lambda item: [f"item:{item.id}"])
        install(lenient, cache, keys=lambda item: [f"item:{item.id}"], strict=False)
        fresh_redis.stop()
        await eventually(lambda: cache.stats().redis["state"] != "ready")
        with pytest.raises(Unavailable, match=r"^writing: "):
            async with strict() as session, session.begin():
                session.add(Item(id=1, price=1))
        assert await price(engine) is None
        async with lenient() as session, session.begin():
            session.add(Item(id=1, price=2))
        assert await price(engine) == 2
        assert cache.stats().invalidations_pending > 0
