from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.errors import StateError, UnknownAdapterError
from adapters.store import AdapterStore
from adapters.store.catalog.states import LEGAL, STATES, Move, State
from tests.adapters.store.samples import publish


def test_the_table_has_every_state_and_no_other() -> None:
    assert set(LEGAL) == set(STATES) == set(get_args(State))
    assert set().union(*LEGAL.values()) == set(STATES)


def test_the_life_of_a_revision_is_the_published_one() -> None:
    # MinT, arXiv 2605.13779: registered → prewarming → ready → served → evicted / retired
    life: list[State] = ["registered", "prewarming", "ready", "served", "evicted"]
    assert all(after in LEGAL[before] for before, after in pairwise(life))
    assert all("retired" in LEGAL[state] for state in STATES if state != "retired")


def test_nothing_is_served_that_was_not_ready() -> None:
    assert [state for state in STATES if "served" in LEGAL[state]] == ["ready"]
    assert [state for state in STATES if "ready" in LEGAL[state]] == ["prewarming", "served"]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.sampled_from(STATES), max_size=8))
def test_legal_moves_are_logged_and_others_change_nothing(store: AdapterStore, moves: list[State]) -> None:
    revision = publish(store, "ada")
    now = store.states.of(revision)
    log = len(store.states.log(revision))
    for to in moves:
        if to in LEGAL[now]:
            assert store.states.advance(revision, to, f"to {to}") == now
            now, log = to, log + 1
        else:
            with pytest.raises(StateError, match=f"is {now}, and {to} cannot follow"):
                store.states.advance(revision, to, "no")
        assert store.states.of(revision) == now
        assert len(store.states.log(revision)) == log
    if store.states.of(revision) == "retired":
        store.states.advance(revision, "registered", "for the next example")


def test_several_advance_at_one_moment_or_none(store: AdapterStore) -> None:
    one, two = publish(store, "ada", 1), publish(store, "ben", 2)
    with pytest.raises(StateError):
        store.states.advance_all({one: "prewarming", two: "served"}, "a burst")
    assert store.states.of(one) == "registered"
    assert store.states.advance_all({one: "prewarming", two: "prewarming"}, "a burst") == {
        one: "registered",
        two: "registered",
    }
    assert store.states.where("prewarming") == sorted([one, two])
    assert {t.reason for t in store.states.log(one)} == {"a burst"}


def test_an_unknown_revision_has_no_state(store: AdapterStore) -> None:
    publish(store, "ada")
    with pytest.raises(UnknownAdapterError, match="full id"):
        store.states.of("ada")
    assert store.states.log("ada") == []


def test_moves_that_are_followed_leave_out_the_illegal_ones(store: AdapterStore) -> None:
    ada, bob = publish(store, "ada", 0), publish(store, "bob", 1)
    store.states.follow(
        [
            Move(ada, "prewarming", "asked"),
            Move(bob, "served", "never ready"),
            Move(ada, "ready", "passed"),
            Move(bob, "retired", "unwanted"),
        ]
    )
    assert store.states.of_each([ada, bob]) == {ada: "ready", bob: "retired"}
    assert [t.reason for t in store.states.log(ada)] == ["asked", "passed"]
    with pytest.raises(UnknownAdapterError):
        store.states.follow([Move(ada, "served", ""), Move("0" * 64, "retired", "")])
    assert store.states.of(ada) == "ready"
