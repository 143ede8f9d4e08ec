"""Owns: what each event makes out of date. Who changes something emits its event and need not know who cached what."""

from __future__ import annotations

from tiercel import CacheInvalidator, Pattern, Tag

from .caching import cache

invalidator = CacheInvalidator(cache)


@invalidator.on("user_updated")
def _(user_id: str) -> list[str | Pattern | Tag]:
    # The entry, the lists it may stand in, and the responses of the routes that carry the tag (users_api.py).
    return [f"user:{user_id}", Pattern("users_list:*"), Tag(f"user:{user_id}"), Tag("users")]


@invalidator.on("city_updated")
def _(city_id: int, country: str) -> list[str | Pattern | Tag]:
    return [Tag(f"city:{city_id}"), Tag(f"country:{country}"), Pattern("cities_list:*")]
