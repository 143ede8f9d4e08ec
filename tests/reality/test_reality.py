"""Processes on a real server, with faults, and the checker over all they saw. Seeds are printed; `python -m reality.trial` replays one.

A short run stands in `make test`. The long ones (marker `long`, in `make check`) take every kind of server and a new seed each time;
TIERCEL_REALITY_SECONDS says how long each lasts, TIERCEL_REALITY_SEED which it is.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from reality.checker import Kind, Rules, check
from reality.ground import Plan
from reality.history import SECOND
from reality.trial import Trial, some_seed, trial
from support.binaries import KINDS, find
from support.rungs import RUNGS, Rung

SHORT = Plan("135", 6.0, staleness=0.3)


@pytest.fixture(scope="module")
def short() -> Trial:
    done = asyncio.run(trial(SHORT))
    print(done)
    return done


def test_the_short_run_is_worth_looking_at(short: Trial) -> None:
    assert len(short.history.reads) > 2000
    assert len(short.history.commits) > 20
    assert any(one.confirmed for one in short.history.invalidations)
    assert len(short.faults) >= 5
    assert len({read.cache for read in short.history.reads}) > SHORT.workers  # one was killed, and succeeded


def test_nothing_breaks_the_promise(short: Trial) -> None:
    assert [str(violation) for violation in short.violations] == []


def test_no_read_waits_for_what_does_not_come(short: Trial) -> None:
    """0.4 s is the slowest load, a stopped process is stopped for 1.5 s."""
    assert short.figures.read_time.highest < 5


def test_a_cache_that_hears_nothing_of_others_is_found() -> None:
    """A proof that catches nothing proves nothing."""
    deaf = Plan("1", 1.5, workers=2, staleness=0.3, subject="reality.planted:Deaf")
    found = {violation.kind for violation in asyncio.run(trial(deaf, [])).violations}
    assert {Kind.STALE, Kind.OLD_LOAD, Kind.BACK} & found and Kind.OWN_WRITE not in found


@pytest.mark.parametrize("rung", RUNGS[1:], ids=lambda rung: rung.name)
def test_no_rung_of_the_ladder_breaks_the_promise(rung: Rung) -> None:
    """What a server does not give costs time, and no freshness. That these are those rungs: tests/integration/test_redis_ladder.py."""
    plan = Plan(
        "135", 3.0, staleness=0.3, settings=rung.settings, users=rung.users, login=rung.login, refuses=rung.refuses
    )
    done = asyncio.run(trial(plan))
    assert [str(violation) for violation in done.violations] == []
    assert len(done.history.reads) > 500 and any(one.confirmed for one in done.history.invalidations)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", KINDS)
def test_a_long_run_breaks_nothing(kind: str) -> None:
    find(kind)
    seconds = float(os.environ.get("TIERCEL_REALITY_SECONDS", "30"))
    done = asyncio.run(trial(Plan(os.environ.get("TIERCEL_REALITY_SEED") or some_seed(), seconds, kind)))
    print(done)
    assert [str(violation) for violation in done.violations] == []


@pytest.mark.long
@pytest.mark.timeout(0)
def test_a_cache_that_trusts_its_memory_for_too_long_is_found() -> None:
    """Ten times: its watermark is what a cut or silent connection does not move, and nothing else would tell it."""
    lax = asyncio.run(trial(Plan("7", 10.0, staleness=5), ["half open", "hold down", "hold both", "stop"]))
    found = check(lax.history, Rules(delta=SECOND // 2))
    assert any(one.kind is Kind.STALE for one in found)
