"""A store seen through the views: searches, records, lineage, revisions, totals; nothing is ever written."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.errors import AdapterError, StoreError, UnknownAdapterError
from adapters.store import AdapterStore, Evidence
from sim.training_curves import keep_curves
from sim.views import adapters as view
from sim.views.lineage import record_lineage
from sim.views.revisions import evidence_of, provenance, states_log, training_curve
from tests.adapters.store.samples import adapter, manifest, publish, rewrite


@pytest.fixture(scope="module")
def store() -> Iterator[AdapterStore]:
    """ada: two revisions, rolled back to the first, which is served; eva branched off the second; 60 others."""
    with tempfile.TemporaryDirectory() as folder:
        made = AdapterStore(Path(folder) / "store")
        for seed in (0, 1):
            made.publish(
                adapter(seed),
                manifest(seed=seed, metrics={"last_loss": 2.0 - seed}),
                name="town.ada",
                person="Ada",
            )
        first = made.rollback("town.ada")
        second = made.log("town.ada")[1].revision
        made.branch(f"town.ada@{second[:8]}", "town.eva")
        made.publish_many([(adapter(9), manifest(seed=9), f"other.{i:02d}") for i in range(60)])
        made.tag("paper", second)
        for state in ("prewarming", "ready"):
            made.states.advance(first, state, "canary")
        made.serving.activate("town.ada", first)
        made.evidence.add(
            [Evidence(first, "evaluation", "renderer", "scorer", "local engine", {"own_perplexity": 3.5})]
        )
        yield made


def names(store: AdapterStore, search: view.Search) -> list[str]:
    return view.find_records(store.root, search).frame["name"].tolist()


def test_pages_follow_on_each_other_until_all_is_seen(store: AdapterStore) -> None:
    first = view.find_records(store.root, view.Search())
    assert len(first.frame) == view.PAGE
    second = view.find_records(store.root, view.Search(), first.following)
    assert second.following is None
    assert [*first.frame["name"], *second.frame["name"]] == list(store.heads())


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (view.Search(text="town."), ["town.ada", "town.eva"]),
        (view.Search("person", "Ada"), ["town.ada", "town.eva"]),
        (view.Search("tag", "paper"), ["town.ada", "town.eva"]),
        (view.Search(state="served"), ["town.ada"]),
        (view.Search(text="town.", base="tiny-moe"), ["town.ada", "town.eva"]),
        (view.Search(metric="last_loss"), ["town.eva", "town.ada"]),
        (view.Search(metric="last_loss", low_is_good=False), ["town.ada", "town.eva"]),
    ],
)
def test_a_search_finds(store: AdapterStore, search: view.Search, found: list[str]) -> None:
    assert names(store, search) == found


def test_a_revision_is_found_by_its_first_digits(store: AdapterStore) -> None:
    head = store.resolve("town.eva")
    assert names(store, view.Search("revision", head[:8])) == ["town.ada", "town.eva"]
    with pytest.raises(UnknownAdapterError):
        names(store, view.Search("revision", "0" * 8))


def test_the_value_searched_by_is_a_column(store: AdapterStore) -> None:
    frame = view.find_records(store.root, view.Search(metric="last_loss")).frame
    assert frame["last_loss"].tolist() == [1.0, 2.0]


def test_nothing_found_says_what_is_unknown(store: AdapterStore) -> None:
    assert "no base 'smollm'" in view.find_records(store.root, view.Search(base="smollm")).unknown[0]
    assert view.find_records(store.root, view.Search(text="nobody")).unknown == ()


def test_words_of_a_search(store: AdapterStore) -> None:
    assert view.words(store.root) == (["tiny-moe"], ["last_loss", "own_perplexity"])


def test_a_record_says_what_it_is_and_what_serves_it(store: AdapterStore) -> None:
    facts = view.record_facts(store.root, "town.ada").set_index("what")["value"]
    assert facts["person"] == "Ada"
    assert facts["served"] == facts["head"] == store.resolve("town.ada")
    assert facts["state of the head"].startswith("served: ")
    eva = view.record_facts(store.root, "town.eva").set_index("what")["value"]
    assert eva["branched from"].startswith("town.ada at ")
    assert eva["served"].startswith("nothing")


def test_a_history_forgets_nothing(store: AdapterStore) -> None:
    frame = view.history(store.root, "town.ada")
    assert frame["event"].tolist() == ["rollback", "publish", "publish"]
    assert frame["head"].tolist() == [True, False, False]
    assert frame["revision"][0] == frame["revision"][2]


def test_lineage_leads_from_publishing_to_rollback_and_branch(store: AdapterStore) -> None:
    told = record_lineage(store.root, "town.eva")
    assert told.steps["lane"].tolist() == [0, 0, 0, 1]
    assert told.steps.loc[told.steps["head"], "record"].tolist() == ["town.ada", "town.eva"]
    moves = {(m.event, m.x_from, m.x_to) for m in told.moves.itertuples()}
    # 1 publish, 2 publish, 3 rollback to 1, 4 branch from 2
    assert moves == {("publish", 1, 2), ("rollback", 2, 3), ("back to", 1, 3), ("branch", 2, 4)}


def test_provenance_is_the_proved_manifest(store: AdapterStore, tmp_path: Path) -> None:
    revision = store.resolve("town.ada")
    facts = provenance(store.root, revision).set_index("what")["value"]
    assert facts["spec.rank"] == "2"
    assert facts["recipe.learning_rate"] == "0.01"
    assert facts["metrics.last_loss"] == "2.0"
    assert facts["place"].endswith(revision)
    broken = AdapterStore(tmp_path / "broken")
    damaged = publish(broken, "ada")
    rewrite(broken.layout.folder(damaged) / "adapter_model.safetensors", b"nonsense")
    with pytest.raises(AdapterError, match="adapter_model"):
        provenance(broken.root, damaged)


def test_states_and_evidence_are_told_in_order(store: AdapterStore) -> None:
    revision = store.resolve("town.ada")
    log = states_log(store.root, revision)
    assert log["to"].tolist() == ["prewarming", "ready", "served"]
    seen = evidence_of(store.root, revision)
    assert seen[["kind", "scorer", "own_perplexity"]].to_numpy().tolist() == [["evaluation", "scorer", 3.5]]
    assert evidence_of(store.root, store.resolve("town.eva")).empty


def test_a_curve_stands_among_those_trained_with_it(tmp_path: Path) -> None:
    keep_curves(tmp_path, "t", {"a": [3.0, 1.0], "b": [5.0, 3.0], "c": [4.0]})
    curve = training_curve(tmp_path, "a")
    assert curve.own["loss"].tolist() == [3.0, 1.0]
    assert curve.others["median"].tolist() == [4.0, 2.0]
    assert curve.adapters == 3
    empty = training_curve(tmp_path / "none", "a")
    assert (len(empty.own), len(empty.others), empty.adapters) == (0, 0, 0)


def test_totals_agree_with_the_store(store: AdapterStore) -> None:
    totals = view.store_totals(store.root)
    facts = totals.facts.set_index("what")["value"]
    assert facts["records in use"] == "62"
    assert facts["revisions"] == "3"
    states = totals.states.set_index("state")["revisions"]
    assert states.sum() == 3
    assert states["served"] == 1
    assert totals.places["bytes"].sum() == store.statistics().bytes
    assert set(view.STATE_MEANINGS) == set(totals.states["state"])


def test_looking_writes_nothing(store: AdapterStore) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    view.find_records(store.root, view.Search())
    view.store_totals(store.root)
    record_lineage(store.root, "town.ada")
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no adapter store there"):
        view.find_records(tmp_path, view.Search())
    (tmp_path / "catalog.sqlite").write_bytes(b"not a database, and long enough to be looked at" * 10)
    with pytest.raises(StoreError, match="not an SQLite file"):
        view.find_records(tmp_path, view.Search())
    (tmp_path / "catalog.sqlite").unlink()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    with pytest.raises(StoreError, match="no adapter catalog"):
        view.find_records(tmp_path, view.Search())


def test_views_load_no_torch() -> None:
    code = (
        "import sys, sim.views.adapters, sim.views.revisions, sim.views.lineage, sim.views.likelihoods;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
