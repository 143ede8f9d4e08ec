"""`version=` on memory://: what is older does not replace what is newer, and what cannot be a version is refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tiercel import Cache
from tiercel.patterns import Repository, WriteThrough


@pytest.fixture
def cache() -> Cache:
    return Cache("memory://")


@dataclass
class Row:
    name: str
    version: int


async def test_an_older_version_is_refused_and_an_equal_one_taken(cache: Cache) -> None:
    assert await cache.set("key", "seven", version=7)
    assert not await cache.set("key", "six", version=6)
    assert await cache.get("key") == "seven"
    assert await cache.set("key", "seven again", version=7)
    assert await cache.set("key", "eight", version=8)
    assert await cache.get("key") == "eight"
    assert await cache.set("key", "no version", 60)  # who names none is not compared
    assert await cache.get("key") == "no version"


async def test_versions_are_compared_as_numbers_of_64_bits(cache: Cache) -> None:
    assert await cache.set("key", "large", version=2**64 - 1)
    assert not await cache.set("key", "small", version=2**63 - 1)
    assert not await cache.set("key", "smaller", version=2**32)
    assert await cache.get("key") == "large"


async def test_an_invalidation_of_an_older_version_lets_the_newer_stand(cache: Cache) -> None:
    await cache.set("key", "seven", version=7)
    await cache.set("other", 1)
    assert await cache.invalidate("key", "other", version=6)
    assert await cache.get_many(["key", "other"]) == {"key": "seven"}
    assert await cache.invalidate("key", version=7)
    assert await cache.get("key") is None


async def test_what_was_invalidated_by_its_tag_is_no_newer_version(cache: Cache) -> None:
    await cache.set("key", "seven", tags=["t"], version=7)
    await cache.invalidate(tags=["t"])
    assert await cache.set("key", "six", version=6)
    assert await cache.get("key") == "six"


async def test_a_load_tells_its_version_by_a_number_or_a_function(cache: Cache) -> None:
    assert await cache.get_or_load("a", lambda: {"v": 7}, version=lambda value: value["v"]) == {"v": 7}
    assert await cache.get_or_load("b", lambda: 1, version=7) == 1
    for key in ("a", "b"):
        assert (await cache._read(key)).version == 7
        assert not await cache.set(key, "six", version=6)


async def test_a_function_tells_the_version_of_its_results(cache: Cache) -> None:
    rows: dict[int, Row] = {42: Row("Ada", 7)}

    @cache.cached("row", version=lambda row: row.version)
    async def get_row(row_id: int) -> Row | None:
        return rows.get(row_id)

    @cache.cached("now", version=lambda row: row.version)
    def get_now(row_id: int) -> Row | None:
        return rows.get(row_id)

    assert await get_row(42) == Row("Ada", 7) and get_now(42) == Row("Ada", 7)
    assert await get_row(43) is None  # of which no version is asked
    assert (await cache._read("row:42")).version == 7
    assert (await cache._read("row:43")).version is None


async def test_write_through_lets_the_newer_value_stand(cache: Cache) -> None:
    class Rows(Repository[int, Row]):
        def __init__(self) -> None:
            self.rows: dict[int, Row] = {}

        async def load(self, key: int) -> Row | None:
            return self.rows.get(key)

        async def store(self, key: int, value: Row) -> None:
            self.rows[key] = value

        async def remove(self, key: int) -> None:
            self.rows.pop(key, None)

    rows: WriteThrough[int, Row] = WriteThrough(cache, Rows(), "row", type=Row, version_of=lambda row: row.version)
    await rows.save(1, Row("new", 8))
    await rows.save(1, Row("old", 7))  # comes late
    assert await cache.get("row:1", type=Row) == Row("new", 8)
    await rows.save_many({1: Row("newest", 9), 2: Row("two", 1)})
    assert await rows.get(1) == Row("newest", 9) and await rows.get(2) == Row("two", 1)
    assert await rows.get(3) is None
    with pytest.raises(ValueError, match=r"^version_of: expected an int"):
        await rows.save(2, Row("two", -1))
    assert not await cache.exists("row:2")


@pytest.mark.parametrize("version", [-1, 2**64, True, "1", 1.5])
async def test_what_is_no_version_is_refused_by_name(cache: Cache, version: Any) -> None:
    said = "version: expected an int from 0 to"
    with pytest.raises(ValueError, match=said):
        await cache.set("key", 1, version=version)
    with pytest.raises(ValueError, match=said):
        await cache.invalidate("key", version=version)
    with pytest.raises(ValueError, match=said):
        await cache.get_or_load("key", lambda: 1, version=version)
    with pytest.raises(ValueError, match=said):
        await cache.get_or_load("key", lambda: 1, version=lambda _: version)

    @cache.cached("row", version=lambda _: version)
    async def get_row() -> int:
        return 1

    with pytest.raises(ValueError, match=r"get_row\(\): version: expected an int"):
        await get_row()
    assert not await cache.exists("key")


def test_a_version_of_a_function_is_a_function_of_its_result(cache: Cache) -> None:
    with pytest.raises(TypeError, match=r"^version: expected a function of the result"):
        cache.cached("row", version=7)  # type: ignore[typeddict-item]

    async def version(_: object) -> int:
        return 1

    with pytest.raises(TypeError, match=r"^version: it is an async function"):
        cache.cached("row", version=version)  # type: ignore[typeddict-item]
