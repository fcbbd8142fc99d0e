"""`plures adapters evaluate` from end to end on the toy base, with generated posts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.store import AdapterStore
from sim.views.imitation import imitation_of
from sim.views.likelihoods import evaluations
from tests.documents import run_command

SMALL = "--users 4 --held-out 3 --set population.train_posts=8 --set adapters.epochs=1 --quiet"


def test_generated_posts_are_attributed_and_kept_beside_the_likelihoods(tmp_path: Path) -> None:
    store = tmp_path / "store"
    shown = run_command(f"plures adapters evaluate --store {store} {SMALL} --generated 2 --json")
    assert shown.code == 0
    found = json.loads(shown.out)
    assert found["chance"] == found["generated"]["chance"] == 0.25
    assert found["generated"]["writers"].keys() == {"adapter", "base", "real"}
    assert found["generated"]["writers"]["real"]["texts"] == 8
    kept = imitation_of(evaluations(store)[0])
    assert kept is not None
    of_adapters = found["generated"]["writers"]["adapter"]
    assert kept.shares["top1_post"][0] == of_adapters["top1_post"]["value"]
    assert len(kept.posts) == sum(one["texts"] for one in found["generated"]["writers"].values())
    assert all(AdapterStore(store).evidence.of(r) for r in AdapterStore(store).revisions())

    again = run_command(f"plures adapters evaluate --store {store} {SMALL}")
    assert again.code == 0
    assert "Whose posts" not in again.out
    assert len(evaluations(store)) == 2
    assert imitation_of(evaluations(store)[0]) is None


def test_too_few_calibration_posts_leave_calibrated_shares_empty(tmp_path: Path) -> None:
    """Two people with one post each give an adapter one post of others, of which there is no spread."""
    asked = f"{SMALL} --set population.size=2 --calibration 1 --json"
    found = json.loads(run_command(f"plures adapters evaluate --store {tmp_path / 'store'} {asked}").out)
    assert found["calibrated_top1_post"]["value"] is None
    assert found["n_posts"] == 6
    assert run_command("plures adapters evaluate --held-out 0").code == 2


def test_a_scenario_says_who_and_how_and_only_personal_adapters_are_trained(tmp_path: Path) -> None:
    file, store = tmp_path / "town.yaml", tmp_path / "store"
    file.write_text(
        "name: town\ncorpus: {kind: synthetic, users: 6, posts_per_user: 12}\n"
        "population: {size: 2, train_posts: 4, held_out_posts: 2}\nadapters: {epochs: 1, rank: 2}\n"
        "conditions: [lora, shared_base, one_for_all, zero]\n",
        "utf-8",
    )
    asked = f"plures adapters evaluate --scenario {file} --held-out 2 --store {store} --quiet --json"
    assert json.loads(run_command(asked).out)["n_users"] == 2
    entries = AdapterStore(store).list()
    assert [(entry.kind, entry.rank) for entry in entries] == [("personal", 2)] * 2
    refused = run_command(f"{asked} --users 4")
    assert refused.code == 2
    assert "leave out --users" in " ".join(refused.err.split())


def test_an_engine_that_cannot_be_had_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.bases.quantisation.exact_products", lambda: False)
    asked = f"plures adapters evaluate --store {tmp_path / 'store'} {SMALL} --set engine.weights=int8"
    refused = run_command(asked)
    assert refused.code == 2
    assert "takes VNNI" in refused.err
    assert not (tmp_path / "store").exists()
