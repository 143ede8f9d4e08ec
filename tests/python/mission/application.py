"""Owns: the document as one program with the module-level names, `from tiercel import cache, cached`.

Run by test_mission_document.py in a process of its own for each URL, which the module-level cache reads once. Prints
what it saw as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from python.mission.world import NEW, UserUpdate, World, empty_database
from tiercel import cache, cached
from tiercel.fastapi import ResponseCacheMiddleware


async def main() -> dict[str, Any]:
    world = World(cache, cached, await empty_database())
    app, seen = world.app, {}
    app.add_middleware(ResponseCacheMiddleware, cache_ttl=60, cache_methods=["GET"])

    @app.get("/users/{user_id}")
    async def read(user_id: str) -> str:
        return (await world.service.get_by_id(user_id))["name"]

    @app.put("/users/{user_id}")
    async def rename(user_id: str, name: str) -> None:
        await world.service.update(user_id, UserUpdate(name=name))

    async with app.router.lifespan_context(app):
        user = await world.service.create(NEW)
        seen["list"] = len(await world.service.get_all())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            for step in ("first", "second"):
                answer = await client.get(f"/users/{user.id}")
                seen[step] = [answer.headers["x-cache"], answer.json()]
            await client.put(f"/users/{user.id}", params={"name": "Grace"})
            answer = await client.get(f"/users/{user.id}")
            seen["after"] = [answer.headers["x-cache"], answer.json()]
        seen["stored"] = await cache.exists(f"user:{user.id}")
        seen["deleted"] = await cache.delete(f"user:{user.id}")
    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
