"""Owns: `cache.explain(key)`: what memory knows of a key, what stands in Redis under it, and what a reader makes of both, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

from tiercel import _core, _gather

if TYPE_CHECKING:
    from tiercel._cache import Cache, Key


class InMemory(TypedDict):
    """An entry of this process' memory. Times are seconds from now."""

    serves: bool
    why: str
    unsure_for: float  # since when it could have missed a change: compared with `staleness`, and with `fresh=`
    outage: bool  # it serves because Redis cannot be used, and is older than `staleness`
    tracked: bool  # the server tells of changes to it
    fresh_for: float | None  # until its expiry; None: it has none
    usable_for: float | None  # until stale= ends too
    version: int | None
    tags: list[str]
    bytes: int


class InRedis(TypedDict):
    """What stands under the key in Redis.

    state: value; lease (somebody loads it); pass (a load failed, or was not to be stored); intent (a write is under way); floor (an
    invalidation that named a version); nothing; damaged; unknown (Redis did not answer); none (memory://, there is no Redis).
    """

    serves: bool
    why: str
    state: Literal["value", "lease", "pass", "intent", "floor", "nothing", "damaged", "unknown", "none"]
    ends_in: float | None  # seconds until Redis forgets it; None: never, or there is nothing
    fresh_for: float | None
    usable_for: float | None
    version: int | None
    tags: dict[str, Literal["current", "changed", "missing", "being written"]]


class Explanation(TypedDict):
    """served_from: who answers a plain `get` now; None: a miss, the loader runs. why: the same in a sentence."""

    key: str
    served_from: Literal["memory", "redis"] | None
    why: str
    memory: InMemory | None  # None: memory has nothing of it
    redis: InRedis


async def explain(cache: Cache, key: Key) -> Explanation:
    name = _core.canonical_key(key)
    settings = cache._settings
    if not cache._alive:
        cache._begin()
    memory = _in_memory(cache._look(key), settings.staleness, in_memory=settings.in_memory)
    redis = _in_redis_none() if settings.in_memory else await _Asked(cache, name).answer()
    made: Explanation = {
        "key": name.decode(errors="replace"),
        "served_from": None,
        "why": "",
        "memory": memory,
        "redis": redis,
    }
    if not cache._enabled:
        made["why"] = "Caching is turned off (TIERCEL_ENABLED=0): every read is a miss."
    elif memory is not None and memory["serves"]:
        made["served_from"], made["why"] = "memory", memory["why"]
    else:
        made["served_from"] = "redis" if redis["serves"] else None
        first = "Memory has nothing of it." if memory is None else memory["why"]
        made["why"] = f"{first} {redis['why']}".strip()
    return made


def _in_memory(seen: dict[str, Any] | None, staleness: float, *, in_memory: bool) -> InMemory | None:
    if seen is None:
        return None
    fresh = seen["fresh_for"] is None or seen["fresh_for"] > 0
    if seen["tags_are"] == "changed":
        why = "Memory has an entry, but one of its tags was invalidated since."
    elif not seen["serves"] and seen["tags_are"] == "unknown":
        why = "Memory has an entry, but must look at its tags again first."
    elif not seen["serves"]:
        missed = f"it could have missed a change for {seen['unsure_for']:.3f} s"
        why = f"Memory has an entry, but {missed}, more than the staleness of {staleness:g} s."
    elif not fresh:
        why = "Memory has an entry that is past its expiry: it serves only where stale= asks for it."
    elif in_memory:
        why = "Memory serves it."
    elif seen["outage"]:
        why = (
            f"Redis cannot be used, so memory serves it for as long as outage_staleness allows: it could have missed a change for "
            f"{seen['unsure_for']:.3f} s."
        )
    else:
        why = f"Memory serves it: no change that is older than {seen['unsure_for']:.3f} s can have been missed."
    return {
        "serves": seen["serves"] and fresh, "why": why, "unsure_for": seen["unsure_for"], "outage": seen["outage"],
        "tracked": seen["tracked"],
        "fresh_for": seen["fresh_for"], "usable_for": seen["usable_for"], "version": seen["version"], "tags": seen["tags"],
        "bytes": seen["bytes"],
    }  # fmt: skip


def _in_redis_none() -> InRedis:
    return _view("none", "")


def _view(state: Any, why: str, **facts: Any) -> InRedis:
    made: Any = {
        "serves": False, "why": why, "state": state, "ends_in": None, "fresh_for": None, "usable_for": None, "version": None, "tags": {},
    }  # fmt: skip
    made.update(facts)
    return made  # type: ignore[no-any-return]


class _Silent(Exception):
    """Redis did not answer."""


class _Asked:
    """One key, as Redis has it now."""

    def __init__(self, cache: Cache, name: bytes) -> None:
        self.cache, self.prefix = cache, cache._settings.namespace.encode()
        self.record = self.prefix + b":v:" + name

    async def answer(self) -> InRedis:
        try:
            return await self._look()
        except _Silent as silence:
            return _view("unknown", f"Redis cannot be asked ({silence}): readers run their loaders.")

    async def _look(self) -> InRedis:
        record, left, time = await self._ask([b"GET", self.record], [b"PTTL", self.record], [b"TIME"])
        if record is None:
            return _view("nothing", "Redis has nothing under the key: the next reader loads it.")
        facts = _core.record_facts(record) if isinstance(record, bytes) else None
        ends_in = left / 1000 if isinstance(left, int) and left >= 0 else None
        if facts is None:
            why = "What Redis has under the key is damaged, or not a record of this format: the next reader loads it."
            return _view("damaged", why, ends_in=ends_in)
        now = int(time[0]) + int(time[1]) / 1e6
        fresh_for, usable_for = (
            None if at is None else at - now for at in (facts["fresh_until"], facts["usable_until"])
        )
        view = _view(
            facts["state"], "", ends_in=ends_in, fresh_for=fresh_for, usable_for=usable_for, version=facts["version"]
        )
        if view["state"] == "value":
            await self._look_at_tags(view, facts["tags"])
        else:
            view["why"] = _WORDS[view["state"]](view)
        return view

    async def _look_at_tags(self, view: InRedis, tags: list[tuple[bytes, bytes]]) -> None:
        names = [self.prefix + (b":t:" + tag if tag else b":g") for tag, _ in tags]
        records = (await self._ask([b"MGET", *names]))[0] if names else []
        stale = ""
        for (tag, stamp), record in zip(tags, records, strict=True):
            stands = _stands(stamp, record)
            name = tag.decode(errors="replace")
            if tag:
                view["tags"][name] = stands
            if stands != "current" and not stale:
                stale = _OF_A_TAG[stands].format(tag=name) if tag else "everything was invalidated since (clear)"
        view["why"], view["serves"] = _of_a_value(view, stale)

    async def _ask(self, *commands: list[bytes]) -> list[Any]:
        replies = []
        for outcome in await _gather.together([self.cache._command(command) for command in commands]):
            if outcome.kind != "reply":
                raise _Silent(outcome.error)
            replies.append(outcome.reply)
        return replies


def _stands(stamp: bytes, record: object) -> Literal["current", "changed", "missing", "being written"]:
    if not isinstance(record, bytes):
        return "missing"
    known = _core.tag_stamp(record)
    if known is None:
        facts = _core.record_facts(record)
        return "being written" if facts is not None and facts["state"] == "intent" else "changed"
    return "current" if known == stamp else "changed"


_OF_A_TAG = {
    "changed": "its tag {tag!r} was invalidated since",
    "missing": "Redis has forgotten its tag {tag!r}, or was full when that was invalidated",
    "being written": "a write of its tag {tag!r} is under way",
}


def _of_a_value(view: InRedis, stale: str) -> tuple[str, bool]:
    if stale:
        return f"Redis has a value, but {stale}: the next reader loads it.", False
    if view["usable_for"] is not None and view["usable_for"] <= 0:
        return "Redis has a value that has expired: the next reader loads it.", False
    if view["fresh_for"] is not None and view["fresh_for"] <= 0:
        return "Redis has a value that is past its expiry: it serves only where stale= asks for it.", False
    return "Redis has a value, and its tags are current: it is served.", True


def _of_a_lease(view: InRedis) -> str:
    if view["fresh_for"] is not None and view["fresh_for"] <= 0:
        return "Somebody took the right to load it and has not come back in time: the next reader loads it."
    return f"Somebody is loading it: readers wait for that, {_seconds(view['fresh_for'])} at most unless it is renewed."


def _of_a_pass(view: InRedis) -> str:
    return (
        f"A load of it failed, or was not to be stored: for {_seconds(view['fresh_for'])} readers load for themselves."
    )


def _of_an_intent(_: InRedis) -> str:
    return "A write of it is under way: readers load for themselves, and store nothing."


def _of_a_floor(view: InRedis) -> str:
    return f"An invalidation named version {view['version']}: the next reader loads it, and nothing older is stored."


def _seconds(left: float | None) -> str:
    return f"{max(left or 0.0, 0.0):.1f} s"


_WORDS = {"lease": _of_a_lease, "pass": _of_a_pass, "intent": _of_an_intent, "floor": _of_a_floor}
