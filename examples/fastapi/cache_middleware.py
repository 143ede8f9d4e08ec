"""The response middleware: X-Cache, what is never stored, binary bodies, and writes that drop what they change.

python examples/fastapi/cache_middleware.py
TIERCEL_URL=redis://localhost:6379/0 python examples/fastapi/cache_middleware.py
"""

import asyncio
import os

import httpx
from fastapi import Body, FastAPI, Response

from tiercel import Cache
from tiercel.fastapi import CachePolicy, ResponseCacheMiddleware

URL = os.environ.get("TIERCEL_URL") or "memory://"
PIXEL = bytes.fromhex("89504e470d0a1a0a00ff80fe")  # not text in any encoding

cache = Cache(URL, namespace=f"example-{os.getpid()}")
app = FastAPI(lifespan=cache.lifespan)
app.add_middleware(ResponseCacheMiddleware, cache=cache, cache_ttl=60)
notes = {1: "first"}


@app.get("/notes")
async def list_notes() -> dict[int, str]:
    return notes


@app.get("/notes/{note_id}", dependencies=[CachePolicy(expire=300, tags=["note:{note_id}"])])
async def read_note(note_id: int) -> str:
    return notes[note_id]


@app.put("/notes/{note_id}")
async def write_note(note_id: int, text: str = Body(embed=True)) -> str:
    notes[note_id] = text
    return text


@app.get("/pixel")
def pixel() -> Response:
    return Response(PIXEL, media_type="image/png")


@app.get("/login")
async def login(response: Response) -> str:
    response.set_cookie("session", "secret")
    return "welcome"


async def main() -> None:
    print(f"Tiercel on {URL}")
    async with cache, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:

        async def see(method: str, path: str, x_cache: str, content: bytes, json: object = None) -> None:
            answer = await client.request(method, path, json=json)
            seen = answer.headers.get("x-cache")
            print(f"{method:<4} {path:<10} X-Cache {seen:<7} {answer.content!r}")
            if (seen, answer.content) != (x_cache, content):
                raise SystemExit(f"{method} {path}: expected X-Cache {x_cache}, {content!r}")

        for x_cache in ("MISS", "HIT"):
            await see("GET", "/notes/1", x_cache, b'"first"')
            await see("GET", "/notes", x_cache, b'{"1":"first"}')
            await see("GET", "/pixel", x_cache, PIXEL)
        await see("PUT", "/notes/1", "BYPASS", b'"second"', {"text": "second"})
        await see("GET", "/notes/1", "MISS", b'"second"')
        await see("GET", "/notes", "MISS", b'{"1":"second"}')  # the path above falls too
        await see("GET", "/login", "MISS", b'"welcome"')  # a response with Set-Cookie is never stored,
        await see("GET", "/notes/1", "BYPASS", b'"second"')  # and who has a cookie is not answered from the store
        client.cookies.clear()
        await see("GET", "/notes/1", "HIT", b'"second"')
        await cache.invalidate(tags=["note:1"])
        await see("GET", "/notes/1", "MISS", b'"second"')


if __name__ == "__main__":
    asyncio.run(main())
