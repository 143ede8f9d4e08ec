"""`tiercel.sqlalchemy`: from flush to commit or rollback what a transaction changes is announced. Over SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from support.runs import in_loop
from tiercel import Cache
from tiercel.sqlalchemy import install


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    team: Mapped[str] = mapped_column(default="blue")


def keys_of(user: User) -> list[str]:
    return [f"user:{user.id}"]


def teams_of(user: User) -> list[str]:
    """The new one and the old one."""
    history = inspect(user).attrs.team.history
    return [f"team:{team}" for team in (*history.sum(),) if team]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'users.db'}")
    async with made.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.dispose()


@pytest.fixture
def cache() -> Cache:
    return Cache("memory://")


@pytest.fixture
def sessions(engine: AsyncEngine, cache: Cache) -> Iterator[async_sessionmaker[AsyncSession]]:
    maker = async_sessionmaker(engine, expire_on_commit=False)
    hook = install(maker, cache, keys=keys_of, tags=teams_of)
    yield maker
    hook.remove()


async def kept(cache: Cache, key: str, tags: tuple[str, ...] = ()) -> bool:
    """Whether a load of now is stored."""
    await cache.get_or_load(key, lambda: "loaded", tags=tags)
    return await cache.exists(key)


async def test_what_is_flushed_is_held_until_the_commit(
    cache: Cache, sessions: async_sessionmaker[AsyncSession]
) -> None:
    async with sessions() as session:
        session.add(User(id=1, name="Ada"))
        assert await kept(cache, "user:1")  # nobody has asked for anything yet
        await session.flush()
        assert not await cache.exists("user:1") and not await kept(cache, "user:1")
        assert not await kept(cache, "list", ("team:blue",))
        assert await kept(cache, "user:2")
        await session.commit()
        assert await kept(cache, "user:1") and await kept(cache, "list", ("team:blue",))


async def test_a_commit_flushes_by_itself_and_drops_what_stood(
    cache: Cache, sessions: async_sessionmaker[AsyncSession]
) -> None:
    async with sessions() as session, session.begin():
        session.add(User(name="Ada"))  # the primary key comes from the database
    await cache.set("user:1", "old")
    async with sessions() as session, session.begin():
        user = await session.get(User, 1)
        assert user is not None
        user.name = "Grace"
    assert not await cache.exists("user:1") and await kept(cache, "user:1")
    async with sessions() as session, session.begin():
        await session.delete(await session.get(User, 1))
    assert not await cache.exists("user:1") and await kept(cache, "user:1")


async def test_a_row_that_moves_takes_both_of_its_tags(
    cache: Cache, sessions: async_sessionmaker[AsyncSession]
) -> None:
    async with sessions() as session, session.begin():
        session.add(User(id=1, name="Ada"))
    await cache.set("blue", 1, tags=["team:blue"])
    await cache.set("red", 1, tags=["team:red"])
    await cache.set("green", 1, tags=["team:green"])
    async with sessions() as session, session.begin():
        user = await session.get(User, 1)
        assert user is not None
        user.team = "red"
    assert await cache.get_many(["blue", "red", "green"]) == {"green": 1}


@pytest.mark.parametrize("way", ["rollback", "close", "exception", "cancelled"])
async def test_it_ends_with_the_transaction_however_that_ends(
    cache: Cache, sessions: async_sessionmaker[AsyncSession], way: str
) -> None:
    flushed = asyncio.Event()

    async def works() -> None:
        async with sessions() as session:
            session.add(User(id=1, name="Ada"))
            await session.flush()
            assert not await kept(cache, "user:1")
            flushed.set()
            if way == "rollback":
                await session.rollback()
                assert await kept(cache, "user:1")
            elif way == "exception":
                raise ZeroDivisionError
            elif way == "cancelled":
                await asyncio.sleep(30)

    task = asyncio.create_task(works())
    await flushed.wait()
    if way == "cancelled":
        task.cancel()
    await asyncio.wait([task])
    assert await kept(cache, "user:1")


async def test_a_savepoint_ends_nothing(cache: Cache, sessions: async_sessionmaker[AsyncSession]) -> None:
    async with sessions() as session:
        async with session.begin_nested():
            session.add(User(id=1, name="Ada"))
        assert not await kept(cache, "user:1")
        savepoint = await session.begin_nested()
        session.add(User(id=2, name="Grace"))
        await session.flush()
        await savepoint.rollback()
        assert not await kept(cache, "user:2")
        await session.commit()
    assert await kept(cache, "user:1") and await kept(cache, "user:2")


async def test_what_did_not_change_is_not_named(cache: Cache, sessions: async_sessionmaker[AsyncSession]) -> None:
    async with sessions() as session, session.begin():
        session.add_all([User(id=1, name="Ada"), User(id=2, name="Grace")])
    await cache.set("user:1", "kept")
    async with sessions() as session, session.begin():
        first, second = await session.get(User, 1), await session.get(User, 2)
        assert first is not None and second is not None
        first.name = "Ada"
        second.name = "Hopper"
    assert await cache.get("user:1") == "kept"


async def test_more_names_than_one_announcement_takes(cache: Cache, sessions: async_sessionmaker[AsyncSession]) -> None:
    async with sessions() as session:
        session.add_all([User(id=number, name="x", team=f"t{number}") for number in range(1, 1201)])
        await session.flush()
        assert not await kept(cache, "user:1200") and not await kept(cache, "x", ("team:t1200",))
        await session.commit()
    assert await kept(cache, "user:1200") and await kept(cache, "x", ("team:t1200",))


async def test_sessions_of_another_maker_are_left_alone(
    cache: Cache, sessions: async_sessionmaker[AsyncSession], engine: AsyncEngine
) -> None:
    await cache.set("user:1", "kept")
    async with async_sessionmaker(engine)() as session, session.begin():
        session.add(User(id=1, name="Ada"))
    assert await cache.get("user:1") == "kept"


async def test_a_bulk_statement_names_nothing(cache: Cache, sessions: async_sessionmaker[AsyncSession]) -> None:
    await cache.set("user:1", "kept")
    async with sessions() as session, session.begin():
        await session.execute(update(User).values(name="x"))
    assert await cache.get("user:1") == "kept"  # so `async with cache.writing(…)` belongs around it


async def test_removed_it_names_nothing_more(cache: Cache, engine: AsyncEngine) -> None:
    maker = async_sessionmaker(engine)
    hook = install(maker, cache, keys=keys_of)
    hook.remove()
    hook.remove()
    await cache.set("user:1", "kept")
    async with maker() as session, session.begin():
        session.add(User(id=1, name="Ada"))
    assert await cache.get("user:1") == "kept"


async def test_one_session_or_one_class_may_be_named(cache: Cache, engine: AsyncEngine) -> None:
    class OwnSession(AsyncSession):
        pass

    async with AsyncSession(engine) as session:
        install(session, cache, keys=keys_of)
        session.add(User(id=1, name="Ada"))
        await session.flush()
        assert not await kept(cache, "user:1")
    install(OwnSession, cache, keys=keys_of)
    async with OwnSession(engine) as session:
        session.add(User(id=2, name="Ada"))
        await session.flush()
        assert not await kept(cache, "user:2")
    assert await kept(cache, "user:1") and await kept(cache, "user:2")


def test_a_plain_session_in_a_thread_without_a_loop(tmp_path: Path) -> None:
    cache = Cache("memory://")
    engine = create_engine(f"sqlite:///{tmp_path / 'users.db'}")
    Base.metadata.create_all(engine)
    maker = sessionmaker(engine)
    install(maker, cache, keys=keys_of)

    async def is_kept() -> bool:
        return await kept(cache, "user:1")

    with maker() as session:
        session.add(User(id=1, name="Ada"))
        session.flush()
        assert not in_loop(is_kept)
        session.commit()
    assert in_loop(is_kept)

    async def on_a_loop() -> None:
        with maker() as session:
            session.add(User(id=2, name="Ada"))
            with pytest.raises(RuntimeError, match="use AsyncSession"):
                session.flush()

    in_loop(on_a_loop)
    engine.dispose()


async def test_what_cannot_be_meant_is_refused_by_name(cache: Cache, engine: AsyncEngine) -> None:
    maker = async_sessionmaker(engine)
    with pytest.raises(ValueError, match="keys, tags: neither"):
        install(maker, cache)
    with pytest.raises(TypeError, match=r"^keys: expected a function of an instance, not list"):
        install(maker, cache, keys=["user:1"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^sessions: expected a sessionmaker.*not AsyncEngine"):
        install(engine, cache, keys=keys_of)
    answers: dict[str, Any] = {"keys": "user:1", "tags": 42}
    for argument, answer in answers.items():
        hook = install(maker, cache, **{argument: lambda _, answer=answer: answer})
        async with maker() as session:
            session.add(User(name="Ada"))
            with pytest.raises(TypeError, match=f"^{argument}: expected its function to return a list"):
                await session.flush()
        hook.remove()
    hook = install(maker, cache, keys=lambda _: None)
    async with maker() as session, session.begin():
        session.add(User(name="Ada"))
    hook.remove()


async def test_a_name_that_cannot_be_meant_fails_the_flush_and_leaves_nothing_announced(
    cache: Cache, engine: AsyncEngine
) -> None:
    """Some of its names may have been announced by then: they end with the rollback."""
    maker = async_sessionmaker(engine)
    wrong: dict[str, Any] = {"it is empty": "", "524288 bytes, the limit is 1024": "x" * (512 << 10)}
    for said, name in wrong.items():
        hook = install(maker, cache, tags=lambda _, name=name: [f"tag-{number}" for number in range(64)] + [name])
        async with maker() as session:
            session.add(User(name="Ada"))
            with pytest.raises(ValueError, match=f"^tags: {said}"):
                await session.flush()
        hook.remove()
        assert await kept(cache, f"key of {len(name)}", ("tag-0",))


def test_it_is_imported_only_by_who_asks_for_it() -> None:
    from support.runs import run_child

    run_child("import sys, tiercel\nassert 'sqlalchemy' not in sys.modules")
