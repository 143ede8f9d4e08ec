"""A repository with a cache in front: the reader fills (cache-aside), the writer drops or replaces (write-through).

python examples/fastapi/cached_repository.py
TIERCEL_URL=redis://localhost:6379/0 python examples/fastapi/cached_repository.py
"""

import asyncio
import os
from dataclasses import dataclass, replace

from tiercel import Cache

URL = os.environ.get("TIERCEL_URL") or "memory://"


@dataclass(frozen=True)
class Product:
    id: int
    name: str
    price_cents: int


class Table:
    """Stands for the database, and counts how often it is asked."""

    def __init__(self) -> None:
        self.rows = {1: Product(1, "Lure", 1250), 2: Product(2, "Hood", 4900)}
        self.reads = 0

    async def read(self, product_id: int) -> Product | None:
        self.reads += 1
        return self.rows.get(product_id)


class CachedProducts:
    def __init__(self, cache: Cache, table: Table) -> None:
        self.cache, self.table = cache, table
        # The key is product:<id>; the annotation tells the codec, so a hit is a Product again.
        self.get = cache.cached(prefix="product", expire="5m")(table.read)

    async def save(self, product: Product) -> None:
        self.table.rows[product.id] = product
        await self.get.invalidate(product.id)


class WriteThroughProducts(CachedProducts):
    async def save(self, product: Product) -> None:
        self.table.rows[product.id] = product
        await self.get.refresh(product.id)  # loads and stores now, so that the next reader hits


async def reads_of(products: CachedProducts, product_id: int) -> tuple[Product | None, int]:
    before = products.table.reads
    return await products.get(product_id), products.table.reads - before


async def show(kind: type[CachedProducts], after_save: int) -> None:
    async with Cache(URL, namespace=f"example-{os.getpid()}-{kind.__name__}") as cache:
        products = kind(cache, Table())
        hood = products.table.rows[2]
        steps: list[tuple[str, tuple[Product | None, int], tuple[Product | None, int]]] = []
        steps.append(("first read", await reads_of(products, 2), (hood, 1)))
        steps.append(("second read", await reads_of(products, 2), (hood, 0)))
        await products.save(cheaper := replace(hood, price_cents=3900))
        steps.append(("after save", await reads_of(products, 2), (cheaper, after_save)))
        steps += [(f"one that is not there, {n}", await reads_of(products, 99), (None, 1 - n)) for n in range(2)]
        for what, seen, wanted in steps:
            print(f"{kind.__name__:<22} {what:<26} {seen[0]}, database reads: {seen[1]}")
            if seen != wanted:
                raise SystemExit(f"{what}: expected {wanted}")
        await cache.delete_pattern("*")


if __name__ == "__main__":
    print(f"Tiercel on {URL}")
    asyncio.run(show(CachedProducts, after_save=1))
    asyncio.run(show(WriteThroughProducts, after_save=0))
