"""Owns: the mission document's snippets with their indentation and dunder underscores restored, and the three mends.

`document.txt` is the document, byte for byte. Each `*.py.txt` is one snippet, restored. `DEFINITIONS` are what Tiercel
replaces by an import of the same name; `USES` run, unchanged but for `MENDS`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
DOCUMENT = (FOLDER / "document.txt").read_text()

# In the document's order.
ORDER = (
    "redis_cache", "lifespan", "decorator", "user_service", "middleware", "cache_aside", "write_through", "invalidator",
)  # fmt: skip
DEFINITIONS = ("redis_cache", "decorator", "middleware")
USES = ("lifespan", "user_service", "cache_aside", "write_through", "invalidator")


class Mend(NamedTuple):
    """A line that could run nowhere, and what it becomes."""

    snippet: str
    why: str
    written: str
    mended: str


MENDS = (
    Mend(
        "user_service",
        "`update` calls a method that nobody has defined",
        "    async def create(self, data: UserCreate) -> User:\n",
        "    async def get_by_id_uncached(self, user_id: str) -> User:\n"
        "        return await User.get(user_id)\n"
        "\n"
        "    async def create(self, data: UserCreate) -> User:\n",
    ),
    Mend(
        "cache_aside",
        "find_one answers a dict, which has no model_dump",
        '        user = await self.db.users.find_one({"_id": user_id})\n'
        "        if not user:\n            return None\n",
        '        doc = await self.db.users.find_one({"_id": user_id})\n'
        "        if not doc:\n            return None\n        user = User(**doc)\n",
    ),
    Mend(
        "write_through",
        "without a constructor it has neither db nor cache",
        "class WriteThroughUserRepository:\n",
        "class WriteThroughUserRepository(CachedUserRepository):\n",
    ),
)


def restored(name: str) -> str:
    return (FOLDER / f"{name}.py.txt").read_text()


def mended(name: str) -> str:
    """The restored snippet with its mends. A mend whose line is not there exactly once is a mistake in this file."""
    text = restored(name)
    for mend in MENDS:
        if mend.snippet == name:
            before, found, after = text.partition(mend.written)
            if not found or mend.written in after:
                raise ValueError(f"the mend of {name} ({mend.why}) does not fit")
            text = before + mend.mended + after
    return text


def tokens(text: str) -> list[str]:
    """Words and signs, without what the document has lost: white space, and the underscores of dunder names."""
    return [re.sub(r"^__(\w+)__$", r"\1", token) for token in re.findall(r"\w+|[^\w\s]", text)]
