"""The bytes of values at rest: tests/vectors/values.json is the format, for every reader in every language."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import bson
import msgpack
import pytest

from tiercel import _codec_registry as registry
from tiercel._codec import UNTYPED, verify
from tiercel._errors import DecodeError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "values.json").read_text(encoding="utf-8"))


class Point:
    """A type an application registers."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def point_is_registered() -> Any:
    registry.codec(Point, lambda point: [point.x, point.y], lambda state: Point(*state), name="test.Point")
    yield
    registry.forget(Point)


# What each vector's bytes mean. The descriptions for other languages are in the file.
VALUES: dict[str, Any] = {
    "none": None,
    "true": True,
    "int": 42,
    "int negative": -1,
    "int of 64 bits": 2**64 - 1,
    "int beyond 64 bits": 2**64,
    "int beyond 64 bits, negative": -(2**63) - 1,
    "float": 1.5,
    "float infinite": float("inf"),
    "float not a number": float("nan"),
    "str": "Zürich",
    "bytes": b"\x00\xff",
    "list": [1, "a", None],
    "dict, keys in order": {"b": 1, "a": 2},
    "dict, keys of other types": {1: "int", b"x": "bytes", (1, 2): "tuple", None: "none", date(2026, 1, 2): "date"},
    "tuple": (1, "a"),
    "tuple empty": (),
    "tuple in tuple": (1, (2,)),
    "set": {1},
    "frozenset": frozenset({"a"}),
    "datetime naive": datetime(2026, 1, 2, 3, 4, 5, 678901),
    "datetime naive before 1970": datetime(1, 1, 1),
    "datetime with fold": datetime(2026, 10, 25, 2, 30, fold=1),
    "datetime in UTC": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc),
    "datetime in UTC before 1970": datetime(1960, 1, 1, 0, 0, 0, 1, tzinfo=timezone.utc),
    "datetime with an offset": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
    "datetime with a named offset": datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1), "CET")),
    "datetime in a zone": datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Zurich")),
    "date": date(2026, 1, 2),
    "date before 1970": date(1, 1, 1),
    "time": time(23, 59, 59, 999999),
    "time with an offset": time(1, 2, 3, tzinfo=timezone.utc),
    "timedelta": timedelta(days=1, seconds=2, microseconds=3),
    "timedelta negative": timedelta(microseconds=-1),
    "Decimal": Decimal("-12.50"),
    "Decimal not a number": Decimal("NaN"),
    "UUID": UUID("12345678-1234-5678-1234-567812345678"),
    "ObjectId": bson.ObjectId("0123456789abcdef01234567"),
    "registered": Point(1, 2),
}


def test_every_vector_has_a_meaning_and_every_meaning_a_vector() -> None:
    assert [vector["name"] for vector in VECTORS["values"]] == list(VALUES)


@pytest.mark.parametrize("vector", VECTORS["values"], ids=lambda vector: vector["name"])
def test_the_value_has_the_bytes_of_the_vector(vector: dict[str, str]) -> None:
    assert UNTYPED.encode(VALUES[vector["name"]]).hex() == vector["hex"]


@pytest.mark.parametrize("vector", VECTORS["values"], ids=lambda vector: vector["name"])
def test_the_bytes_of_the_vector_are_the_value(vector: dict[str, str]) -> None:
    verify(UNTYPED, VALUES[vector["name"]], bytes.fromhex(vector["hex"]))


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["name"])
def test_damaged_bytes_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        UNTYPED.decode(bytes.fromhex(vector["hex"]))


def test_an_object_id_is_a_decode_error_where_bson_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = UNTYPED.encode(VALUES["ObjectId"])
    monkeypatch.delitem(sys.modules, "bson.objectid")
    with pytest.raises(DecodeError, match="bson is not loaded"):
        UNTYPED.decode(payload)


def test_a_zone_key_is_bounded_before_it_is_looked_up() -> None:
    with pytest.raises(DecodeError, match="unknown kind"):
        UNTYPED.decode(msgpack.packb(msgpack.ExtType(4, bytes(8) + b"\x04" + b"A" * 129)))
