"""Values that an annotation describes: Pydantic, dataclasses, TypedDict, msgspec, and containers of them."""

from __future__ import annotations

import dataclasses
import enum
import math
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    SecretStr,
    computed_field,
    field_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass

from tiercel._codec import ID_JSON, ID_MSGSPEC, ID_TIERCEL, UNTYPED, codec_for, verify
from tiercel._codec_annotation import machinery_of
from tiercel._errors import DecodeError, NotCacheable

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"


class Tag(BaseModel):
    name: str


class SpecialTag(Tag):
    weight: int = 1


class Item(BaseModel):
    id: int
    price: Decimal
    at: datetime
    ratio: float = 1.0
    maybe: float | None = None
    colour: Colour = Colour.RED
    pair: tuple[int, str] = (1, "x")
    numbers: set[int] = {1}
    uid: UUID = UUID(int=1)
    lasts: timedelta = timedelta(days=1, microseconds=3)
    kind: Literal["a", "b"] = "a"
    more: dict[str, list[int]] = {}


class Aliased(BaseModel):
    x: int = Field(alias="theX")
    y: int = Field(1, validation_alias="inY", serialization_alias="outY")


class Computed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def b(self) -> int:
        return self.a + 1


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Binary(BaseModel):
    data: bytes
    colour: Colour = Colour.RED
    address: IPv4Address = IPv4Address("1.2.3.4")


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    at: datetime
    colour: Colour
    price: Decimal
    pair: tuple[int, ...]


class StrictBinary(Strict):
    data: bytes


class Open(BaseModel):
    anything: Any = None
    loose: dict[Any, Any] = {}


class Private(BaseModel):
    a: int
    _b: int = PrivateAttr(0)


class Secret(BaseModel):
    word: SecretStr


class Cat(BaseModel):
    name: str


class Dog(BaseModel):
    name: str


class Tagged(BaseModel):
    tag: Tag


class Linked(BaseModel):
    url: AnyUrl


class Tree(BaseModel):
    children: list[Tree] = []
    n: int = 0


class Page(BaseModel, Generic[T]):
    items: list[T]


class Numbers(RootModel[list[int]]):
    pass


class Doubling(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def double(cls, n: int) -> int:
        return n * 2


@dataclasses.dataclass
class Plain:
    a: int
    items: list[Item]


@pydantic_dataclass
class Checked:
    a: int
    at: datetime


class Row(TypedDict):
    a: int
    b: str


class Named(NamedTuple):
    a: int
    b: str


class Struct(msgspec.Struct):
    a: int
    at: datetime | None = None
    price: Decimal = Decimal(1)
    children: list[Struct] = []


class SpecialStruct(Struct):
    b: int = 1


class OpenStruct(msgspec.Struct):
    anything: Any = None


UserId = NewType("UserId", int)
OptionalItem = Optional[Item]  # noqa: UP045  as older code writes them
CatOrDog = Union[Cat, Dog]  # noqa: UP007


def item(**fields: Any) -> Item:
    return Item(**{"id": 1, "price": "1.50", "at": NOW, **fields})


KEPT: list[tuple[str, Any, Any, int]] = [
    ("model", Item, item(), ID_JSON),
    ("naive time", Item, item(at=datetime(2026, 1, 2)), ID_JSON),
    ("offset", Item, item(at=NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))), ID_JSON),
    ("not a number", Item, item(ratio=math.nan, maybe=math.inf), ID_JSON),
    ("not a number where None is valid", Item, item(maybe=math.nan), ID_JSON),
    ("none", OptionalItem, None, ID_JSON),
    ("union with none", Item | None, item(), ID_JSON),
    ("list", list[Item], [item(), item(id=2)], ID_JSON),
    ("dict", dict[str, Item], {"b": item(), "a": item()}, ID_JSON),
    ("tuple", tuple[Tag, int], (Tag(name="x"), 1), ID_JSON),
    ("annotated", Annotated[Item, "note"], item(), ID_JSON),
    ("aliases", Aliased, Aliased.model_validate({"theX": 3, "inY": 4}), ID_JSON),
    ("computed field beside extra=forbid", Computed, Computed(a=1), ID_JSON),
    ("strict", Strict, Strict(at=NOW, colour=Colour.RED, price=Decimal("1.0"), pair=(1,)), ID_JSON),
    ("root model", Numbers, Numbers([1]), ID_JSON),
    ("recursive", Tree, Tree(children=[Tree(n=1)]), ID_JSON),
    ("generic", Page[Item], Page[Item](items=[item()]), ID_JSON),
    ("url", Linked, Linked(url=AnyUrl("http://a/b")), ID_JSON),
    ("dataclass", Plain, Plain(1, [item()]), ID_JSON),
    ("pydantic dataclass", Checked, Checked(1, NOW), ID_JSON),
    ("named tuple", Named, Named(1, "x"), ID_JSON),
    ("enumeration", list[Colour], [Colour.RED], ID_JSON),
    ("extra fields", Extra, Extra(a=1, at=NOW, pair=(1, 2)), ID_TIERCEL),  # type: ignore[call-arg]
    ("bytes that are not text", Binary, Binary(data=b"\xff\x00"), ID_TIERCEL),
    (
        "bytes, strict",
        StrictBinary,
        StrictBinary(at=NOW, colour=Colour.RED, price=Decimal(1), pair=(1,), data=b"\xff"),
        ID_TIERCEL,
    ),
    (
        "any",
        Open,
        Open(anything=(1, {2}), loose={1: NOW, "zone": datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))}),
        ID_TIERCEL,
    ),
    ("union of classes, by the first", CatOrDog, Cat(name="x"), ID_TIERCEL),
    ("typed dict", Row, {"a": 1, "b": "x"}, -1),
    ("list of typed dicts", list[Row], [{"a": 1, "b": "x"}], -1),
    ("struct", Struct, Struct(1, NOW, children=[Struct(2)]), ID_MSGSPEC),
    ("dict of structs", dict[str, Struct], {"a": Struct(1)}, ID_MSGSPEC),
    ("open struct", OpenStruct, OpenStruct({"a": [1]}), ID_MSGSPEC),
]


@pytest.mark.parametrize(("annotation", "value", "number"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
def test_what_an_annotation_describes_comes_back(annotation: Any, value: Any, number: int) -> None:
    codec = codec_for(annotation)
    payload = codec.encode(value)
    verify(codec, value, payload)
    if number >= 0:  # a TypedDict is JSON or Tiercel's own, by the version of Python
        assert codec.id == number


REFUSED: list[tuple[str, Any, Any, str]] = [
    ("subclass", Tag, SpecialTag(name="x"), "value: a SpecialTag, and the annotation says Tag"),
    ("subclass in a list", list[Tag], [Tag(name="x"), SpecialTag(name="x")], r"value\[1\]: a SpecialTag"),
    ("subclass in a dict", dict[str, Tag], {"k": SpecialTag(name="x")}, r"value\['k'\]: a SpecialTag"),
    ("subclass in a field", Tagged, Tagged(tag=SpecialTag(name="x")), r"value\.tag: a SpecialTag came back as Tag"),
    ("another type", Tag, {"name": "x"}, "value: a dict, and the annotation says Tag"),
    ("another type in a field", Item, Item.model_construct(id=1, price=1.5, at=NOW), "price"),
    ("other class of a union", CatOrDog, Dog(name="x"), "value: a Dog came back as Cat"),
    ("secret", Secret, Secret(word=SecretStr("x")), r"value\.word: "),
    ("model in an open field", Open, Open(anything=Cat(name="x")), r"value\.anything: a Cat came back as dict"),
    ("enumeration in an open field", Open, Open(anything=Colour.RED), r"value\.anything: a Colour came back as str"),
    ("struct subclass", Struct, SpecialStruct(1), "value: a SpecialStruct, and the annotation says Struct"),
    (
        "struct subclass in a field",
        Struct,
        Struct(1, children=[SpecialStruct(2)]),
        r"value\.children\[0\]: a SpecialStruct",
    ),
    ("tuple in an open struct", OpenStruct, OpenStruct((1,)), r"value\.anything: a tuple came back as list"),
    ("mixed", dict[Cat, Struct], {}, "mixes Pydantic and msgspec"),
]


@pytest.mark.parametrize(("annotation", "value", "why"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_would_come_back_as_something_else_is_refused_at_each_store(annotation: Any, value: Any, why: str) -> None:
    with pytest.raises(NotCacheable, match=why):
        codec_for(annotation).encode(value)


VERIFIED: list[tuple[str, Any, Any, str]] = [
    ("private attribute", Private, Private(a=1), r"value\._b: 5 came back as 0"),
    ("validator that changes again", Doubling, Doubling(n=1), r"value\.n: 2 came back as 4"),
    (
        "zone",
        Item,
        item(at=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Zurich"))),
        r"value\.at: the time zone Europe/Zurich",
    ),
]


@pytest.mark.parametrize(
    ("annotation", "value", "why"), [row[1:] for row in VERIFIED], ids=[row[0] for row in VERIFIED]
)
def test_what_only_a_look_at_the_result_shows_is_named_by_verify(annotation: Any, value: Any, why: str) -> None:
    if isinstance(value, Private):
        value._b = 5
    codec = codec_for(annotation)
    payload = codec.encode(value)
    with pytest.raises(NotCacheable, match=why):
        verify(codec, value, payload)


@pytest.mark.parametrize(
    "annotation",
    [
        None,
        Any,
        object,
        dict,
        list,
        dict[str, Any],
        list[int],
        int | None,
        UserId,
        str,
        bytes,
        TypeVar("X"),
        "User",
        Literal["a"],
        set[str],
    ],
    ids=str,
)
def test_what_the_annotation_leaves_open_is_tiercels_own(annotation: Any) -> None:
    assert codec_for(annotation) is UNTYPED


def test_what_has_no_schema_refuses_each_value_and_says_why() -> None:
    @dataclasses.dataclass
    class Odd:
        thread: sys  # type: ignore[valid-type]

    codec = codec_for(Odd)
    with pytest.raises(NotCacheable, match="Pydantic has no schema for"):
        codec.encode(Odd(sys))
    with pytest.raises(DecodeError):
        codec.decode(b"{}")


def test_damaged_payloads_of_models_raise() -> None:
    for annotation, value in ((Item, item()), (Binary, Binary(data=b"x")), (Struct, Struct(1))):
        codec = codec_for(annotation)
        payload = codec.encode(value)
        for damaged in (b"", payload[:-1], payload + b"x", b"\xc1"):
            with pytest.raises((ValueError, msgspec.DecodeError)):
                codec.decode(damaged)


def test_a_hit_of_a_model_runs_no_python_of_ours() -> None:
    for annotation in (Item, Binary, Struct):
        assert not hasattr(codec_for(annotation).decode, "__code__")
    assert not hasattr(UNTYPED.decode, "__code__")


def test_neither_pydantic_nor_msgspec_is_imported_before_an_annotation_needs_it() -> None:
    code = (
        "import sys, tiercel._codec as c; c.codec_for(dict[str, int]).encode({}); "
        "sys.exit(any(name in sys.modules for name in ('pydantic', 'msgspec', 'bson')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_classes_own_marks_tell_who_describes_them() -> None:
    assert machinery_of(list[Item]) == "pydantic"
    assert machinery_of(dict[str, Struct]) == "msgspec"
    assert machinery_of(Plain) == "either"
    assert machinery_of(Row | None) == "typed_dict"
    assert machinery_of(dict[Cat, Struct]) == "mixed"
    assert machinery_of(dict[str, Any]) == "open"


items = st.builds(
    Item, id=st.integers(), price=st.decimals(allow_nan=False, allow_infinity=False), at=st.datetimes().map(lambda at: at.replace(fold=0)), ratio=st.floats(),  # noqa: E501
    maybe=st.none() | st.floats(), pair=st.tuples(st.integers(), st.text()), numbers=st.sets(st.integers()), uid=st.uuids(),
    more=st.dictionaries(st.text(), st.lists(st.integers())),
)  # fmt: skip


@given(st.lists(items, max_size=3))
@settings(max_examples=100, deadline=None)
def test_models_come_back_whatever_they_hold(value: list[Item]) -> None:
    codec = codec_for(list[Item])
    verify(codec, value, codec.encode(value))


async def test_a_beanie_document_comes_back_with_its_object_id() -> None:
    import beanie
    from mongomock_motor import AsyncMongoMockClient

    class User(beanie.Document):
        name: str
        at: datetime
        balance: Decimal

    await beanie.init_beanie(database=AsyncMongoMockClient().test, document_models=[User])
    user = await User(name="x", at=datetime(2026, 1, 2), balance=Decimal("1.50")).insert()
    assert user.id is not None
    for annotation, value in ((User, user), (list[User], [user]), (User | None, user)):
        codec = codec_for(annotation)
        payload = codec.encode(value)
        verify(codec, value, payload)
        assert codec.decode(payload) == value
    dumped = user.model_dump()
    verify(UNTYPED, dumped, UNTYPED.encode(dumped))
