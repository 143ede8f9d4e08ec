"""Owns: `cache.client`: raw Redis commands on a connection of their own, which is not tracked. Text in, text out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tiercel._errors import TiercelError, Unavailable

if TYPE_CHECKING:
    from tiercel._cache import Cache

__all__ = ["Client", "RedisError"]

Argument: TypeAlias = str | bytes | int | float


class RedisError(TiercelError):
    """An error reply to a raw command, as the server worded it, also inside of a reply; or a reply that cannot be given."""


_BLOCKS: Final = "it would block everything else on this connection"
_SUBSCRIBES: Final = "it turns the connection into a stream of messages"
_STATE: Final = "it changes the state of a connection that others share"
_REFUSED: Final = {
    **dict.fromkeys(
        ("BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "WAIT", "WAITAOF", "DEBUG"), _BLOCKS
    ),
    **dict.fromkeys(
        ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "MONITOR", "SYNC", "PSYNC"), _SUBSCRIBES
    ),
    **dict.fromkeys(
        ("AUTH", "HELLO", "SELECT", "RESET", "QUIT", "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "READONLY", "READWRITE", "ASKING",
         "SWAPDB", "REPLCONF"),
        _STATE,
    ),
}  # fmt: skip
_CLIENT_ALLOWED: Final = {
    "GETNAME",
    "GETREDIR",
    "HELP",
    "ID",
    "INFO",
    "KILL",
    "LIST",
    "TRACKINGINFO",
    "UNBLOCK",
    "UNPAUSE",
}

# What these answer is a map; in RESP2 it comes as a flat array.
_MAPS: Final = (["HGETALL"], ["CONFIG", "GET"])


class Client:
    """Raw commands. Keys are Redis' own: those of the cache stand under `<namespace>:v:`.

    Redis being away raises `tiercel.Unavailable`. A command that was sent and not answered may have been carried out.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def execute(self, *arguments: Argument) -> Any:
        """One command. Bulk strings come as str (bytes where they are not UTF-8), maps as dict, sets as list.

        Behind a proxy that speaks RESP2 alone, HGETALL and CONFIG GET give a dict too; other maps come as flat lists, and
        what RESP3 knows as booleans and numbers with a point as integers and texts.
        """
        words = [_encode(argument, position) for position, argument in enumerate(arguments)]
        _refuse(words)
        outcome = await self._cache._command(words)
        if outcome.kind != "reply":
            raise Unavailable(outcome.error or "Redis is away")
        try:
            reply = outcome.reply
        except (TypeError, ValueError) as error:  # a map with lists for keys, a number of too many digits
            raise RedisError(
                f"{words[0].decode(errors='replace')}: Python has no value for the reply: {error}"
            ) from None
        if outcome.reply_is_error:
            text = str(reply)
            raise (Unavailable if text.startswith(("LOADING", "MASTERDOWN", "CLUSTERDOWN")) else RedisError)(text)
        if isinstance(reply, list) and _answers_a_map(words) and len(reply) % 2 == 0:
            reply = dict(zip(reply[::2], reply[1::2], strict=True))
        return _decode(reply)

    async def get(self, key: Argument) -> str | None:
        return await self.execute("GET", key)  # type: ignore[no-any-return]

    async def set(
        self,
        key: Argument,
        value: Argument,
        *,
        ex: int | None = None,
        px: int | None = None,
        nx: bool = False,
        xx: bool = False,
    ) -> bool:
        options: list[Argument] = []
        options += ["EX", ex] if ex is not None else []
        options += ["PX", px] if px is not None else []
        options += ["NX"] if nx else []
        options += ["XX"] if xx else []
        return bool(await self.execute("SET", key, value, *options) == "OK")

    async def setex(self, key: Argument, seconds: int, value: Argument) -> bool:
        return bool(await self.execute("SETEX", key, seconds, value) == "OK")

    async def delete(self, *keys: Argument) -> int:
        return int(await self.execute("DEL", *keys)) if keys else 0

    async def exists(self, *keys: Argument) -> int:
        return int(await self.execute("EXISTS", *keys)) if keys else 0

    async def scan_iter(self, match: str = "*", count: int = 500) -> AsyncIterator[str]:
        """Keys of the database that match, as SCAN gives them: each at least once if it is there throughout."""
        cursor: Argument = 0
        while True:
            cursor, keys = await self.execute("SCAN", cursor, "MATCH", match, "COUNT", count)
            for key in keys:
                yield key
            if str(cursor) == "0":
                return


def _answers_a_map(words: list[bytes]) -> bool:
    upper = [word.decode(errors="replace").upper() for word in words[:2]]
    return upper in _MAPS or upper[:1] in _MAPS


def _encode(argument: object, position: int) -> bytes:
    if isinstance(argument, str):
        return argument.encode()
    if isinstance(argument, bytes):
        return argument
    if isinstance(argument, bool) or not isinstance(argument, (int, float)):
        raise TypeError(
            f"execute: argument {position} is a {type(argument).__name__}; expected str, bytes, int or float"
        )
    return repr(argument).encode()


def _decode(reply: Any) -> Any:
    if isinstance(reply, bytes):
        try:
            return reply.decode()
        except UnicodeDecodeError:
            return reply
    if isinstance(reply, list):
        return [_decode(item) for item in reply]
    if isinstance(reply, dict):
        return {_decode(name): _decode(item) for name, item in reply.items()}
    if isinstance(reply, Exception):  # an error, or what was too large to take
        raise RedisError(str(reply))
    return reply


def _refuse(words: list[bytes]) -> None:
    if not words:
        raise ValueError("execute: no command")
    name = words[0].decode(errors="replace").upper()
    upper = [word.upper() for word in words[1:]]
    why = _REFUSED.get(name)
    if name in ("XREAD", "XREADGROUP") and b"BLOCK" in upper:
        why = _BLOCKS
    if name == "CLIENT" and (not upper or upper[0].decode(errors="replace") not in _CLIENT_ALLOWED):
        name, why = f"CLIENT {upper[0].decode(errors='replace') if upper else ''}".strip(), _STATE
    if name == "SCRIPT" and upper[:1] == [b"DEBUG"]:
        name, why = "SCRIPT DEBUG", _STATE
    if why is not None:
        raise ValueError(f"execute: {name} is refused, because {why}; open a client of your own for it")
