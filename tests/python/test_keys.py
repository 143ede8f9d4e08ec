"""Keys: docs/reference/keys.md, sentence by sentence, and the vectors it shares with C++."""

from __future__ import annotations

import abc
import collections
import dataclasses
import datetime
import decimal
import enum
import inspect
import json
import pickle
import typing
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional

import msgspec
import pydantic
import pytest

import tiercel
from support.runs import run_child
from tiercel import Cache, _core

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "keys.json").read_text(encoding="utf-8"))["vectors"]

ANNOTATIONS: dict[str | None, Any] = {
    "int": int, "str": str, "bool": bool, "float": float, "bytes": bytes, "decimal": decimal.Decimal, "uuid": uuid.UUID, "list": list,
    "date": datetime.date, "datetime": datetime.datetime,
}  # fmt: skip

cache = Cache("memory://")


def key(function: Any, *args: Any, **kwargs: Any) -> str:
    made: str = cache.cached(prefix="p")(function).key(*args, **kwargs)
    return made


def key_of(value: Any, annotation: Any = None) -> str:
    """Of a function with one parameter."""

    async def f(x): ...

    if annotation is not None:
        f.__annotations__["x"] = annotation
    return key(f, value)


def value_of(kind: str, content: Any = None) -> Any:
    if kind in ("list", "tuple", "set", "frozenset"):
        return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind](
            value_of(*item) for item in content
        )
    if kind == "dict":
        return {value_of(*name): value_of(*value) for name, value in content}
    readers: dict[str, Any] = {
        "none": lambda _: None, "bool": bool, "int": lambda text: int(text, 0), "float": float, "str": str, "bytes": bytes.fromhex,
        "decimal": decimal.Decimal, "uuid": uuid.UUID, "date": datetime.date.fromisoformat, "time": datetime.time.fromisoformat,
        "datetime": datetime.datetime.fromisoformat, "timedelta": lambda text: datetime.timedelta(microseconds=int(text)),
    }  # fmt: skip
    return readers[kind](content)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_shared_vectors_hold(vector: dict[str, Any]) -> None:
    names = "abcdef"[: len(vector["parameters"])]

    async def f(*args: Any) -> None: ...

    import inspect

    f.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation=ANNOTATIONS.get(p["annotation"], inspect.Parameter.empty),
            )
            for name, p in zip(names, vector["parameters"], strict=True)
        ]
    )
    assert key(f, *(value_of(*p["value"]) for p in vector["parameters"])) == vector["key"]


def test_the_vectors_give_no_key_twice() -> None:
    def shown(vector: dict[str, Any]) -> str:
        return json.dumps([vector["parameters"]])

    by_signature: dict[str, set[str]] = {}
    for vector in VECTORS:
        signature = json.dumps([p["annotation"] for p in vector["parameters"]])
        keys = by_signature.setdefault(signature, set())
        assert vector["key"] not in keys, shown(vector)
        keys.add(vector["key"])


# Binding


def test_position_keyword_and_default_are_one_key() -> None:
    async def f(x: int = 1) -> None: ...

    assert key(f, 1) == key(f, x=1) == key(f) == "p:1"


def test_arguments_stand_in_the_order_of_the_signature() -> None:
    async def f(a: int, /, b: int, *, c: int, d: int = 4) -> None: ...

    assert key(f, 1, c=3, b=2) == key(f, 1, 2, d=4, c=3) == "p:1:2:3:4"


def test_star_arguments_are_texts_that_no_value_gives() -> None:
    async def f(a: int, *rest: Any, b: Any = None, **more: Any) -> None: ...

    assert key(f, 1) == "p:1:~"
    assert key(f, 1, 2, "x") == "p:1:~a(~i2,x):~"
    assert key(f, 1, z=1, y=2) == key(f, 1, y=2, z=1) == "p:1:~:~k(y=~i2,z=~i1)"
    assert len({key(f, 1, (2,)), key(f, 1, b=(2,)), key(f, 1, 2), key(f, 1, b={"k": 3}), key(f, 1, k=3)}) == 5


def test_how_many_stand_is_counted_in_the_signature_so_verbatim_never_meets_several() -> None:
    async def f(a: str, **more: Any) -> None: ...

    assert key(f, "x:~k(y=~i1)") != key(f, "x", y=1)


@pytest.mark.parametrize(
    "annotation",
    [
        Optional[int],  # noqa: UP045
        int | None,
        Annotated[int, "path"],
        Annotated[int | None, 1],
        typing.NewType("UserId", int),
        Literal[1, 2],
        "int",
        "Optional[int]",
    ],
)
def test_annotations_are_looked_through(annotation: Any) -> None:
    assert key_of(1, annotation) == "p:1"
    assert key_of("1", annotation) == "p:~s1"


@pytest.mark.parametrize("annotation", [None, Any, int | str, list[int], typing.TypeVar("T"), "NotDefinedAnywhere"])
def test_without_a_bare_type_text_stands_bare(annotation: Any) -> None:
    assert key_of("1", annotation) == "p:1"
    assert key_of(1, annotation) == "p:~i1"


def test_an_annotation_defined_later_counts_from_the_first_call_on() -> None:
    @cache.cached("later")
    async def f(x: LaterAlias) -> None: ...  # noqa: F821

    globals()["LaterAlias"] = int
    try:
        assert f.key(1) == "later:1"
    finally:
        del globals()["LaterAlias"]


def test_an_annotation_defined_later_that_has_no_key_is_refused_at_the_call() -> None:
    @cache.cached("later")
    async def f(x: LaterClass) -> None: ...  # noqa: F821

    globals()["LaterClass"] = type("LaterClass", (), {})
    try:
        for _ in range(2):
            with pytest.raises(TypeError, match="its annotation is LaterClass"):
                f.key(1)
    finally:
        del globals()["LaterClass"]


# self and cls


class Service:
    @cache.cached("user")
    async def get(self, user_id: str) -> None: ...

    @cache.cached("this")
    async def named_otherwise(this, user_id: str) -> None: ...

    @classmethod
    @cache.cached("c")
    async def of_class(cls, x: int) -> None: ...

    @cache.cached("c")
    @classmethod
    async def over_class(cls, x: int) -> None: ...

    @staticmethod
    @cache.cached("s")
    async def of_static(x: int) -> None: ...

    @cache.cached("s")
    @staticmethod
    async def over_static(x: int) -> None: ...


class Tenant(Service):
    def __init__(self, tenant: Any) -> None:
        self.tenant = tenant

    def __cache_key__(self) -> Any:
        return self.tenant


def test_methods_leave_self_and_cls_out_bound_and_through_the_class() -> None:
    assert Service().get.key("42") == Service.get.key("42") == "user:42"
    assert Service().named_otherwise.key("42") == Service.named_otherwise.key("42") == "this:42"
    for keyed in (Service.of_class, Service.over_class, Service().of_class, Service().over_class):
        assert keyed.key(7) == "c:7"
    for keyed in (Service.of_static, Service.over_static, Service().of_static, Service().over_static):
        assert keyed.key(7) == "s:7"


def test_a_plain_function_keeps_a_first_parameter_called_self() -> None:
    async def f(self: int, x: int) -> None: ...

    assert key(f, 1, 2) == "p:1:2"


def test_a_function_put_on_a_class_later_has_its_receiver_in_the_key_or_none() -> None:
    class Late: ...

    @cache.cached("profile")
    async def profile(user) -> None: ...  # type: ignore[no-untyped-def]

    Late.profile = profile  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="no key can be made of argument 'user'"):
        Late().profile.key()  # type: ignore[attr-defined]  # not one key for all


async def test_a_plain_function_that_a_class_names_as_well_keeps_its_first_argument() -> None:
    @cache.cached("user")
    async def get_user(user_id: int) -> int:
        return user_id

    class Registry:
        load = get_user

    @dataclasses.dataclass(slots=True)
    class Dependencies:
        load: Any = get_user

    for keyed in (get_user, Registry.load, Dependencies().load):
        assert keyed.key(7) == "user:7"
    assert [await get_user(1), await Registry.load(2), await Dependencies().load(3), await get_user(4)] == [1, 2, 3, 4]


async def test_a_plain_function_called_on_an_instance_that_has_a_key_is_the_same_call() -> None:
    @cache.cached("profile")
    async def get_profile(user: Any, *, upper: bool = False) -> Any:
        return user.tenant

    @dataclasses.dataclass
    class User:
        tenant: str
        profile = get_profile

    class Account(Tenant):
        profile = get_profile

    for owner in (User, Account):
        one, two = owner("one"), owner("two")
        assert [await one.profile(), await two.profile(), await get_profile(two)] == ["one", "two", "two"]
        assert one.profile.key() == owner.profile.key(one) == get_profile.key(one) != two.profile.key()
        await two.profile.invalidate()
        assert await cache.get(get_profile.key(one)) == "one" and await cache.get(get_profile.key(two)) is None


def test_only_the_class_whose_body_it_stands_in_makes_a_method_of_it() -> None:
    async def get(this: int, x: int) -> None: ...

    here = {"__module__": __name__, "__qualname__": "Names"}
    for module, qualified, expected in (
        (__name__, "Names.get", "p:2"),
        (__name__, "Names.make.<locals>.get", "p:1:2"),
        (__name__, "NamesToo.get", "p:1:2"),
        ("elsewhere", "Names.get", "p:1:2"),
    ):
        get.__module__, get.__qualname__ = module, qualified
        made = cache.cached("p")(get)
        type("Names", (), {**here, "get": made, "again": made})
        arguments = (2,) if expected == "p:2" else (1, 2)
        assert made.key(*arguments) == expected


def test_a_method_stays_one_under_another_name_in_its_class_and_in_others() -> None:
    class Other(Service):
        fetch = Service.named_otherwise

        class Inner:
            fetch = Service.named_otherwise

    class Unrelated:
        fetch = Service.named_otherwise

    for owner in (Other, Other.Inner, Unrelated):
        assert owner().fetch.key("42") == owner.fetch.key("42") == "this:42"
    assert Service.named_otherwise.key("42") == "this:42"


async def test_a_function_of_keywords_alone_has_no_receiver() -> None:
    class Queries:
        @cache.cached("query")
        async def run(*, user_id: int) -> int:  # type: ignore[misc]
            return user_id

        @cache.cached("any")
        async def any(**filters: int) -> Any:  # type: ignore[misc]
            return filters

    assert [await Queries.run(user_id=user) for user in (1, 2)] == [1, 2]  # type: ignore[misc]
    assert [await Queries.any(user=user) for user in (1, 2)] == [{"user": 1}, {"user": 2}]  # type: ignore[misc]
    assert Queries.run.key(user_id=1) == "query:1"  # type: ignore[call-arg, misc]


async def test_a_receiver_among_the_rest_is_left_out_and_nothing_else() -> None:
    class Wide(Tenant):
        @cache.cached("wide")
        async def get(*args: Any, **options: Any) -> Any:
            return args[1:]

        @cache.cached("built", key_builder=lambda self, *ids: f"{self and self.tenant}-{ids}")
        async def built(*args: Any) -> None: ...

        @cache.cached(key="named:{args}")
        async def named(*args: Any) -> None: ...

    class Plain:
        get = vars(Wide)["get"]

    wide, plain = Wide("acme"), Plain()
    assert plain.get.key(1) == Plain.get.key(1) == "wide:~a(~i1)"
    assert plain.get.key() == "wide" and plain.get.key(1, deep=True) == "wide:~a(~i1):~k(deep=~b1)"
    assert wide.get.key(1) == "wide:acme:~a(~i1)" and wide.get.key() == "wide:acme"
    assert [await wide.get(1), await wide.get(2), await Wide.get(wide, 2), await Wide.get()] == [(1,), (2,), (2,), ()]
    assert wide.built.key(1) == "built:acme-(1,)" and Wide.built.key(1) == "built:None-(1,)"
    with pytest.raises(TypeError, match="the key needs 'args', which is not known through the class"):
        Wide.named.key(1)


def test_an_instance_with_a_cache_key_puts_its_value_in() -> None:
    assert Tenant("acme").get.key("4:2") == "user:acme:4%3A2"
    assert Tenant(7).get.key("42") == "user:~i7:42"


@pytest.mark.parametrize("method", ["key", "invalidate"])
def test_through_a_class_with_a_cache_key_no_key_is_named(method: str) -> None:
    class Late(Tenant): ...

    Late.get_late = cache.cached("late")(Service.get.__wrapped__)  # type: ignore[attr-defined]
    for function in (Tenant.get, Tenant.named_otherwise, Late.get, Late.get_late):  # type: ignore[attr-defined]
        with pytest.raises(
            TypeError, match=rf"Service\.\w+\.{method}\(\): what __cache_key__\(\).* call it on an instance"
        ):
            getattr(function, method)("42")


async def test_through_a_class_with_a_cache_key_all_else_goes_on() -> None:
    class Account(Tenant):
        @cache.cached("name")
        async def name(self, upper: bool = False) -> str:
            """Whose."""
            return self.tenant.upper() if upper else self.tenant

        @cache.cached("shared", exclude=["self"])
        async def shared(self, x: int) -> None: ...

        @cache.cached(key="named:{x}")
        async def named(self, x: int) -> None: ...

    one, two = Account("one"), Account("two")
    assert await Account.name(one) == await one.name() == "one" and await Account.name(two) == "two"
    assert await Account.name.refresh(one, upper=True) == await Account.name.uncached(one, True) == "ONE"
    assert Account.name.__doc__ == "Whose." and list(inspect.signature(Account.name).parameters) == ["self", "upper"]
    assert Account.name == Account.name and inspect.iscoroutinefunction(Account.name)
    assert Account.shared.key(1) == one.shared.key(1) == "shared:1" and Account.named.key(1) == "named:1"
    assert Account.of_class.key(1) == "c:1" and Account.of_static.key(1) == "s:1"
    assert pickle.loads(pickle.dumps(Tenant.get)) == Tenant.get


def test_an_abstract_method_stays_abstract_below_a_cache_key() -> None:
    class Base(abc.ABC):
        @cache.cached("f")
        @abc.abstractmethod
        async def f(self) -> None: ...

        def __cache_key__(self) -> str:
            return ""

    class Derived(Base): ...

    with pytest.raises(TypeError, match="abstract"):
        Derived()  # type: ignore[abstract]


async def test_a_class_that_serves_as_a_namespace_is_told_of_staticmethod() -> None:
    class Queries:
        @cache.cached("by")
        async def by_id(user_id: int) -> int:  # type: ignore[misc]
            return user_id

        @cache.cached("this")
        async def method(this, x: int) -> int:
            return x

    with pytest.raises(TypeError, match=r"by_id\(\): the first argument is no instance .* @staticmethod"):
        await Queries.by_id(1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="@staticmethod"):
        await Queries.by_id.refresh(3)  # type: ignore[arg-type]
    queries = Queries()
    assert await Queries.method(queries, 1) == await queries.method(1) == 1 and await cache.exists("this:1")


# Values


class Color(enum.Enum):
    RED = "red"
    ODD = "~odd"


class Level(enum.IntEnum):
    LOW = 1


class Mixed(enum.Enum):
    ONE = 1
    TEXT = "1"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None


class Pair(NamedTuple):
    a: str
    b: int


class Filter(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str = "n"
    inner: Any = None


class Struct(msgspec.Struct):
    a: int
    b: str = "b"


class Keyed:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __cache_key__(self) -> Any:
        return self.value


class Name(str): ...


def test_members_of_an_enum_are_bare_by_value_and_tagged_by_name() -> None:
    here = f"{__name__}"
    assert key_of(Color.RED, Color) == "p:red"
    assert key_of(Color.ODD, Color) == "p:~s~odd"
    assert key_of(Color.RED) == f"p:~e({here}.Color,RED)"
    assert key_of(Level.LOW, Level) == "p:1"
    assert key_of(Level.LOW, int) == f"p:~e({here}.Level,LOW)"
    assert key_of(Mixed.ONE, Mixed) == f"p:~e({here}.Mixed,ONE)" != key_of(Mixed.TEXT, Mixed)
    assert key_of(Access.READ | Access.WRITE, Access) == "p:3"
    assert key_of(Access.READ | Access.WRITE) == f"p:~e({here}.Access,~i3)"


def test_classes_with_fields_are_written_field_by_field() -> None:
    here = f"{__name__}"
    assert key_of(Point(1, "a,b"), Point) == "p:~o(x=~i1,y=a%2Cb)"
    assert key_of(Point(1)) == f"p:~o({here}.Point,x=~i1,y=~)"
    assert key_of(Pair("a", 2), Pair) == "p:~o(a=a,b=~i2)" != key_of(("a", 2), Pair)
    assert key_of(Struct(1), Struct) == "p:~o(a=~i1,b=b)"
    assert key_of(Filter(inner=Point(1)), Filter) == f"p:~o(name=n,inner=~o({here}.Point,x=~i1,y=~))"
    assert key_of(Filter(z=1, y=2), Filter) == "p:~o(name=n,inner=~,~m(y=~i2,z=~i1))"


def test_two_classes_with_the_same_fields_are_two_keys() -> None:
    other = dataclasses.make_dataclass("Other", [("x", int), ("y", int)])
    assert key_of(Point(1, 2)) != key_of(other(1, 2))


def test_an_argument_with_a_cache_key_stands_for_it() -> None:
    assert key_of(Keyed("a"), Keyed) == "p:a"
    assert key_of(Keyed(1), Keyed) == "p:~i1"
    assert key_of("a", Keyed) == "p:~sa"
    assert key_of(Keyed("a")) == f"p:~o({__name__}.Keyed,a)"


def test_subclasses_are_told_apart_from_their_base() -> None:
    assert key_of(Name("a"), Name) == "p:a"
    assert key_of(Name("a"), str) == f"p:~o({__name__}.Name,a)"
    ordered = [collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)]
    assert key_of(ordered[0]) != key_of(ordered[1])


def test_a_subclass_with_attributes_of_its_own_is_refused() -> None:
    name = Name("a")
    name.unit = "m"  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="attributes of its own"):
        key_of(name)


def test_fold_tells_two_times_apart() -> None:
    first = datetime.datetime(2024, 10, 27, 2, 30)
    assert (
        key_of(first, datetime.datetime)
        != key_of(first.replace(fold=1), datetime.datetime)
        == "p:2024-10-27 02:30:00/1"
    )


def test_equal_decimals_that_print_differently_are_two_keys() -> None:
    assert key_of(decimal.Decimal("1.0")) != key_of(decimal.Decimal("1.00"))


def test_lone_surrogates_have_a_key_and_no_two_the_same() -> None:
    texts = ["\ud800", "\udc80", "~\ud800", "%ED%A0%80", "~s%ED%A0%80", "a\ud800"]
    assert len({key_of(text, str) for text in texts}) == len(texts)
    for text in texts:
        key_of(text, str).encode()


def test_sets_and_dicts_do_not_depend_on_the_order_of_hashes() -> None:
    program = (
        "import tiercel; c = tiercel.Cache('memory://')\n"
        "@c.cached('p')\nasync def f(x): ...\n"
        "print(f.key({'a', 'b', 'c', ('d', frozenset({'e', 'f'}))}), f.key({'x': {'y', 'z'}, 'a': 1}))"
    )
    keys = {run_child(program, environment={"PYTHONHASHSEED": seed}) for seed in ("1", "2", "3")}
    assert len(keys) == 1


# Refusals


class Session: ...


def test_an_argument_that_has_no_key_names_function_argument_and_ways_out() -> None:
    async def f(x): ...

    with pytest.raises(TypeError) as caught:
        key(f, [Session()])
    for words in ("f()", "'x'", "Session", 'exclude=["x"]', "key=", "key_builder=", "__cache_key__"):
        assert words in str(caught.value)
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize(
    "annotation",
    [
        Session,
        Optional[Session],  # noqa: UP045
        list[Session],
        dict[str, Session],
        "Session",
        type[int],
        typing.Callable[..., int],
        Annotated[Session, 1],
    ],
)
def test_an_annotation_that_tells_is_refused_at_decoration(annotation: Any) -> None:
    async def f(x): ...

    f.__annotations__["x"] = annotation
    with pytest.raises(TypeError, match=r"f\(\): no key can be made of argument 'x'"):
        cache.cached("p")(f)


@pytest.mark.parametrize(
    "annotation",
    [Session | int, object, collections.abc.Sequence, typing.Protocol, Filter, typing.TypedDict("D", {"a": int})],
)
def test_an_annotation_that_does_not_tell_is_taken(annotation: Any) -> None:
    async def f(x): ...

    f.__annotations__["x"] = annotation
    cache.cached("p")(f)


def test_what_is_excluded_may_be_anything() -> None:
    async def f(x: int, session: Session) -> None: ...

    assert cache.cached("p", exclude=["session"])(f).key(4, Session()) == "p:4"


@pytest.mark.parametrize(("exclude", "error"), [("session", TypeError), (["sesion"], ValueError)])
def test_exclude_names_parameters(exclude: Any, error: type[Exception]) -> None:
    async def f(session: Session) -> None: ...

    with pytest.raises(error, match="exclude"):
        cache.cached("p", exclude=exclude)(f)


def test_cycles_and_depth_are_refused_and_a_value_met_twice_is_not() -> None:
    cycle: list[Any] = []
    cycle.append({"a": cycle})
    with pytest.raises(ValueError, match="contains itself"):
        key_of(cycle)
    deep: list[Any] = []
    for _ in range(70):
        deep = [deep]
    with pytest.raises(ValueError, match="64 levels"):
        key_of(deep)
    twice = [1]
    assert key_of([twice, twice]) == "p:~l(~l(~i1),~l(~i1))"


def test_a_value_that_doubles_at_every_level_is_refused_before_memory_is_full() -> None:
    value: Any = "x" * 1024
    for _ in range(60):
        value = [value, value]
    with pytest.raises(ValueError, match="16 MiB"):
        key_of(value)


def test_what_cache_key_raises_comes_through() -> None:
    class Failing:
        def __cache_key__(self) -> str:
            raise LookupError("no tenant")

    with pytest.raises(LookupError, match="no tenant"):
        key_of(Failing())


def test_a_cache_key_that_is_itself_is_refused() -> None:
    class Selfish:
        def __cache_key__(self) -> Any:
            return self

    with pytest.raises((ValueError, RecursionError)):
        key_of(Selfish())


# key= and key_builder=


class Order:
    id: int
    who: str | None

    def __init__(self, number: int, who: str | None = None) -> None:
        self.id, self.who = number, who


def test_a_template_is_the_whole_key() -> None:
    async def f(user_id: int, flag: bool = False) -> None: ...

    assert cache.cached(key="user:{user_id}")(f).key(42) == "user:42"
    assert cache.cached(key="{{u}}:{user_id}/{flag}")(f).key(42) == "{u}:42/False"


def test_a_template_follows_attributes_as_their_class_annotates_them() -> None:
    async def f(order: Order) -> None: ...

    keyed = cache.cached(key="order:{order.id}:{order.who}")(f)
    assert keyed.key(Order(7, "a:b")) == "order:7:a%3Ab"
    assert keyed.key(Order(7)) == "order:7:~"


def test_one_field_of_a_template_is_verbatim() -> None:
    async def f(name: str) -> None: ...

    assert cache.cached(key="n:{name}")(f).key("a:b*") == "n:a:b*"


def test_a_template_takes_what_says_itself_how_it_reads() -> None:
    class ObjectId:
        def __str__(self) -> str:
            return "65f0"

    async def f(x: ObjectId) -> None: ...

    assert cache.cached(key="u:{x}")(f).key(ObjectId()) == "u:65f0"
    with pytest.raises(TypeError, match="'x'"):
        cache.cached(key="u:{x}")(f).key(Session())


@pytest.mark.parametrize(
    ("template", "error", "words"),
    [
        ("u:{id}", ValueError, "'id'"), ("u:{x!r}", ValueError, "{x!r}"), ("u:{x:>3}", ValueError, "{x:>3}"),
        ("u:{x[0]}", ValueError, "attribute"), ("u:{}", ValueError, "name of a parameter"), ("u:{x", ValueError, "brace"),
        ("", ValueError, "empty"), (b"u", TypeError, "str"),
    ],
)  # fmt: skip
def test_a_template_that_cannot_be_meant_is_refused_at_decoration(
    template: Any, error: type[Exception], words: str
) -> None:
    async def f(x: int) -> None: ...

    with pytest.raises(error, match="key") as caught:
        cache.cached(key=template)(f)
    assert words in str(caught.value)


class Listing:
    @cache.cached(prefix="users_list", expire=60, key_builder=lambda self, skip, limit, **kw: f"{skip}:{limit}")
    async def get_all(self, skip: int = 0, limit: int = 100) -> list[Any]:
        return []


def test_a_key_builder_gets_the_bound_arguments_with_defaults_and_self() -> None:
    assert Listing().get_all.key(10) == Listing.get_all.key(skip=10) == "users_list:10:100"


def test_a_key_builder_gets_keyword_only_and_starred_arguments() -> None:
    seen: list[Any] = []

    def builder(*args: Any, **kwargs: Any) -> str:
        seen.append((args, kwargs))
        return "k"

    async def f(a: int, *rest: int, b: int = 2, **more: int) -> None: ...

    assert cache.cached("p", 60, builder)(f).key(1, 5, 6, c=3) == "p:k"
    assert seen == [((1, 5, 6), {"b": 2, "c": 3})]


@pytest.mark.parametrize(
    ("result", "text"),
    [("a:b", "a:b"), (7, "7"), (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"), (1.5, "1.5")],
)
def test_a_key_builder_returns_text_or_what_reads_as_text(result: Any, text: str) -> None:
    async def f() -> None: ...

    assert cache.cached("p", key_builder=lambda: result)(f).key() == f"p:{text}"


@pytest.mark.parametrize(
    ("result", "error"),
    [("", ValueError), (None, TypeError), (["a"], TypeError), (Session(), TypeError), ({}, TypeError)],
)
def test_a_key_builder_that_returns_no_text_is_refused(result: Any, error: type[Exception]) -> None:
    async def f() -> None: ...

    with pytest.raises(error, match=r"f\(\): key_builder returned"):
        cache.cached("p", key_builder=lambda: result)(f).key()


# Length, escape


def test_a_long_key_is_one_key_for_every_operation() -> None:
    async def f(x: str) -> None: ...

    whole = key(f, "é" * 500)
    assert whole == "p:" + "é" * 500
    assert len(_core.canonical_key(whole)) <= 512
    assert _core.canonical_key(whole) != _core.canonical_key(whole + "!")


def test_escape_makes_a_pattern_of_text_that_matches_itself_alone() -> None:
    assert tiercel._core.escape("a*b?[c]\\^é") == "a\\*b\\?\\[c\\]\\\\\\^é"
    with pytest.raises(TypeError):
        tiercel._core.escape(3)  # type: ignore[arg-type]
