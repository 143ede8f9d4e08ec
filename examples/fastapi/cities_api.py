"""Owns: the routes of the catalogue. Each read has a policy: how long its response is stored, under which tags."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import APIRouter, HTTPException, Query

from tiercel.fastapi import CachePolicy

from . import cities
from .models import CityChange, CityNew, CityOut, CountryOut, Letters

router = APIRouter(tags=["cities"])
T = TypeVar("T")
Country = Annotated[Letters | None, Query(description="Two letters, as in NL")]
Skip = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.get("/cities", dependencies=[CachePolicy(expire=60)])
async def read_cities(country: Country = None, skip: Skip = 0, limit: Limit = 20) -> list[CityOut]:
    """A page of cities, largest first: a cached list; `cities_list:*` drops it when a city changes."""
    return await cities.list_cities(country, skip, limit)


@router.get("/cities/{city_id}", dependencies=[CachePolicy(expire=60, tags=["city:{city_id}"])])
async def read_city(city_id: int) -> CityOut:
    """One city: a cached function with a tag."""
    return _found(await cities.find_city(city_id))


@router.get("/countries/{country}", dependencies=[CachePolicy(expire=60, tags=["country:{country}"])])
async def read_country(country: Letters) -> CountryOut:
    """What the cities of a country add up to. A change of any of them drops it by its tag."""
    return _found(await cities.summarise_country(country))


@router.post("/cities", status_code=201)
async def create_city(new: CityNew) -> CityOut:
    """A new city. Drops the lists and its country."""
    return await cities.create_city(new)


@router.put("/cities/{city_id}")
async def update_city(city_id: int, change: CityChange) -> CityOut:
    """A change. Drops the city, the lists and its country, in the functions and in the stored responses."""
    return _found(await cities.update_city(city_id, change))


@router.delete("/cities/{city_id}", status_code=204)
async def delete_city(city_id: int) -> None:
    """A city less."""
    if not await cities.delete_city(city_id):
        raise HTTPException(404)


def _found(value: T | None) -> T:
    if value is None:
        raise HTTPException(404)
    return value
