"""A complete cache service: set, get, tags, patterns, many at once, one load for a crowd.

python examples/fastapi/cache_service.py
TIERCEL_URL=redis://localhost:6379/0 python examples/fastapi/cache_service.py
"""

import asyncio
import os
from datetime import datetime
from decimal import Decimal

from tiercel import MISSING, Cache, escape

URL = os.environ.get("TIERCEL_URL") or "memory://"


def show(what: str, seen: object, wanted: object) -> None:
    print(f"{what:<52} {seen!r}")
    if seen != wanted:
        raise SystemExit(f"{what}: expected {wanted!r}")


async def values(cache: Cache) -> None:
    account = {"owner": "Ada", "since": datetime(2024, 2, 29, 12, 0), "balance": Decimal("12.30")}
    await cache.set("account:1", account, 300)
    show("a datetime and a Decimal come back as they were", await cache.get("account:1"), account)
    await cache.set("flags", {"empty": [], "zero": 0}, expire="5m")
    await cache.set("nobody", None, expire="5m")
    show("None is a value ...", await cache.get("nobody", default=MISSING), None)
    show("... and nothing is MISSING", await cache.get("somebody", default=MISSING) is MISSING, True)
    found = await cache.get_many(["account:1", "account:2", "nobody"])
    show("many at once, those that are there", sorted(found), ["account:1", "nobody"])
    show("deleted", await cache.delete("account:1"), 1)
    show("gone", await cache.exists("account:1"), False)


async def tags_and_patterns(cache: Cache) -> None:
    for page in range(3):
        await cache.set(f"orders:7:{page}", [page], 60, tags=["user:7"])
    await cache.set("orders:70:0", ["another user's"], 60)
    await cache.invalidate(tags=["user:7"])
    show("a tag drops all that carry it", [await cache.exists(f"orders:7:{page}") for page in range(3)], [False] * 3)
    await cache.set("orders:7:0", ["new"], 60)
    await cache.delete_pattern(f"orders:{escape('7')}:*")
    show("a pattern drops these keys ...", await cache.exists("orders:7:0"), False)
    show("... and no other's", await cache.exists("orders:70:0"), True)


async def one_load_for_a_crowd(cache: Cache) -> None:
    loads = 0

    async def load() -> str:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.02)
        return "expensive"

    await asyncio.gather(*(cache.get_or_load("report", load, expire="1m") for _ in range(100)))
    show("a hundred callers of a cold key, loads", loads, 1)


async def main() -> None:
    print(f"Tiercel on {URL}")
    async with Cache(URL, namespace=f"example-{os.getpid()}") as cache:
        await values(cache)
        await tags_and_patterns(cache)
        await one_load_for_a_crowd(cache)
        await cache.delete_pattern("*")


if __name__ == "__main__":
    asyncio.run(main())
