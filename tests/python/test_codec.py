"""Values that no annotation describes: they come back as they went in, or are refused by name."""

from __future__ import annotations

import contextlib
import enum
import threading
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercel import _codec_registry as registry
from tiercel._codec import UNTYPED, codec, codec_named, verify
from tiercel._codec_untyped import DEPTH_MAX, NESTED_MAX
from tiercel._codec_verify import difference
from tiercel._errors import ConfigurationError, DecodeError, NotCacheable

ZONES = ["UTC", "Europe/Zurich", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Etc/GMT+12"]
offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
zones = st.one_of(st.none(), st.just(timezone.utc), offsets, st.sampled_from(ZONES).map(ZoneInfo))
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**200), 2**200), st.floats(), st.text(), st.binary(), st.uuids(),
    st.dates(), st.times(), st.timedeltas(), st.datetimes(timezones=zones, allow_imaginary=True),
    st.decimals(allow_nan=False), st.just(Decimal("NaN")),
)  # fmt: skip
hashable = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=5
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.lists(inner, max_size=5).map(tuple), st.dictionaries(hashable, inner, max_size=5),
        st.sets(hashable, max_size=4),
    ),
    max_leaves=30,
)  # fmt: skip


def back(value: Any) -> Any:
    return UNTYPED.decode(UNTYPED.encode(value))


@given(values)
@settings(max_examples=400, deadline=None)
def test_a_value_comes_back_with_its_types(value: Any) -> None:
    assert difference(value, back(value), "value") is None


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_is_kept(value: dict[str, int]) -> None:
    assert list(back(value)) == list(value)


@given(st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_any_bytes_decode_or_raise(payload: bytes) -> None:
    with contextlib.suppress(ValueError, TypeError, OverflowError):  # what C++ takes for a miss is any exception
        UNTYPED.decode(payload)


@given(values, st.data())
@settings(deadline=None)
def test_damaged_payloads_decode_or_raise(value: Any, data: Any) -> None:
    payload = bytearray(UNTYPED.encode(value))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    test_any_bytes_decode_or_raise.hypothesis.inner_test(bytes(payload))  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [0, "", b"", [], {}, (), set(), False, 0.0, None])
def test_falsy_values_are_values(value: Any) -> None:
    assert difference(value, back(value), "value") is None


class Colour(str, enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    pass


class Number(int):
    pass


class Ratio(float):
    pass


class Listed(list):  # type: ignore[type-arg]
    pass


class Day(date):
    pass


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    "value",
    [
        bytearray(b"x"), memoryview(b"x"), Colour.RED, Level.LOW, Text("x"), Number(1), Ratio(1), Listed(), Day(2026, 1, 1), Pair(1, 2),
        OrderedDict(a=1), defaultdict(int), Counter("a"), deque([1]), MappingProxyType({}), msgpack.ExtType(1, b"\x90"),
        msgpack.Timestamp(0), object(), int, len, 1j, range(3), iter([]), NotImplemented,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
@pytest.mark.parametrize("around", ["bare", "list", "dict", "tuple", "deep"])
def test_what_would_come_back_as_something_else_is_refused_with_its_place(value: Any, around: str) -> None:
    whole, place = {
        "bare": (value, "value"),
        "list": ([0, value], "value[1]"),
        "dict": ({"a": {"b c": value}}, "value.a['b c']"),
        "tuple": ((value,), "value[0]"),
        "deep": ({"items": [0, 1, 2, {"price": value}]}, "value.items[3].price"),
    }[around]
    with pytest.raises(NotCacheable) as refused:
        UNTYPED.encode(whole)
    assert str(refused.value).startswith(f"{place}: ")
    assert type(value).__qualname__ in str(refused.value)


def test_a_refused_key_or_member_is_named_as_one() -> None:
    with pytest.raises(NotCacheable, match=r"^value \(a key\): .*Colour would come back as str"):
        UNTYPED.encode({Colour.RED: 1})
    with pytest.raises(NotCacheable, match=r"^value\.a \(a member\): .*Level would come back as int"):
        UNTYPED.encode({"a": {Level.LOW}})


def test_a_model_is_sent_to_its_annotation() -> None:
    from pydantic import BaseModel

    class User(BaseModel):
        name: str

    with pytest.raises(NotCacheable, match=r"annotate the function's result, or give type=.*User"):
        UNTYPED.encode({"user": User(name="x")})


def test_text_that_is_not_utf_8_is_refused_with_its_place() -> None:
    with pytest.raises(NotCacheable, match=r"^value\.a\[0\]: a str with lone surrogates"):
        UNTYPED.encode({"a": ["\ud800"]})


def test_a_zone_of_another_library_is_refused_with_what_to_use() -> None:
    import pytz

    with pytest.raises(NotCacheable, match=r"^value\.at: a datetime: its time zone is a pytz.*use zoneinfo"):
        UNTYPED.encode({"at": datetime(2026, 1, 1, tzinfo=pytz.timezone("Europe/Zurich"))})


def test_the_zone_that_pydantic_gives_parsed_times_comes_back() -> None:
    from pydantic import TypeAdapter

    at = TypeAdapter(datetime).validate_python("2026-01-02T03:04:05+02:00")
    assert type(back(at).tzinfo) is type(at.tzinfo)
    assert back(at) == at
    assert back(at).utcoffset() == timedelta(hours=2)


def test_cycles_are_told_from_mere_depth() -> None:
    cycle: list[Any] = [1]
    cycle.append({"again": cycle})
    with pytest.raises(NotCacheable, match=r"value\[1\]\.again: it contains itself"):
        UNTYPED.encode(cycle)
    deep: Any = 1
    for _ in range(DEPTH_MAX):
        deep = [deep]
    assert difference(deep, back(deep), "value") is None
    with pytest.raises(NotCacheable, match=f"nested deeper than {DEPTH_MAX}"):
        UNTYPED.encode([deep])
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NotCacheable, match="nested deeper"):
        UNTYPED.encode(deep)
    while type(deep) is list:  # taken apart from outside: freeing it at once is the interpreter's own recursion
        deep = deep[0]


def nested_tuples(levels: int) -> Any:
    value: Any = ()
    for _ in range(levels - 1):
        value = (value,)
    return value


def test_tuples_nest_to_a_limit_that_fits_a_small_stack() -> None:
    payload = UNTYPED.encode(nested_tuples(NESTED_MAX))
    found: list[Any] = []
    before = threading.stack_size(1 << 20)  # as on Alpine; the default elsewhere is larger
    try:
        thread = threading.Thread(target=lambda: found.append(UNTYPED.decode(payload)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert found == [nested_tuples(NESTED_MAX)]
    with pytest.raises(NotCacheable, match=f"nested deeper than {NESTED_MAX}"):
        UNTYPED.encode(nested_tuples(NESTED_MAX + 1))


def test_nested_bombs_are_refused_within_their_size() -> None:
    for bomb in (b"\x91" * 1_000_000, b"\xdd\xff\xff\xff\xff" * 10, b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"):
        with pytest.raises(ValueError):
            UNTYPED.decode(bomb)


class Money:
    """A type with a codec of the application's."""

    def __init__(self, amount: Decimal, unit: str) -> None:
        self.amount, self.unit = amount, unit

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and (self.amount, self.unit) == (other.amount, other.unit)

    def __hash__(self) -> int:
        return hash((self.amount, self.unit))


@pytest.fixture
def money() -> Any:
    codec(Money, lambda value: (value.amount, value.unit), lambda state: Money(*state))
    yield Money
    registry.forget(Money)


def test_a_registered_type_comes_back_wherever_it_stands(money: type[Money]) -> None:
    coin = money(Decimal("1.50"), "CHF")
    value = {"a": [coin, (coin,)], coin: {coin}}
    verify(UNTYPED, value, UNTYPED.encode(value))


def test_a_name_that_is_not_registered_is_never_looked_up_elsewhere(money: type[Money]) -> None:
    payload = UNTYPED.encode(money(Decimal(1), "CHF"))
    registry.forget(Money)
    with pytest.raises(DecodeError, match="not registered here"):
        UNTYPED.decode(payload)


def test_only_exactly_the_registered_type_is_taken(money: type[Money]) -> None:
    class Coin(money):  # type: ignore[misc,valid-type]
        pass

    with pytest.raises(NotCacheable, match="Coin has no codec"):
        UNTYPED.encode(Coin(Decimal(1), "CHF"))


def test_a_codec_that_fails_is_named() -> None:
    class Odd:
        pass

    def fail(value: Any) -> Any:
        raise RuntimeError("no luck")

    codec(Odd, fail, fail, name="odd")
    try:
        with pytest.raises(NotCacheable, match="the codec of odd failed to encode: RuntimeError: no luck"):
            UNTYPED.encode([Odd()])
        codec(Odd, lambda value: bytearray(), fail, name="odd")
        with pytest.raises(NotCacheable):
            UNTYPED.encode(Odd())
        codec(Odd, lambda value: 1, fail, name="odd")
        with pytest.raises(DecodeError, match="no luck"):
            UNTYPED.decode(UNTYPED.encode(Odd()))
        codec(Odd, lambda value: value, fail, name="odd")
        with pytest.raises(NotCacheable):
            UNTYPED.encode(Odd())
    finally:
        registry.forget(Odd)


def test_registering_is_refused_where_it_would_surprise(money: type[Money]) -> None:
    with pytest.raises(ValueError, match="dict is stored by Tiercel itself"):
        codec(dict, lambda value: 1, lambda state: {})
    with pytest.raises(TypeError, match="expected a class"):
        codec(5, lambda value: 1, lambda state: 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="callable"):
        codec(Money, None, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"belongs to .*Money"):
        codec(Text, str, Text, name=f"{Money.__module__}.{Money.__qualname__}")


def test_a_renamed_type_reads_what_was_stored_under_its_old_name(money: type[Money]) -> None:
    old = UNTYPED.encode(money(Decimal(1), "CHF"))
    codec(
        Money,
        lambda value: [str(value.amount), value.unit],
        lambda state: Money(Decimal(state[0]), state[1]),
        name="money",
    )
    assert UNTYPED.decode(old) == money(Decimal(1), "CHF")
    assert b"money" in UNTYPED.encode(money(Decimal(1), "CHF"))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (1, True, "value: a int came back as bool"),
        (1, 1.0, "value: a int came back as float"),
        ({"items": [0, 1, 2, {"price": Decimal("1.50")}]}, {"items": [0, 1, 2, {"price": 1.5}]}, "value.items[3].price: a Decimal came"),
        ([1], [1, 2], "value: 1 members came back as 2"),
        ({"a": 1, "b": 2}, {"a": 1}, "value.b: 2 keys came back as 1"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "value.a: the key came back as 'b'"),
        ({1: 2}, {True: 2}, "value[1]: the key came back as True"),
        ({1}, {True}, "value: the set came back with other members"),
        (Decimal("1.50"), Decimal("1.5"), "value: Decimal('1.50') came back"),
        (datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 1), "value: datetime"),
        (datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Zurich")), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))), "time zone"),
        (datetime(2026, 10, 25, 2, 30, fold=1), datetime(2026, 10, 25, 2, 30), "fold=1"),
        ("a", "b", "value: 'a' came back as 'b'"),
    ],
)  # fmt: skip
def test_the_first_difference_is_named(before: Any, after: Any, said: str) -> None:
    assert said in (difference(before, after, "value") or "")


def test_what_is_equal_has_no_difference() -> None:
    for value in (float("nan"), [float("nan")], {float("nan")}, Decimal("NaN"), {"a": ({1},)}, UUID(int=0)):
        assert difference(value, back(value), "value") is None


def test_verify_raises_for_what_does_not_decode() -> None:
    with pytest.raises(NotCacheable, match="does not decode"):
        verify(UNTYPED, 1, b"\xc1")
    with pytest.raises(NotCacheable, match="1 came back as 2"):
        verify(UNTYPED, 1, b"\x02")


SECRET = b"0123456789abcdef"


def test_pickle_is_signed_and_reads_only_what_its_secret_signed() -> None:
    pickled = codec_named("pickle", pickle_secret=SECRET)
    value = {"at": Money(Decimal(1), "CHF")}
    payload = pickled.encode(value)
    verify(pickled, value, payload)
    for position in range(len(payload)):
        damaged = bytearray(payload)
        damaged[position] ^= 1
        with pytest.raises(DecodeError, match="has not signed"):
            pickled.decode(bytes(damaged))
    for foreign in (b"", payload[33:], payload[:20], codec_named("pickle", pickle_secret=SECRET + b"!").encode(value)):
        with pytest.raises(DecodeError, match="has not signed"):
            pickled.decode(foreign)


def test_pickle_without_a_secret_and_unknown_names_are_refused() -> None:
    for secret in (None, b"", b"short"):
        with pytest.raises(ConfigurationError, match="TIERCEL_PICKLE_SECRET"):
            codec_named("pickle", pickle_secret=secret)
    with pytest.raises(ConfigurationError, match='"pickle" is the only one'):
        codec_named("yaml")
    with pytest.raises(NotCacheable, match="cannot be pickled"):
        codec_named("pickle", pickle_secret=SECRET).encode(lambda: 1)
