import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.handles import assign_handles
from tests.agents.people import crowd, user


def test_ids_that_will_do_are_the_handles() -> None:
    handles = assign_handles(crowd(left=3, right=3))
    assert handles == {user_id: user_id for user_id in handles}


@pytest.mark.parametrize("user_id", ["Ana", "a b", "x" * 21, "ana@example.org", "李", "a\n", '"', "ana-1"])
def test_one_id_that_will_not_do_gives_everybody_a_pseudonym(user_id: str) -> None:
    """A pseudonym for that one alone would mark it."""
    handles = assign_handles([*crowd(left=2, right=2), user(user_id, "left")])
    assert all(re.fullmatch(r"[a-z]{6}_[a-z]{6}", handle) for handle in handles.values())


@pytest.mark.parametrize(
    "ids",
    [
        {"left_1": "left", "right_1": "right"},
        {"ana_left": "left", "bob": "right"},
        {"l1": "left", "l2": "left", "r1": "right", "r2": "right"},
        {"d_1": "D", "x9": "R"},
    ],
)
def test_ids_that_tell_the_side_are_replaced(ids: dict[str, str]) -> None:
    handles = assign_handles([user(user_id, side) for user_id, side in ids.items()])
    assert not set(handles.values()) & set(ids)


def test_without_sides_no_id_can_tell_one() -> None:
    assert assign_handles([user("l1"), user("l2"), user("left")])["left"] == "left"


def test_a_common_stem_of_a_few_friends_is_no_giveaway() -> None:
    people = [user(f"{'abcdefgh'[n]}x", "left") for n in range(8)] + [
        user("zoe1", "right"),
        user("zoe2", "right"),
    ]
    people += [user(f"{'abcdefgh'[n]}y", "right") for n in range(8)]
    assert assign_handles(people)["zoe1"] == "zoe1"


def test_a_pseudonym_depends_on_the_id_alone() -> None:
    ids = [f"User {n}" for n in range(50)]
    everyone = assign_handles([user(user_id, "left") for user_id in ids])
    some = assign_handles([user(user_id, "right") for user_id in reversed(ids[::3])])
    assert some.items() <= everyone.items()


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=30, unique=True), st.data())
def test_handles_are_safe_and_unique_for_any_ids(ids: list[str], data: st.DataObject) -> None:
    sides = st.sampled_from(["left", "right", None])
    handles = assign_handles([user(user_id, data.draw(sides), posts=1) for user_id in ids])
    assert set(handles) == set(ids)
    assert len(set(handles.values())) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9_]{1,20}", handle) for handle in handles.values())


def test_ten_thousand_pseudonyms_are_distinct() -> None:
    handles = assign_handles([user(f"User {n}", posts=0) for n in range(10_000)])
    assert len(set(handles.values())) == 10_000
