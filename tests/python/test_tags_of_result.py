"""Tags that are known from the result of a load alone: a function of it, or templates that name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tiercel import Cache


@dataclass
class Page:
    team: int


@pytest.fixture
async def cache() -> Any:
    async with Cache("memory://") as made:
        yield made


async def test_get_or_load_takes_a_function_of_the_result(cache: Cache) -> None:
    def tags(page: dict[str, int]) -> list[str]:
        return [f"team:{page['team']}"]

    assert await cache.get_or_load("page:1", lambda: {"team": 7}, tags=tags) == {"team": 7}
    assert await cache.get("page:1") == {"team": 7}
    await cache.invalidate(tags=["team:8"])
    assert await cache.get("page:1") == {"team": 7}
    await cache.invalidate(tags=["team:7"])
    assert await cache.get("page:1") is None


async def test_what_was_loaded_while_a_tag_of_it_was_invalidated_is_not_stored(cache: Cache) -> None:
    async def load() -> str:
        await cache.invalidate(tags=["t"])
        return "old"

    assert await cache.get_or_load("k", load, tags=lambda _: ["t"]) == "old"
    assert await cache.get("k") is None


@pytest.mark.parametrize("by", ["template", "function"])
async def test_a_cached_function_names_its_result(cache: Cache, by: str) -> None:
    calls: list[int] = []
    tags: Any = ["pages", "team:{result.team}"] if by == "template" else lambda page: ["pages", f"team:{page.team}"]

    @cache.cached(prefix="page", tags=tags)
    async def page(number: int) -> Page:
        calls.append(number)
        return Page(team=number % 2)

    for tag, again in (("team:1", [1, 3]), ("pages", [1, 2, 3])):
        for number in (1, 2, 3):
            await page(number)
        calls.clear()
        await cache.invalidate(tags=[tag])
        for number in (1, 2, 3):
            await page(number)
        assert calls == again
        calls.clear()


def test_a_cached_def_names_its_result_too() -> None:
    cache = Cache("memory://")

    @cache.cached(prefix="page", tags=["team:{result.team}"])
    def page(number: int) -> Page:
        calls.append(number)
        return Page(team=number)

    calls: list[int] = []
    page(1), page(1)
    assert calls == [1]

    async def invalidate() -> None:
        await cache.invalidate(tags=["team:1"])

    import asyncio

    asyncio.run(invalidate())
    page(1)
    assert calls == [1, 1]


async def test_a_parameter_called_result_is_the_parameter(cache: Cache) -> None:
    @cache.cached(prefix="x", tags=["r:{result}"])
    async def double(result: int) -> int:
        return 2 * result

    await double(4)
    await cache.invalidate(tags=["r:8"])
    assert await double(4) == 8 and cache.stats().loads == 1
    await cache.invalidate(tags=["r:4"])
    assert await double(4) == 8 and cache.stats().loads == 2


async def test_a_result_of_none_names_nothing_in_templates(cache: Cache) -> None:
    @cache.cached(prefix="page", tags=["team:{result.team}"])
    async def page(number: int) -> Page | None:
        return None

    assert await page(1) is None
    assert await page(1) is None
    assert cache.stats().loads == 1


async def test_what_is_no_list_of_names_is_refused_where_it_is_called(cache: Cache) -> None:
    with pytest.raises(ValueError, match=r"tags: .*a parameter; give a function"):
        cache.cached(prefix="p", tags=["{number}:{result.team}"])(_page)
    for wrong, error in ((lambda _: "users", TypeError), (lambda _: [1], TypeError), (lambda _: [""], ValueError),
                         (lambda _: [str(n) for n in range(65)], ValueError)):  # fmt: skip
        with pytest.raises(error, match="tags: "):
            await cache.get_or_load("k", lambda: 1, tags=wrong)  # type: ignore[arg-type]
    assert await cache.get("k") is None


async def _page(number: int) -> Page:
    return Page(number)
