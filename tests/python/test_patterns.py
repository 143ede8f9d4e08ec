"""The patterns as classes: who loads, who stores, what a failure leaves behind."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from uuid import UUID

import pytest

from tiercel import Cache
from tiercel.patterns import CacheAside, ReadThrough, Repository, Unwritten, WriteBehind, WriteThrough


class Database(Repository[int, str]):
    """Rows in a dict, every call counted, and failing on demand."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {1: "one", 2: "two", 3: "three"}
        self.calls: list[tuple[str, Any]] = []
        self.fails: Counter[Any] = Counter()  # by key or method: how often still
        self.gate = asyncio.Event()
        self.gate.set()

    async def _called(self, name: str, what: Any, keys: Iterable[Any]) -> None:
        self.calls.append((name, what))
        await self.gate.wait()
        for failing in (name, *keys):
            if self.fails[failing] > 0:
                self.fails[failing] -= 1
                raise ConnectionError(f"{failing} failed")

    async def load(self, key: int) -> str | None:
        await self._called("load", key, [key])
        return self.rows.get(key)

    async def load_many(self, keys: Iterable[int]) -> Mapping[int, str]:
        keys = list(keys)
        await self._called("load_many", keys, keys)
        return {key: self.rows[key] for key in keys if key in self.rows}

    async def store(self, key: int, value: str) -> None:
        await self._called("store", (key, value), [key])
        self.rows[key] = value

    async def store_many(self, values: Mapping[int, str]) -> None:
        await self._called("store_many", dict(values), values)
        self.rows.update(values)

    async def remove(self, key: int) -> None:
        await self._called("remove", key, [key])
        self.rows.pop(key, None)


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    async with Cache("memory://") as cache:
        yield cache


@pytest.fixture
async def database() -> Database:
    return Database()


# Reading


async def test_read_through_loads_once_and_under_the_key_of_a_decorated_function(
    cache: Cache, database: Database
) -> None:
    rows = ReadThrough(cache, database, "row")
    assert await rows.get(1) == "one"
    assert await rows.get(1) == "one"
    assert await cache.get("row:1") == "one"
    assert database.calls == [("load", 1)]


async def test_callers_who_come_together_share_one_load(cache: Cache, database: Database) -> None:
    rows = ReadThrough(cache, database, "row")
    assert await asyncio.gather(*(rows.get(1) for _ in range(20))) == ["one"] * 20
    assert database.calls == [("load", 1)]


async def test_get_many_loads_all_that_is_missing_at_once(cache: Cache, database: Database) -> None:
    rows = ReadThrough(cache, database, "row")
    await rows.get(2)
    assert await rows.get_many([1, 2, 3, 4, 1]) == {1: "one", 2: "two", 3: "three"}
    assert database.calls == [("load", 2), ("load_many", [1, 3, 4])]
    assert await rows.get_many([4, 3]) == {3: "three"}  # that there is none is known, too
    assert len(database.calls) == 2


async def test_a_failing_load_many_fails_who_asked_and_nobody_after(cache: Cache, database: Database) -> None:
    rows = ReadThrough(cache, database, "row")
    database.fails["load_many"] = 1
    with pytest.raises(ConnectionError):
        await rows.get_many([1, 2])
    assert await rows.get_many([1, 2]) == {1: "one", 2: "two"}


async def test_an_invalidation_during_a_batch_is_not_overwritten_by_it(cache: Cache, database: Database) -> None:
    rows = ReadThrough(cache, database, "row")
    database.gate.clear()
    reading = asyncio.create_task(rows.get_many([1, 2]))
    while not database.calls:
        await asyncio.sleep(0)
    database.rows[1] = "new"
    await rows.forget(1)
    database.gate.set()
    await reading
    assert await cache.get("row:1") is None
    assert await rows.get(1) == "new"


async def test_a_repository_without_many_gets_them_one_by_one(cache: Cache) -> None:
    class Small(Repository[str, int]):
        def __init__(self) -> None:
            self.rows: dict[str, int] = {"a": 1}

        async def load(self, key: str) -> int | None:
            return self.rows.get(key)

        async def store(self, key: str, value: int) -> None:
            self.rows[key] = value

        async def remove(self, key: str) -> None:
            del self.rows[key]

    rows = CacheAside(cache, Small(), "small")
    await rows.save_many({"b": 2, "c": 3})
    assert await rows.get_many(["a", "b", "x"]) == {"a": 1, "b": 2}


def test_keys_are_text_one_would_have_written_or_need_a_function() -> None:
    cache = Cache("memory://")
    rows: ReadThrough[Any, Any] = ReadThrough(cache, Database(), "row")
    assert rows.key("a b") == "row:a b"
    assert rows.key(UUID(int=1)) == "row:00000000-0000-0000-0000-000000000001"
    for odd in (True, 1.5, None, (1,)):
        with pytest.raises(TypeError, match="give key_of"):
            rows.key(odd)
    assert ReadThrough(cache, Database(), "row", key_of=lambda key: f"<{key}>").key(1) == "row:<1>"
    with pytest.raises(ValueError, match="prefix"):
        ReadThrough(cache, Database(), "")
    with pytest.raises(ValueError, match="expire"):
        ReadThrough(cache, Database(), "row", 0)


# Writing at once


async def test_cache_aside_writes_the_repository_and_drops_the_entry(cache: Cache, database: Database) -> None:
    rows = CacheAside(cache, database, "row")
    await rows.get(1)
    await rows.save(1, "new")
    assert not await cache.exists("row:1")
    assert await rows.get(1) == "new"
    await rows.remove(1)
    assert await rows.get(1) is None


@pytest.mark.parametrize("pattern", [CacheAside, WriteThrough])
async def test_a_failing_write_is_raised_and_its_entry_dropped(cache: Cache, database: Database, pattern: Any) -> None:
    rows = pattern(cache, database, "row")
    for write in (lambda: rows.save(1, "new"), lambda: rows.save_many({1: "new"}), lambda: rows.remove(1)):
        await rows.get(1)
        database.fails[1] = 1
        with pytest.raises(ConnectionError):
            await write()
        assert not await cache.exists("row:1")


async def test_write_through_leaves_the_new_value_in_the_cache(cache: Cache, database: Database) -> None:
    rows = WriteThrough(cache, database, "row", "5m", tags=["rows"])
    await rows.save(1, "new")
    await rows.save_many({2: "zwei", 3: "drei"})
    assert await rows.get_many([1, 2, 3]) == {1: "new", 2: "zwei", 3: "drei"}
    assert [name for name, _ in database.calls] == ["store", "store_many"]
    await cache.invalidate(tags=["rows"])
    assert not await cache.exists("row:1")


async def test_write_through_of_what_cannot_be_cached_drops_the_old_value_and_raises(cache: Cache) -> None:
    database: Any = Database()
    rows: WriteThrough[int, Any] = WriteThrough(cache, database, "row")
    await rows.get(1)
    with pytest.raises(TypeError, match="has no codec"):
        await rows.save(1, object())
    assert not await cache.exists("row:1")


# Writing behind


class Sleeps:
    """A sleep that is over at once, and remembers how long it would have been."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def sleep() -> Sleeps:
    return Sleeps()


async def test_write_behind_answers_first_and_writes_later(cache: Cache, database: Database, sleep: Sleeps) -> None:
    async with WriteBehind(cache, database, "row", sleep=sleep) as rows:
        database.gate.clear()
        await rows.save(1, "new")
        assert rows.pending == 1
        assert database.rows[1] == "one"
        assert await rows.get(1) == "new"
        database.gate.set()
        await rows.flush()
        assert database.rows[1] == "new"
        assert rows.pending == 0
    assert await cache.get("row:1") == "new"


async def test_what_waits_is_read_even_if_the_cache_lost_it(cache: Cache, database: Database, sleep: Sleeps) -> None:
    async with WriteBehind(cache, database, "row", sleep=sleep) as rows:
        database.gate.clear()
        await rows.save(1, "new")
        await rows.remove(2)
        await cache.clear()
        assert await rows.get(1) == "new"
        assert await rows.get(2) is None
        database.gate.set()
        assert await rows.get_many([1, 2, 3]) == {1: "new", 3: "three"}
    assert database.rows == {1: "new", 3: "three"}


async def test_writes_of_one_key_become_one_and_keep_their_order(
    cache: Cache, database: Database, sleep: Sleeps
) -> None:
    async with WriteBehind(cache, database, "row", sleep=sleep) as rows:
        database.gate.clear()
        await rows.save(1, "first")
        while not database.calls:  # in flight
            await asyncio.sleep(0)
        for value in ("second", "third", "last"):
            await rows.save(1, value)
        database.gate.set()
    assert database.calls == [("store", (1, "first")), ("store", (1, "last"))]
    assert database.rows[1] == "last"


async def test_many_writes_go_in_batches(cache: Cache, database: Database, sleep: Sleeps) -> None:
    async with WriteBehind(cache, database, "row", sleep=sleep, batch_items_max=10) as rows:
        for key in range(25):
            await rows.save(key, str(key))
    assert [name for name, _ in database.calls] == ["store_many"] * len(database.calls)
    assert all(len(what) <= 10 for _, what in database.calls)
    assert database.rows == {key: str(key) for key in range(25)}


async def test_a_full_queue_makes_writers_wait(cache: Cache, database: Database, sleep: Sleeps) -> None:
    async with WriteBehind(cache, database, "row", sleep=sleep, queue_items_max=2, batch_items_max=1) as rows:
        database.gate.clear()
        await rows.save(10, "a")
        while not database.calls:
            await asyncio.sleep(0)
        await rows.save(11, "b")
        await rows.save(12, "c")
        waiting = asyncio.create_task(rows.save(13, "d"))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        await rows.save(12, "c2")  # a key that is queued needs no room
        database.gate.set()
        await waiting
    assert [database.rows[key] for key in (10, 11, 12, 13)] == ["a", "b", "c2", "d"]


async def test_a_failing_write_is_tried_again_with_growing_pauses(
    cache: Cache, database: Database, sleep: Sleeps
) -> None:
    database.fails[1] = 4
    async with WriteBehind(cache, database, "row", sleep=sleep) as rows:
        await rows.save(1, "new")
        await rows.flush()
    assert database.rows[1] == "new"
    pauses = sleep.slept[1:]  # the first is the delay before a batch
    assert len(pauses) == 4
    assert all(0.5 <= pause / (0.1 * 2**i) <= 1.0 for i, pause in enumerate(pauses))


async def test_one_bad_write_does_not_hold_up_the_others_and_is_not_lost_in_silence(
    cache: Cache, database: Database, sleep: Sleeps, caplog: pytest.LogCaptureFixture
) -> None:
    database.fails[1] = 10**6
    told: list[Any] = []
    rows = WriteBehind(
        cache, database, "row", sleep=sleep, attempts_max=3, on_failure=lambda *facts: told.append(facts)
    )
    with pytest.raises(Unwritten, match="1 writes did not reach"), caplog.at_level(logging.ERROR, "tiercel"):  # noqa: PT012
        async with rows:
            await rows.save(1, "bad")
            await rows.save(2, "good")
            with pytest.raises(Unwritten) as unwritten:
                await rows.flush()
            assert unwritten.value.writes == {1: "bad"}
            assert not await cache.exists("row:1")
    assert database.rows[2] == "good"
    assert [(key, value, type(error)) for key, value, error in told] == [(1, "bad", ConnectionError)]
    assert any("given up after 3 attempts" in message for message in caplog.messages)


async def test_a_newer_value_replaces_one_that_keeps_failing(cache: Cache, database: Database, sleep: Sleeps) -> None:
    database.fails[1] = 1
    async with WriteBehind(cache, database, "row", sleep=sleep) as rows:
        database.gate.clear()
        await rows.save(1, "old")
        while not database.calls:
            await asyncio.sleep(0)
        await rows.save(1, "new")
        database.gate.set()
    assert [what for _, what in database.calls] == [(1, "old"), (1, "new")]


async def test_close_in_time_names_what_it_could_not_write(cache: Cache, database: Database, sleep: Sleeps) -> None:
    rows = WriteBehind(cache, database, "row", sleep=sleep)
    await rows.__aenter__()
    database.gate.clear()
    await rows.save(1, "new")
    await rows.remove(2)
    with pytest.raises(Unwritten) as unwritten:
        await rows.close(timeout=0.01)
    assert unwritten.value.writes == {1: "new", 2: None}
    assert database.rows == {1: "one", 2: "two", 3: "three"}
    with pytest.raises(RuntimeError, match="enter it first"):
        await rows.save(1, "late")


async def test_what_cannot_be_cached_is_written_all_the_same(cache: Cache, sleep: Sleeps) -> None:
    database: Any = Database()
    thing = object()
    async with WriteBehind(cache, database, "row", sleep=sleep) as rows:
        await rows.get(1)
        await rows.save(1, thing)
    assert database.rows[1] is thing
    assert not await cache.exists("row:1")


async def test_an_old_value_loaded_meanwhile_does_not_stay(cache: Cache, database: Database, sleep: Sleeps) -> None:
    async with WriteBehind(cache, database, "row", sleep=sleep) as rows:
        database.gate.clear()
        await rows.save(1, "new")
        await cache.set("row:1", "one")  # another process, after an eviction, from the repository
        database.gate.set()
    assert await cache.get("row:1") == "new"


def test_limits_that_cannot_be_are_refused() -> None:
    for name in ("queue_items_max", "batch_items_max", "attempts_max"):
        with pytest.raises(ValueError, match=name):
            WriteBehind(Cache("memory://"), Database(), "row", **{name: 0})
