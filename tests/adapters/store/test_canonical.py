from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.store.canonical import canonical_json, canonical_sha256, is_sha256, plain

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(scalars, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=6)


@settings(max_examples=50)
@given(values)
def test_canonical_json_reads_back_as_the_same_value(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@settings(max_examples=50)
@given(st.dictionaries(st.text(), scalars, min_size=2, max_size=6))
def test_order_of_keys_does_not_change_the_bytes(value: dict[str, object]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


def test_form_is_fixed() -> None:
    """Ids depend on these bytes for ever: sorted, dense, ASCII, shortest floats, tuples as lists."""
    assert canonical_json({"b": (1, 0.1), "a": "é", "c": None}) == b'{"a":"\\u00e9","b":[1,0.1],"c":null}'


def test_sha256_is_that_of_the_canonical_bytes() -> None:
    # printf '{}' | sha256sum
    assert canonical_sha256({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert is_sha256(canonical_sha256({}))


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"a": {"b": float("nan")}}, "recipe.a.b"),
        ({"a": [1, float("inf")]}, r"recipe.a\[1\]"),
        ({"a": {1: 2}}, "recipe.a"),
        ({"a": {1, 2}}, "recipe.a"),
        ({"a": b"x"}, "recipe.a"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_its_place(value: object, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        plain(value, "recipe")


@pytest.mark.parametrize("text", ["", "ab", "g" * 64, "AB" * 32, "ab" * 33])
def test_only_64_lower_case_hex_digits_are_a_sha256(text: str) -> None:
    assert not is_sha256(text)
