"""Two-phase activation on a real store."""

from __future__ import annotations

import pytest

from adapters.errors import RetiredError, StateError, UnknownAdapterError
from adapters.store import AdapterStore
from adapters.store.tiers.serving import Activation
from tests.adapters.store.samples import publish


def make_ready(store: AdapterStore, revision: str) -> None:
    store.states.advance(revision, "prewarming", "test")
    store.states.advance(revision, "ready", "test")


def test_publishing_does_not_change_what_serves(store: AdapterStore) -> None:
    first = publish(store, "ada", 0)
    assert store.serving.revision("ada") is None
    make_ready(store, first)
    store.serving.activate("ada", first)
    second = publish(store, "ada", 1)
    assert store.resolve("ada") == second
    assert store.serving.revision("ada") == first


def test_only_a_ready_revision_is_activated_and_a_refusal_changes_nothing(store: AdapterStore) -> None:
    first, second = publish(store, "ada", 0), publish(store, "ada", 1)
    make_ready(store, first)
    store.serving.activate("ada", first)
    with pytest.raises(StateError, match="is registered, and only a revision that is ready"):
        store.serving.activate("ada", second)
    assert store.serving.revision("ada") == first
    assert store.states.of(first) == "served"


def test_activation_goes_over_at_once_and_back_again(store: AdapterStore) -> None:
    first, second = publish(store, "ada", 0), publish(store, "ada", 1)
    for revision in (first, second):
        make_ready(store, revision)
    assert store.serving.activate("ada", first) == Activation("ada", first, None)
    assert store.serving.activate("ada", second) == Activation("ada", second, first)
    assert store.states.of_each([first, second]) == {first: "ready", second: "served"}
    assert store.serving.activate("ada", first) == Activation("ada", first, second)
    assert store.serving.activate("ada", first) == Activation("ada", first, None)
    assert [t.target for t in store.states.log(first)] == ["prewarming", "ready", "served", "ready", "served"]


def test_a_revision_that_another_record_serves_stays_served(store: AdapterStore) -> None:
    shared = publish(store, "ada", 0)
    store.branch("ada", "bob")
    make_ready(store, shared)
    store.serving.activate("ada", shared)
    store.serving.activate("bob", shared)
    other = publish(store, "ada", 1)
    make_ready(store, other)
    store.serving.activate("ada", other)
    assert store.states.of(shared) == "served"
    assert (store.serving.revision("ada"), store.serving.revision("bob")) == (other, shared)
    assert store.serving.withdraw("bob") == shared
    assert store.states.of(shared) == "ready"


def test_withdrawing_sends_requests_nowhere(store: AdapterStore) -> None:
    revision = publish(store, "ada", 0)
    assert store.serving.withdraw("ada") is None
    make_ready(store, revision)
    store.serving.activate("ada", revision)
    assert store.serving.withdraw("ada") == revision
    assert store.serving.revision("ada") is None
    assert store.states.of(revision) == "ready"


def test_what_left_the_served_state_serves_no_more(store: AdapterStore) -> None:
    revision = publish(store, "ada", 0)
    make_ready(store, revision)
    store.serving.activate("ada", revision)
    store.states.advance(revision, "evicted", "no memory")
    assert store.serving.revision("ada") is None


def test_retired_records_and_foreign_revisions_are_not_activated(store: AdapterStore) -> None:
    ada, bob = publish(store, "ada", 0), publish(store, "bob", 1)
    for revision in (ada, bob):
        make_ready(store, revision)
    with pytest.raises(UnknownAdapterError, match="not in the history of 'ada'"):
        store.serving.activate("ada", bob)
    with pytest.raises(UnknownAdapterError, match="no such name"):
        store.serving.activate("eve", bob)
    store.retire("bob")
    with pytest.raises(RetiredError, match="'bob'"):
        store.serving.activate("bob", bob)


def test_states_of_many_leave_out_the_unknown(store: AdapterStore) -> None:
    revision = publish(store, "ada", 0)
    assert store.states.of_each([revision, "0" * 64]) == {revision: "registered"}
    assert store.states.of_each([]) == {}


def test_what_left_the_served_state_does_not_come_back_with_another_record(store: AdapterStore) -> None:
    shared = publish(store, "ada", 0)
    store.branch("ada", "bob")
    make_ready(store, shared)
    store.serving.activate("ada", shared)
    store.states.advance(shared, "evicted", "no memory")
    make_ready(store, shared)
    store.serving.activate("bob", shared)
    assert (store.serving.revision("ada"), store.serving.revision("bob")) == (None, shared)


def test_retiring_a_record_ends_the_serving_of_what_another_record_has_too(store: AdapterStore) -> None:
    shared = publish(store, "ada", 0)
    store.branch("ada", "bob")
    make_ready(store, shared)
    store.serving.activate("ada", shared)
    store.retire("ada")
    assert store.states.of(shared) == "ready"
    store.unretire("ada")
    assert store.serving.revision("ada") is None
    store.serving.activate("ada", shared)
    store.serving.activate("bob", shared)
    store.retire("ada")
    assert (store.states.of(shared), store.serving.revision("bob")) == ("served", shared)
