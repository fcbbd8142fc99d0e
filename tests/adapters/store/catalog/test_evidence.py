from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from adapters.errors import UnknownAdapterError
from adapters.store import AdapterStore, EntryFilter, Evidence, MetricBound
from adapters.store.catalog import queries
from tests.adapters.store.samples import FINGERPRINT, SPEC, publish


def evaluation(revision: str, **changes: Any) -> Evidence:
    values: dict[str, Any] = {
        "kind": "evaluation",
        "renderer": "neutral prompt",
        "scorer": "likelihood",
        "serving_path": "local engine, float32, cpu",
        "metrics": {"perplexity": 3.5, "posts": 10},
    }
    return Evidence(revision=revision, **values | changes)


def test_an_evaluation_is_kept_with_base_and_targets_of_its_revision(store: AdapterStore) -> None:
    one, two = publish(store, "ada", 1), publish(store, "ben", 2)
    rollout = evaluation(
        one, kind="rollout", scorer="", metrics={}, run="town/lora-n8-s0", condition="lora", seed=3
    )
    store.evidence.add([evaluation(one), rollout])
    first, second = store.evidence.of(one)
    assert (first.base_name, first.base_fingerprint, first.targets) == ("tiny-moe", FINGERPRINT, SPEC.targets)
    assert first.metrics == {"perplexity": 3.5, "posts": 10.0}
    assert (second.kind, second.run, second.condition, second.seed) == (
        "rollout",
        "town/lora-n8-s0",
        "lora",
        3,
    )
    assert second.metrics == {}
    assert store.evidence.of(one, "rollout") == [second]
    assert store.evidence.of(two) == []


def test_the_newest_value_of_a_metric_is_the_one_that_is_searched(store: AdapterStore) -> None:
    revision = publish(store, "ada", metrics={"perplexity": 9.0})

    def found(most: float) -> list[float | None]:
        wanted = EntryFilter(metric=MetricBound("perplexity", "<=", most))
        return [entry.score for entry in store.list(wanted)]

    assert found(9.0) == [9.0]
    store.evidence.add([evaluation(revision, metrics={"perplexity": 4.0})])
    assert found(9.0) == found(4.0) == [4.0]
    store.evidence.add([evaluation(revision, metrics={"perplexity": 5.0})])
    assert found(4.0) == []
    assert [e.metrics["perplexity"] for e in store.evidence.of(revision)] == [4.0, 5.0]
    assert store.manifest(revision).metrics == {"perplexity": 9.0}


def test_evidence_is_never_changed_nor_removed_and_holds_its_revision(store: AdapterStore) -> None:
    revision = publish(store, "ada")
    store.evidence.add([evaluation(revision)])
    for statement in ("UPDATE evidence SET scorer = 'better'", "DELETE FROM evidence"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"), store.catalog.writing() as db:
            db.execute(statement)
    with pytest.raises(sqlite3.IntegrityError), store.catalog.writing() as db:
        db.execute("DELETE FROM history")
        db.execute("DELETE FROM records")
        queries.delete_revision(db, revision)
    assert len(store.evidence.of(revision)) == 1


def test_one_unknown_revision_keeps_all_evidence_out(store: AdapterStore) -> None:
    revision = publish(store, "ada")
    with pytest.raises(UnknownAdapterError, match="full id"):
        store.evidence.add([evaluation(revision), evaluation("ada")])
    assert store.evidence.of(revision) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "rumour"}, "expected one of rollout, evaluation"),
        ({"renderer": ""}, "renderer: is empty"),
        ({"serving_path": ""}, "serving_path: is empty"),
        ({"scorer": ""}, "names what judged"),
        ({"metrics": {}}, "at least one number"),
        ({"metrics": {"loss": float("nan")}}, "finite number"),
        ({"seed": 2**63}, "64 bits"),
    ],
)
def test_evidence_that_says_too_little_cannot_be_made(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluation("0" * 64, **changes)
