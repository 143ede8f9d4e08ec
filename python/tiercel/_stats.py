"""Owns: what `cache.stats()` answers: plain numbers and texts, ready for `json.dumps`."""

from __future__ import annotations

from typing import Any, TypedDict

_LATENCY: dict[str, Any] = {"count": 0, "mean_us": 0.0, "p50_us": 0.0, "p99_us": 0.0, "max_us": 0.0}


class Latency(TypedDict):
    count: int
    mean_us: float
    p50_us: float
    p99_us: float
    max_us: float


class MemoryStats(TypedDict):
    """L1."""

    bytes: int  # keys, values and overhead
    bytes_max: int
    entries: int
    evicted: int  # for want of room
    expired: int


class RedisStats(TypedDict):
    """L2. state: none (memory://), idle (not used yet), connecting, ready, resting (left alone after overruns), away, failed,
    closed (disconnected)."""

    state: str
    error: str  # the last one; empty if ready
    address: str  # without user and password
    version: str
    tracking: str  # how the server tells of changes: optin, broadcast, off (entries in memory are kept for `staleness` at most)
    protocol: int  # 3 or 2 (RESP); 0: not connected
    scripts: bool  # it runs scripts for us; without, what is loaded is not stored in Redis
    identified: bool  # the server tells its run_id, so that a restart or failover is noticed
    restarts: int  # and failovers that were noticed: `after_restart` says what that means
    restarted_at: float | None  # when the last one was noticed: seconds since 1970, by the server's clock
    commands: int
    writes: int  # of the socket: many commands leave in one
    timeouts: int
    errors: int
    reconnects: int
    bytes_in: int
    bytes_out: int
    pushes: int
    flushes: int
    latency: Latency


class Stats(dict[str, Any]):
    """Counters since the cache was made in this process. A dict whose keys are attributes too: `stats["hits"]`, `stats.hits`."""

    hits: int  # from memory and from Redis
    hits_memory: int
    hits_redis: int
    stale: int  # of the hits: past their soft deadline
    outage: int  # of the hits: older than `staleness`, while Redis could not be used (`outage_staleness`)
    misses: int
    hit_ratio: float  # hits of hits and misses; 0.0 before the first
    loads: int
    loads_uncached: int  # run by a caller for itself alone
    load_failures: int
    joined: int  # callers that waited for another's load instead of their own
    load_latency: Latency
    stores: int
    stores_refused: int
    invalidations: int
    invalidations_pending: int  # kept, to be sent before Redis is used again
    invalidations_overflowed: int
    damaged: int  # records that are not ours, or of another format: read as misses
    oversized: int
    decode_failures: int
    verify_failures: int  # values that did not come out as they went in
    sealed: int  # loads whose value was not stored, because of an invalidation meanwhile
    memory: MemoryStats
    redis: RedisStats

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def stats_of(engine: dict[str, Any], address: str) -> Stats:
    """From the engine's own counters; empty: no engine yet."""

    def count(name: str) -> int:
        return int(engine.get(name, 0))

    hits, misses = count("hits") + count("redis_hits"), count("misses")
    idle = "none" if address == "memory://" else "idle"
    memory = {name: count(f"l1_{name}") for name in ("bytes", "bytes_max", "entries", "evicted", "expired")}
    redis = {
        "state": engine.get("redis_state", idle),
        "error": engine.get("redis_error", ""),
        "address": address,
        "version": engine.get("redis_version", ""),
        "tracking": engine.get("tracking", "off"),
        "protocol": count("protocol"),
        "scripts": engine.get("scripts", True),
        "identified": engine.get("identified", False),
        "restarts": count("restarts"),
        "restarted_at": engine.get("restarted_at") or None,
        **{
            name: count(f"redis_{name}")
            for name in ("commands", "writes", "timeouts", "errors", "bytes_in", "bytes_out")
        },
        **{name: count(name) for name in ("reconnects", "pushes", "flushes")},
        "latency": engine.get("redis_latency", _LATENCY),
    }
    return Stats(
        hits=hits, hits_memory=count("hits"), hits_redis=count("redis_hits"), stale=count("stale_hits"),
        outage=count("outage_hits"), misses=misses,
        hit_ratio=hits / (hits + misses) if hits + misses else 0.0,
        invalidations_pending=count("pending"), invalidations_overflowed=count("pending_overflows"),
        load_latency=engine.get("load_latency", _LATENCY), memory=memory, redis=redis,
        **{name: count(name) for name in _SAME},
    )  # fmt: skip


_SAME = (
    "loads", "loads_uncached", "load_failures", "joined", "stores", "stores_refused", "invalidations",
    "damaged", "oversized", "decode_failures", "verify_failures", "sealed",
)  # fmt: skip
