"""How long, as users write it."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel._expiry import SECONDS_MAX, expire_of_result, parse_duration, parse_expire, parse_expire_option


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (300, 300.0), (0.25, 0.25), ("5m", 300.0), ("300s", 300.0), ("1h30m", 5400.0), ("250ms", 0.25), ("2d", 172_800.0),
        ("1w", 604_800.0), ("5min", 300.0), ("1.5h", 5400.0), (" 1h 30m ", 5400.0), ("300", 300.0), (365 * 86_400, 31_536_000.0),
        (timedelta(minutes=5), 300.0), (timedelta(milliseconds=1), 0.001), (Fraction(1, 2), 0.5),
    ],
)  # fmt: skip
def test_a_time_is_its_seconds(written: Any, seconds: float) -> None:
    assert parse_expire(written) == pytest.approx(seconds, abs=1e-12)


def test_none_is_no_expiry() -> None:
    assert parse_expire(None) is None


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (0, "above zero"), (-1, "above zero"), (0.0, "above zero"), ("0s", "above zero"), (timedelta(0), "above zero"),
        (timedelta(days=-1), "above zero"), (math.nan, "NaN"), (math.inf, "hundred years"), (-math.inf, "above zero"),
        (10**400, "hundred years"), (SECONDS_MAX * 1.01, "hundred years"), ("99999999w", "hundred years"),
        (timedelta.max, "hundred years"), (0.0001, "millisecond"), ("5x", "unknown unit 'x'"), ("5M", "unknown unit 'M'"),
        ("5 minutes", "unknown unit 'minutes'"), ("", "empty"), ("  ", "not a time"), ("m", "not a time"), ("-5m", "not a time"),
        ("5m-", "not a time"), ("1h1h", "large to small"), ("5s1h", "large to small"), ("1e3s", "unknown unit 'e'"),
        ("٥m", "not a time"), ("1" * 400, "400 characters"), ("inf", "not a time"), ("nan", "not a time"),
    ],
)  # fmt: skip
def test_what_is_not_a_time_is_a_value_error_that_says_so(written: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        parse_expire(written)
    assert str(refused.value).startswith("expire: ")


@pytest.mark.parametrize("written", [True, False, b"5m", [], object(), 1j, Decimal(5)])
def test_what_is_no_kind_of_time_is_a_type_error(written: Any) -> None:
    with pytest.raises(TypeError, match="expire: expected seconds"):
        parse_expire(written)


def test_the_argument_is_named_as_it_was_given() -> None:
    with pytest.raises(ValueError, match=r"^TIERCEL_OP_TIMEOUT: "):
        parse_duration("5x", "TIERCEL_OP_TIMEOUT")


def test_a_callable_of_the_result_passes_and_anything_else_is_read() -> None:
    def by_result(value: Any) -> int:
        return 5

    assert parse_expire_option(by_result) is by_result
    assert parse_expire_option("5m") == 300.0
    assert parse_expire_option(None) is None
    with pytest.raises(ValueError, match="above zero"):
        parse_expire_option(0)


def test_what_a_callable_answers_may_be_zero_or_less_and_means_do_not_store() -> None:
    assert expire_of_result(0) == 0.0
    assert expire_of_result(-5) == 0.0
    assert expire_of_result(timedelta(seconds=-1)) == 0.0
    assert expire_of_result("5m") == 300.0
    assert expire_of_result(None) is None
    with pytest.raises(ValueError, match="NaN"):
        expire_of_result(math.nan)


@given(st.one_of(st.text(max_size=20), st.integers(), st.floats(), st.timedeltas(), st.binary(), st.booleans()))
def test_whatever_is_written_is_a_bounded_time_or_an_error(written: Any) -> None:
    try:
        seconds = parse_expire(written)
    except (ValueError, TypeError):
        return
    assert seconds is not None
    assert 0.001 <= seconds <= SECONDS_MAX
    assert int(seconds * 1_000_000) < 2**62


def test_a_number_too_long_to_be_printed_is_refused_like_any_other() -> None:
    with pytest.raises(ValueError, match=r"^expire: a number of that size is more than a hundred years"):
        parse_expire(10**5000)
    with pytest.raises(ValueError, match=r"^expire: a number of that size is not above zero"):
        parse_expire(-(10**5000))
