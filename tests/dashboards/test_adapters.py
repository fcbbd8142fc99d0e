"""The page on adapters: search, record, revision, likelihoods, totals; broken stores are told in a sentence."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from adapters.store import AdapterStore
from metrics.text.imitation import imitation
from sim.imitation_files import imitation_file, keep_imitation
from sim.likelihood_files import keep_likelihoods
from sim.training_curves import keep_curves
from tests.adapters.store.samples import adapter, manifest
from tests.dashboards.conftest import OpenPage
from tests.sim.test_adapter_evidence import scores
from tests.sim.test_imitation_files import TEXTS, TRAIN


@pytest.fixture(scope="module")
def store() -> Iterator[AdapterStore]:
    """ada with two revisions, rolled back; ben; 60 others; one training and one evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        made = AdapterStore(Path(folder) / "store")
        for seed in (0, 1):
            made.publish(adapter(seed), manifest(seed=seed), name="town.ada", person="ada <b>")
        ada = made.rollback("town.ada")
        ben = made.publish(adapter(2), manifest(seed=2), name="town.ben")
        made.publish_many([(adapter(9), manifest(seed=9), f"other.{i:02d}") for i in range(60)])
        keep_curves(made.layout.trainings, "training", {ada: [3.0, 2.0], ben: [3.5, 2.5]})
        evaluation = keep_likelihoods(made.layout.evaluations, scores(), {"ada": ada, "ben": ben})
        found = imitation(TRAIN, TEXTS, rng=np.random.default_rng(0))
        keep_imitation(imitation_file(evaluation), found, {})
        yield made


def errors(app: AppTest) -> list[str]:
    assert not app.exception
    return [shown.value for shown in app.error]


def test_records_are_found_in_pages(open_page: OpenPage, store: AdapterStore) -> None:
    app = open_page("adapters", store.root.parent)
    assert errors(app) == []
    assert len(app.dataframe[0].value) == 50
    next(button for button in app.button if button.label == "Next").click().run()
    assert app.dataframe[0].value["name"].tolist()[-2:] == ["town.ada", "town.ben"]
    next(button for button in app.button if button.label == "Back").click().run()
    assert len(app.dataframe[0].value) == 50


def test_a_search_is_in_the_address(open_page: OpenPage, store: AdapterStore) -> None:
    app = open_page("adapters", store.root.parent, find="town.")
    assert app.dataframe[0].value["name"].tolist() == ["town.ada", "town.ben"]
    app.text_input(key="find-text").set_value("nobody").run()
    assert errors(app) == []
    assert app.query_params["find"] in ("nobody", ["nobody"])
    assert any("No record" in shown.value for shown in app.info)


def test_a_record_shows_lineage_training_and_provenance(open_page: OpenPage, store: AdapterStore) -> None:
    app = open_page("adapters", store.root.parent, record="town.ada")
    assert errors(app) == []
    said = " ".join(shown.value for shown in app.caption).replace("\\", "")
    assert "2 publish, 1 rollback" in said
    assert "2 adapters were trained together" in said
    facts = {cell for table in app.dataframe for cell in table.value.iloc[:, 0].astype(str)}
    assert {"person", "spec.rank", "recipe.learning_rate"} <= facts


def test_a_revision_in_the_address_finds_its_record_and_store(
    open_page: OpenPage, store: AdapterStore
) -> None:
    app = open_page("adapters", store.root.parent, revision=store.resolve("town.ben"))
    assert errors(app) == []
    assert [shown.value for shown in app.header] == ["town\\.ben"]


def test_own_against_others(open_page: OpenPage, store: AdapterStore) -> None:
    app = open_page("adapters", store.root.parent, part="likelihoods")
    assert errors(app) == []
    assert any("75%" in shown.value.replace("\\", "") for shown in app.caption)
    assert app.dataframe[0].value["person"].tolist() == ["ada", "ben"]


def test_generated_posts_stand_below_their_evaluation(open_page: OpenPage, store: AdapterStore) -> None:
    app = open_page("adapters", store.root.parent, part="likelihoods")
    assert app.dataframe[1].value["writer"].tolist() == ["adapter", "base", "real"]
    assert app.dataframe[2].value["text"].tolist() == TEXTS["text"].tolist()


def test_the_whole_store(open_page: OpenPage, store: AdapterStore) -> None:
    app = open_page("adapters", store.root.parent, part="totals")
    assert errors(app) == []
    assert app.dataframe[0].value["revisions"].sum() == len(store.revisions())


def test_an_unknown_record_revision_or_part_is_told(open_page: OpenPage, store: AdapterStore) -> None:
    assert "nobody" in errors(open_page("adapters", store.root.parent, record="nobody"))[0]
    assert errors(open_page("adapters", store.root.parent, revision="0" * 64))
    assert not errors(open_page("adapters", store.root.parent, part="elsewhere", store="elsewhere"))


def test_no_store_and_broken_stores_are_told(open_page: OpenPage, tmp_path: Path) -> None:
    assert "No adapter store" in errors(open_page("adapters", tmp_path))[0].replace("\\", "")
    (tmp_path / "store").mkdir()
    catalog = tmp_path / "store" / "catalog.sqlite"
    for content in (b"", b"no database at all, but long enough to be looked at" * 10):
        catalog.write_bytes(content)
        assert len(errors(open_page("adapters", tmp_path))) == 1
        assert len(errors(open_page("adapters", tmp_path, part="totals"))) == 1


def test_damaged_curves_and_evaluations_are_told(open_page: OpenPage, tmp_path: Path) -> None:
    made = AdapterStore(tmp_path / "store")
    made.publish(adapter(0), manifest(), name="ada")
    for folder in (made.layout.trainings, made.layout.evaluations):
        folder.mkdir()
        (folder / "broken.parquet").write_bytes(b"PAR1")
    assert "broken" in errors(open_page("adapters", tmp_path, record="ada"))[0]
    assert "broken" in errors(open_page("adapters", tmp_path, part="likelihoods"))[0]


@pytest.mark.parametrize("link", ["catalog.sqlite", "revisions", "evaluations"])
def test_a_link_out_of_the_folder_is_not_followed(
    link: str, open_page: OpenPage, store: AdapterStore, tmp_path: Path
) -> None:
    folder = tmp_path / "given" / "store"
    folder.mkdir(parents=True)
    (folder / "catalog.sqlite").symlink_to(store.layout.catalog)
    if link != "catalog.sqlite":
        (folder / "catalog.sqlite").unlink()
        shutil.copy(store.layout.catalog, folder)
        (folder / link).symlink_to(store.root / link)
    assert "outside of the folders" in errors(open_page("adapters", folder.parent))[0]
