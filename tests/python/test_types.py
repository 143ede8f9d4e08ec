"""MISSING, Pattern, Tag and the errors: the small words of the interface."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from tiercel import _errors
from tiercel._types import MISSING, Loaded, Pattern, Tag


def test_missing_is_one_object_through_copies_and_pickles_and_is_falsy() -> None:
    assert copy.copy(MISSING) is MISSING
    assert copy.deepcopy([MISSING])[0] is MISSING
    assert pickle.loads(pickle.dumps(MISSING)) is MISSING
    assert repr(MISSING) == "MISSING"
    assert (MISSING or 5) == 5


@pytest.mark.parametrize("kind", [Pattern, Tag])
def test_a_pattern_and_a_tag_are_values_and_refuse_what_cannot_be_one(kind: Any) -> None:
    assert kind("a:*") == kind("a:*")
    assert len({kind("a"), kind("a"), kind("b")}) == 2
    assert repr(kind("a")) == f"{kind.__name__}('a')"
    for bad, why in (("", "empty"), ("x" * 1025, "1025 bytes"), ("ü" * 513, "1026 bytes"), ("\ud800", "surrogates")):
        with pytest.raises(ValueError, match=why):
            kind(bad)
    with pytest.raises(TypeError, match="expected a str"):
        kind(b"a")


def test_loaded_without_more_is_what_others_load_for_themselves() -> None:
    assert Loaded("uncacheable") == ("uncacheable", b"", 0, None, None, None, ())


def test_every_error_is_one_of_tiercels_and_what_the_programmer_did_is_pythons_too() -> None:
    for name in _errors.__all__:
        assert issubclass(getattr(_errors, name), _errors.TiercelError)
    assert issubclass(_errors.NotCacheable, TypeError)
    assert issubclass(_errors.ConfigurationError, ValueError)
    assert issubclass(_errors.DecodeError, ValueError)
