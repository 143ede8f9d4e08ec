"""The checker finds each anomaly in a history that has it, and nothing in one that has only what the promise allows."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from reality.checker import Cause, Kind, Rules, Violation, check, summary
from reality.figures import Distribution, figures
from reality.history import SECOND, Commit, Event, History, Invalidation, Load, Loss, Read, Value, read_lines, to_line
from reality.story import story as how_it_came

TAGS_OF = {"user:1": ("users",), "user:2": ("users", "staff"), "plain": ()}
KEY = "user:1"


class Story:
    """A history told in seconds. Every call takes 10 ms unless it says when it ended."""

    def __init__(self) -> None:
        self.history = History(TAGS_OF)

    def commit(self, at: float, version: int, key: str = KEY, cache: str = "b") -> Story:
        return self._add(Commit(cache, key, version, ns(at), ns(at + 0.01)))

    def invalidate(
        self, at: float, *keys: str, cache: str = "b", confirmed: bool = True, until: float | None = None,
        tags: tuple[str, ...] = (), patterns: tuple[str, ...] = (),
    ) -> Story:  # fmt: skip
        ended = ns(at + 0.01 if until is None else until)
        return self._add(Invalidation(cache, ns(at), ended, confirmed, keys, tags, patterns))

    def load(
        self, at: float, version: int, name: str, *, until: float, key: str = KEY, degraded: bool = False
    ) -> Story:
        """A get_or_load whose own loader ran, from `at` to `until`."""
        cache = name.split("#")[0]
        self._add(Load(name, cache, key, ns(at), ns(until), version))
        value = Value(key, version, ns(at), name)
        return self._add(Read(name, cache, "get_or_load", key, ns(at), ns(until), value, degraded=degraded))

    def read(
        self, at: float, version: int, of: str, *, load_began: float, cache: str = "a", key: str = KEY,
        until: float | None = None, fresh: bool = False,
    ) -> Story:  # fmt: skip
        """A read answered by the value that the load `of` had brought."""
        ended = ns(at + 0.01 if until is None else until)
        value = Value(key, version, ns(load_began), of)
        name = f"{cache}#read-{len(self.history.reads)}"
        return self._add(Read(name, cache, "get", key, ns(at), ended, value, fresh))

    def loss(self, at: float) -> Story:
        return self._add(Loss(ns(at), ns(at + 0.1)))

    def violations(self) -> list[Violation]:
        return check(self.history, Rules(delta=SECOND))

    def verdict(self) -> list[tuple[Kind, Cause]]:
        return [(violation.kind, violation.cause) for violation in self.violations()]

    def _add(self, event: Event) -> Story:
        self.history.add([event])
        return self


def ns(seconds: float) -> int:
    return round(seconds * SECOND)


# ---- what the promise allows


def test_a_read_that_sees_what_was_invalidated_within_delta_is_allowed() -> None:
    story = Story().load(1, 1, "a#1", until=1.1).commit(2, 2).invalidate(2.1, KEY)
    assert story.read(3.1, 1, "a#1", load_began=1).verdict() == []
    assert story.read(3.12, 1, "a#1", load_began=1).verdict() == [(Kind.STALE, Cause.KEPT)]


def test_a_pending_invalidation_binds_nobody() -> None:
    story = Story().load(1, 1, "a#1", until=1.1).commit(2, 2).invalidate(2.1, KEY, confirmed=False)
    assert story.read(9, 1, "a#1", load_began=1).verdict() == []


def test_a_commit_whose_process_was_killed_before_it_invalidated_is_covered_by_the_next_invalidation() -> None:
    story = Story().load(1, 1, "a#1", until=1.1).commit(2, 2)
    assert story.read(9, 1, "a#1", load_began=1).verdict() == []
    story.invalidate(10, KEY, cache="c")
    assert story.read(12, 1, "a#1", load_began=1).verdict() == [(Kind.STALE, Cause.KEPT)]


def test_an_invalidation_does_not_cover_a_commit_that_ended_after_it_began() -> None:
    story = Story().commit(2, 2).invalidate(2.005, KEY)
    assert story.load(2.1, 1, "a#1", until=2.2).read(9, 1, "a#1", load_began=2.1).verdict() == []


def test_what_is_invalidated_is_that_key_alone() -> None:
    story = Story().load(1, 1, "a#1", until=1.1).commit(2, 2, key="user:2").invalidate(2.1, "user:2")
    assert story.read(9, 1, "a#1", load_began=1).verdict() == []


def test_an_answer_of_a_load_may_be_newer_than_a_later_hit() -> None:
    """A7 is about hits: what a load brought need not have been stored."""
    story = Story().load(1, 1, "b#1", until=1.1).commit(2, 2).load(3, 2, "a#1", until=3.5)
    assert story.read(3.2, 2, "a#1", load_began=3, until=3.5).read(4, 1, "b#1", load_began=1).verdict() == []


def test_caches_may_differ_in_what_they_hit() -> None:
    story = Story().load(1, 1, "b#1", until=1.1).commit(2, 2).load(3, 2, "c#1", until=3.1)
    assert story.read(4, 2, "c#1", load_began=3).read(5, 1, "b#1", load_began=1, cache="d").verdict() == []


def test_what_a_server_has_lost_is_outside_the_promise() -> None:
    story = Story().load(1, 1, "a#1", until=1.1).commit(2, 2).invalidate(2.1, KEY)
    story.read(3, 2, "c#1", load_began=2.5).loss(4).read(9, 1, "a#1", load_began=1)
    assert story.verdict() == []
    story.invalidate(10, KEY).read(12, 1, "a#1", load_began=1)
    assert story.verdict() == [(Kind.STALE, Cause.KEPT)]


# ---- the anomalies


def test_a1_a_fill_that_comes_after_the_invalidation_of_what_it_loaded() -> None:
    story = Story().load(1, 1, "a#1", until=3).commit(2, 2).invalidate(2.1, KEY)
    assert story.read(3.2, 1, "a#1", load_began=1).verdict() == [(Kind.STALE, Cause.STALE_FILL)]


def test_a1_is_seen_where_the_version_does_not_tell() -> None:
    """The load read the new version, though it had begun before: to the promise it is what was invalidated."""
    story = Story().commit(2, 2).load(2.05, 2, "a#1", until=3).invalidate(2.1, KEY)
    assert story.read(3.2, 2, "a#1", load_began=2.05).verdict() == [(Kind.OLD_LOAD, Cause.STALE_FILL)]


def test_a1_a_fill_that_its_sender_had_given_up() -> None:
    story = Story().load(1, 1, "b#1", until=1.1, degraded=True).commit(2, 2).invalidate(2.1, KEY)
    assert story.read(4, 1, "b#1", load_began=1).verdict() == [(Kind.STALE, Cause.HELD_FILL)]


def test_a2_a_value_promoted_to_memory_while_it_changes() -> None:
    story = Story().load(1, 1, "b#1", until=1.1).commit(2, 2).invalidate(2.1, KEY)
    assert story.read(4, 1, "b#1", load_began=1).verdict() == [(Kind.STALE, Cause.KEPT)]


def test_a3_a6_a_cache_that_did_not_hear_of_the_invalidation() -> None:
    story = Story().load(1, 1, "a#1", until=1.1).commit(2, 2).invalidate(2.1, KEY)
    (found,) = story.read(4, 1, "a#1", load_began=1).violations()
    assert (found.kind, found.cause, found.expected) == (Kind.STALE, Cause.KEPT, 2)
    assert found.by == story.history.invalidations[0]
    assert "expected 2" in str(found)


def test_a4_a_late_fill_under_another_load_lease() -> None:
    story = Story().load(1, 1, "a#1", until=4).commit(2, 2).invalidate(2.1, KEY).load(3, 2, "a#2", until=5)
    assert story.read(4.5, 1, "a#1", load_began=1, cache="c").verdict() == [(Kind.STALE, Cause.STALE_FILL)]


def test_a5_an_own_write_is_seen_at_once() -> None:
    story = Story().load(1, 1, "b#1", until=1.1).commit(2, 2).invalidate(2.1, KEY, cache="b")
    story.read(2.2, 1, "b#1", load_began=1, cache="b").read(2.2, 1, "b#1", load_began=1, cache="c")
    assert story.verdict() == [(Kind.OWN_WRITE, Cause.KEPT)]


def test_a7_hits_through_one_cache_do_not_go_back() -> None:
    story = Story().load(1, 1, "b#1", until=1.1).commit(2, 2).load(3, 2, "c#1", until=3.1)
    story.read(4, 2, "c#1", load_began=3).read(4.005, 1, "b#1", load_began=1)
    assert story.verdict() == []  # side by side
    assert story.read(5, 1, "b#1", load_began=1).verdict() == [(Kind.BACK, Cause.KEPT)]


@pytest.mark.parametrize("what", [{"tags": ("users",)}, {"patterns": ("user:*",)}])
def test_a9_a10_a11_an_entry_that_outlives_its_tag_or_pattern(what: dict[str, Any]) -> None:
    story = Story().load(1, 1, "a#1", until=1.1, key="user:2").commit(2, 2, key="user:2").invalidate(2.1, **what)
    story.read(4, 1, "a#1", load_began=1, key="user:2").load(1, 1, "a#2", until=1.1, key="plain")
    story.read(4, 1, "a#2", load_began=1, key="plain")
    assert story.verdict() == [(Kind.STALE, Cause.KEPT)]


def test_a12_a_restart_from_an_old_snapshot_is_found_unless_it_was_told() -> None:
    story = Story().load(1, 1, "a#1", until=1.1).commit(2, 2).invalidate(2.1, KEY).read(6, 1, "a#1", load_began=1)
    assert story.verdict() == [(Kind.STALE, Cause.KEPT)]
    assert story.loss(5).verdict() == []


def test_a16_a_read_that_joins_a_load_begun_before_an_invalidation_that_had_ended() -> None:
    story = Story().commit(2, 2).invalidate(2.1, KEY).load(1, 1, "a#1", until=5)
    assert story.read(4, 1, "a#1", load_began=1, until=5).verdict() == [(Kind.STALE, Cause.LATE_JOIN)]


def test_fresh_now_allows_no_delta() -> None:
    story = Story().load(1, 1, "a#1", until=1.1).commit(2, 2).invalidate(2.1, KEY)
    assert story.read(2.2, 1, "a#1", load_began=1, fresh=True).verdict() == [(Kind.STALE, Cause.KEPT)]


def test_replies_that_were_mixed_up_are_found() -> None:
    story = Story().commit(5, 2)
    story.read(2, 2, "c#1", load_began=1)
    story.history.add([Read("a#9", "a", "get", KEY, ns(1), ns(2), Value("plain", 1, ns(1), "c#1"))])
    assert sorted(kind.name for kind, _ in story.verdict()) == ["INVENTED", "WRONG_KEY"]


def test_a_summary_counts_by_kind_and_cause() -> None:
    story = Story().load(1, 1, "a#1", until=3).commit(2, 2).invalidate(2.1, KEY)
    for at in (4, 5, 6):
        story.read(at, 1, "a#1", load_began=1)
    assert summary(story.violations()) == {"STALE by STALE_FILL": 3}


def test_the_story_of_a_violation_is_what_happened_to_its_key() -> None:
    story = Story().load(1, 1, "a#1", until=3).commit(2, 2).commit(2, 7, key="plain").invalidate(2.1, tags=("users",))
    (found,) = story.read(4, 1, "a#1", load_began=1).violations()
    head, *told = how_it_came(story.history, found)
    assert "STALE (STALE_FILL)" in head
    assert [line.split("  ")[-1] for line in told] == [
        "a#1 get_or_load: version 1 of a#1",
        "a#1 LOADED version 1",
        "b COMMITTED version 2",
        "b INVALIDATED ['users'], confirmed",
        "a#read-1 get: version 1 of a#1",
    ]


# ---- the same by a checker that searches


@pytest.mark.parametrize("seed", range(20))
def test_it_agrees_with_a_search_through_everything(seed: int) -> None:
    history = random_history(random.Random(seed))
    found = {violation.read.name for violation in check(history, Rules(delta=30)) if violation.kind is Kind.STALE}
    assert found == {read.name for read in history.reads if is_stale(history, read, delta=30)}


def random_history(dice: random.Random) -> History:
    history, versions = History(TAGS_OF), dict.fromkeys(TAGS_OF, 1)
    for at in range(0, 2000, 10):
        key, cache, began = dice.choice(list(TAGS_OF)), dice.choice("abc"), at + dice.randrange(10)
        ended = began + dice.randrange(1, 40)
        if dice.random() < 0.2:
            versions[key] += 1
            history.add([Commit(cache, key, versions[key], began, at + 9)])
        elif dice.random() < 0.3:
            what: dict[str, Any] = dice.choice([{"keys": (key,)}, {"tags": ("users",)}, {"patterns": ("*1",)}])
            history.add([Invalidation(cache, began, ended, dice.random() < 0.8, **what)])
        elif dice.random() < 0.02:
            history.add([Loss(began, ended)])
        else:
            value = Value(key, max(1, versions[key] - dice.randrange(3)), began, f"{cache}#{at}")
            history.add([Read(f"{cache}#{at}", cache, "get", key, began, ended, value)])
    return history


def is_stale(history: History, read: Read, delta: int) -> bool:
    assert read.value is not None
    for one in history.invalidations:
        named = read.key in one.keys or not set(one.tags).isdisjoint(TAGS_OF[read.key])
        named = named or ("*1" in one.patterns and read.key.endswith("1"))
        lost = any(one.began < loss.began <= read.ended for loss in history.losses)
        if named and one.confirmed and not lost and one.ended < read.began - delta:
            covered = [c.version for c in history.commits if c.key == read.key and c.ended <= one.began]
            if max(covered, default=0) > read.value.version:
                return True
    return False


# ---- figures and files


def test_staleness_is_counted_from_the_invalidation_that_outdated_the_answer() -> None:
    story = Story().load(1, 1, "a#1", until=1.1).commit(2, 2).invalidate(2.1, KEY).commit(3, 3).invalidate(3.1, KEY)
    told = figures(story.read(4.11, 1, "a#1", load_began=1).read(5, 3, "c#1", load_began=4).history).staleness
    assert (told.count, told.nonzero, told.highest) == (3, 1, 2.0)


def test_a_quantile_is_of_all_reads() -> None:
    told = Distribution.of([0] * 990 + [SECOND] * 10)
    assert (told.p99, told.p9999, told.nonzero) == (0.0, 1.0, 10)
    assert Distribution.of([]).highest == 0.0


def test_a_load_is_surplus_while_another_is_under_way_that_still_holds() -> None:
    story = Story().load(1, 1, "a#1", until=3).load(2, 1, "b#1", until=2.5)
    assert figures(story.history).surplus_loads == 1
    assert figures(story.history).loads_per_cold_key == 2.0
    story.invalidate(1.5, KEY)
    assert figures(story.history).surplus_loads == 0


def test_events_come_back_from_their_lines_and_a_torn_one_is_left_out(tmp_path: Path) -> None:
    story = Story().load(1, 1, "a#1", until=3).commit(2, 2).invalidate(2.1, KEY, tags=("users",)).loss(4)
    events: list[Event] = [*story.history.reads, *story.history.loads, *story.history.commits]
    events += [*story.history.invalidations, *story.history.losses]
    file = tmp_path / "history"
    file.write_text("".join(map(to_line, events)) + to_line(events[0])[:20])
    assert list(read_lines(file)) == events
