"""Owns: how a whole response enters the cache: under its resource's key, or as one of at most 64 variants behind an index there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tiercel import _core

if TYPE_CHECKING:
    from tiercel.fastapi._exchange import Exchange

__all__ = ["store_response"]

CODEC_HTTP: Final = 4


async def store_response(exchange: Exchange, decision: _core.HttpDecision, body: bytes) -> None:
    note, request, cache = exchange.note, exchange.request, exchange.cache
    tags, captured = tuple(exchange.tags), exchange.captured
    if note.tags:
        tags = tuple(dict.fromkeys((*tags, *note.tags)))
        captured = _core.http_joined(captured, note.captured)
    payload = decision.encode(body, exchange.head, exchange.middleware.reset_age)

    async def store(key: bytes, content: bytes, usable_for: float | None, fresh_for: float | None) -> None:
        await cache._store(
            key, content, codec=CODEC_HTTP, usable_for=usable_for, fresh_for=fresh_for, tags=tags, captured=captured
        )

    usable_for, fresh_for = _times(decision)
    await _refresh_index(exchange)
    # From here to the reservation nothing is awaited: two variants that arrive together both enter the index.
    reserved = exchange.middleware.reserved.setdefault(request.key, {})
    placed = _core.http_place(request, decision, _index(exchange), list(reserved.items()))
    digest: bytes | None = None
    try:
        if placed is None:
            return
        key, index, index_for, digest, until = placed
        if index is not None:
            reserved[digest] = until
            await store(request.key, index, index_for, None)
        await store(key, payload, usable_for, fresh_for)
    finally:
        if digest is not None:
            reserved.pop(digest, None)
        if not reserved:
            exchange.middleware.reserved.pop(request.key, None)


def _times(decision: _core.HttpDecision) -> tuple[float | None, float | None]:
    """(usable, fresh) for, in seconds."""
    fresh_for = decision.fresh_for
    if fresh_for is None:
        return None, None
    if decision.stale_for <= 0:
        return fresh_for, None
    return fresh_for + decision.stale_for, fresh_for


def _index(exchange: Exchange) -> bytes | None:
    found: Any = exchange.cache._find(exchange.request.key)
    if found is not None and found[0] == CODEC_HTTP:
        return bytes(found[1])
    return exchange.index


async def _refresh_index(exchange: Exchange) -> None:
    """Others may have added variants while the application worked."""
    if exchange.index is None:
        return
    outcome = await exchange.cache._read(exchange.request.key)
    exchange.index = outcome.payload if outcome.kind == "hit" and outcome.codec == CODEC_HTTP else None
