"""Owns: the catalogue: functions cached with tags, lists dropped by pattern, writes that say what they changed."""

from __future__ import annotations

from sqlalchemy import func, select

from .caching import cache
from .database import database
from .models import City, CityChange, CityNew, CityOut, CountryOut


@cache.cached(prefix="city", expire="5m", tags=["city:{city_id}"])
async def find_city(city_id: int) -> CityOut | None:
    async with database.session() as session:
        row = await session.get(City, city_id)
    # None is remembered too: nobody asks the database twice for a city that is not there.
    return CityOut.model_validate(row) if row else None


@cache.cached(prefix="cities_list", expire="1m")
async def list_cities(country: str | None = None, skip: int = 0, limit: int = 20) -> list[CityOut]:
    query = select(City).order_by(City.population.desc(), City.id).offset(skip).limit(limit)
    if country is not None:
        query = query.where(City.country == country)
    async with database.session() as session:
        rows = await session.scalars(query)
        return [CityOut.model_validate(row) for row in rows]


@cache.cached(prefix="country", expire="10m", tags=["country:{country}"])
async def summarise_country(country: str) -> CountryOut | None:
    query = select(func.count(), func.sum(City.population)).where(City.country == country)
    async with database.session() as session:
        cities, population = (await session.execute(query)).one()
    if not cities:
        return None
    (largest,) = await list_cities(country, 0, 1)  # a cached function may call another
    return CountryOut(country=country, cities=cities, population=population, largest=largest.name)


async def create_city(new: CityNew) -> CityOut:
    async with database.session() as session:
        largest = await session.scalar(select(func.max(City.id))) or 0
        row = City(id=largest + 1, **new.model_dump())
        session.add(row)
        await session.commit()
    return await _changed(row)


async def update_city(city_id: int, change: CityChange) -> CityOut | None:
    async with database.session() as session:
        row = await session.get(City, city_id)
        if row is None:
            return None
        for name, value in change.model_dump(exclude_none=True).items():
            setattr(row, name, value)
        await session.commit()
    return await _changed(row)


async def delete_city(city_id: int) -> bool:
    async with database.session() as session:
        row = await session.get(City, city_id)
        if row is None:
            return False
        await session.delete(row)
        await session.commit()
    await _changed(row)
    return True


async def _changed(row: City) -> CityOut:
    """After the commit: drop the city and whatever was computed from it. The next reader asks the database."""
    await cache.delete_pattern("cities_list:*")  # first: what the country's figures are computed from
    await cache.invalidate(tags=[f"city:{row.id}", f"country:{row.country}"])
    return CityOut.model_validate(row)
