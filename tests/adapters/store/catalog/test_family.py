"""A family holds every record that branched from a common ancestor, with its whole history."""

from __future__ import annotations

from adapters.store import AdapterStore
from adapters.store.catalog.family import Step, family
from tests.adapters.store.samples import publish


def steps(store: AdapterStore, name: str, at_most: int = 100) -> list[Step]:
    with store.catalog.reading() as db:
        return family(db, name, at_most)


def test_a_family_is_the_same_whoever_of_it_is_asked(store: AdapterStore) -> None:
    first, second = publish(store, "ada", 0), publish(store, "ada", 1)
    store.rollback("ada")
    store.branch(f"ada@{second[:8]}", "eva")
    store.branch("eva", "ida")
    publish(store, "stranger", 5)
    told = steps(store, "ada")
    assert [(s.record, s.event, s.revision) for s in told] == [
        ("ada", "publish", first),
        ("ada", "publish", second),
        ("ada", "rollback", first),
        ("eva", "branch", second),
        ("ida", "branch", second),
    ]
    assert [s.record for s in told if s.is_head] == ["ada", "eva", "ida"]
    assert (told[3].parent, told[3].parent_revision) == ("ada", second)
    assert steps(store, "ida") == told == steps(store, "eva")


def test_a_large_family_is_cut_at_the_branches_furthest_from_the_ancestor(store: AdapterStore) -> None:
    publish(store, "ada", 0)
    store.branch("ada", "eva")
    store.branch("eva", "ida")
    assert {s.record for s in steps(store, "ida", at_most=2)} == {"ada", "eva"}


def test_nobody_has_no_family(store: AdapterStore) -> None:
    publish(store, "ada", 0)
    assert steps(store, "nobody") == []


def test_served_and_retired_are_told(store: AdapterStore) -> None:
    revision = publish(store, "ada", 0)
    for state in ("prewarming", "ready"):
        store.states.advance(revision, state, "test")
    store.serving.activate("ada", revision)
    assert [(s.is_served, s.retired, s.state) for s in steps(store, "ada")] == [(True, False, "served")]
    store.retire("ada")
    assert [(s.is_served, s.retired, s.state) for s in steps(store, "ada")] == [(False, True, "retired")]
