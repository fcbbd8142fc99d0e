"""The measures of a run's texts, on the small shared run."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metrics.text.authorship import CREDITS
from metrics.text.catalogue import TEXT_MEASURES
from sim.errors import RunDirError
from sim.progress import Silent
from sim.run_dir import RunDir
from sim.run_texts import read_real
from sim.text_measures import ESTIMATE_COLUMNS, REAL, VALUE_COLUMNS, TextMeasures, measure_texts
from sim.text_report import compare_texts, means_by_condition, shown_contrast, whole_run, write_text_results


class Hashing:
    """A stand-in for sentence embeddings: words thrown into 16 buckets."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.full((len(texts), 16), 1e-6, dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[sum(word.encode()) % 16] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Bars:
    """Keeps the progress that it is told."""

    def __init__(self) -> None:
        self.total: dict[str, int] = {}
        self.done: dict[str, int] = {}

    def begin(self, task: str, total: int) -> None:
        self.total[task] = total

    def advance(self, task: str, done: int, note: str = "") -> None:
        assert done >= self.done.get(task, 0)
        self.done[task] = done

    def say(self, message: str) -> None: ...


@pytest.fixture(scope="module")
def run(small_run: RunDir, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The small run, in which everybody now writes three comments at each step.

    With an own adapter, agents write their users' held-out posts; with somebody else's, those of the adapter's
    owner; without, lines that all share.
    """
    folder = tmp_path_factory.mktemp("runs") / "talkative"
    shutil.copytree(small_run.path, folder)
    run = RunDir.open(folder)
    held_out = read_real(run)[8].held_out.groupby("author")["text"].agg(list)
    owner_of = {revision: owner for owner, revision in run.manifest["adapters"]["own"].items()}
    for cell in run.cells():
        rows = []
        for agent, revision in cell.read_bindings().items():
            texts = held_out.get(
                owner_of.get(revision, ""), [f"We all say line {k} alike." for k in range(6)]
            )
            rows += [(1, agent, text, 1 + k // 3) for k, text in enumerate(texts[:6])]
        with closing(sqlite3.connect(cell.database)) as database, database:
            database.execute("DELETE FROM post WHERE created_at > 0")
            database.execute("DELETE FROM comment")
            database.executemany(
                "INSERT INTO comment (post_id, user_id, content, created_at) VALUES (?, ?, ?, ?)", rows
            )
    return run


@pytest.fixture(scope="module")
def measures(run: RunDir) -> TextMeasures:
    return measure_texts(run, embedder=Hashing(), watcher=Silent())


def test_every_condition_and_seed_has_its_measures(run: RunDir, measures: TextMeasures) -> None:
    values = measures.by_cell
    assert list(values.columns) == VALUE_COLUMNS
    assert list(measures.estimates.columns) == ESTIMATE_COLUMNS
    assert set(values["condition"]) == {*run.scenario.conditions, REAL}
    whole = whole_run(values)
    assert not whole.duplicated(["condition", "n", "seed", "metric"]).any()
    of_lora = set(whole[(whole["condition"] == "lora") & (whole["seed"] == 1)]["metric"])
    assert of_lora == {m for m in TEXT_MEASURES if not m.startswith("owner")}
    assert not set(values["metric"]) - set(TEXT_MEASURES)


def test_values_are_within_the_ranges_of_the_catalogue(measures: TextMeasures) -> None:
    for row in measures.by_cell.dropna(subset="value").itertuples():
        measure = TEXT_MEASURES[row.metric]
        assert measure.low <= row.value <= measure.high, row


def test_the_adapter_s_owner_is_sought_where_it_is_somebody_else(measures: TextMeasures) -> None:
    owned = measures.estimates[measures.estimates["metric"].str.startswith("owner")]
    assert set(owned["condition"]) == {"permuted"}
    assert set(owned["metric"]) == {f"owner_{kind}" for kind in CREDITS}


def test_real_posts_reveal_their_authors(measures: TextMeasures) -> None:
    real = measures.estimates[measures.estimates["condition"] == REAL].set_index("metric")
    assert real.loc["author_top1_post", "chance"] == 1 / 8
    assert real.loc["author_top5_tail", "chance"] == 5 / 8
    assert real.loc["author_top1_post", "low"] > 1 / 8


def test_identification_follows_the_words(measures: TextMeasures) -> None:
    """Own words reveal the person as real posts do, another's words the owner, and common words nobody."""
    found = measures.estimates.set_index(["condition", "metric"])["value"]
    for kind in CREDITS:
        assert found["lora", f"author_{kind}"] == found[REAL, f"author_{kind}"]
        assert found["permuted", f"owner_{kind}"] == pytest.approx(found[REAL, f"author_{kind}"])
        assert found["permuted", f"author_{kind}"] < found["permuted", f"owner_{kind}"]
    assert found["shared_base", "author_top1_post"] == pytest.approx(1 / 8)
    assert found["shared_base", "author_top5_tail"] == pytest.approx(5 / 8)


def test_diversity_and_copying_follow_the_words(measures: TextMeasures) -> None:
    means = means_by_condition(measures, 8)
    assert means.loc["words_per_text", "lora"] == pytest.approx(means.loc["words_per_text", REAL], rel=0.2)
    assert means.loc["repeats_others_share", "shared_base"] == pytest.approx(7 / 8)
    assert means.loc["distinct_2", "shared_base"] < means.loc["distinct_2", "lora"]
    assert means.loc["self_bleu", "shared_base"] > means.loc["self_bleu", "lora"]
    assert means.loc["separation", "shared_base"] < 0 < means.loc["separation", REAL]
    relative = means.loc["distance_relative_characters"]
    assert relative["lora"] < relative["permuted"]
    assert np.isnan(means.loc["feed_run", REAL])


def test_zero_adapters_write_what_the_shared_base_writes(measures: TextMeasures) -> None:
    """Their ledgers are equal, so every measure is."""
    means = means_by_condition(measures, 8)
    assert means["zero"].to_numpy() == pytest.approx(means["shared_base"].to_numpy(), nan_ok=True)


def test_steps_have_distances(measures: TextMeasures) -> None:
    by_step = measures.by_cell.dropna(subset="step")
    assert set(by_step["step"]) <= {1, 2}
    assert {m.rsplit("_", 1)[0] for m in by_step["metric"]} == {
        "distance_own", "distance_relative", "distance_first",
    }  # fmt: skip


def test_conditions_are_compared_by_seed_and_against_real_posts(run: RunDir, measures: TextMeasures) -> None:
    compared = compare_texts(run, measures)
    pairs = set(zip(compared["treatment_condition"], compared["control_condition"], strict=True))
    assert ("lora", "shared_base") in pairs
    assert ("lora", REAL) in pairs
    assert (compared["n_seeds"] > 0).all()
    values = whole_run(measures.by_cell).set_index(["condition", "seed", "metric"])["value"]
    expected = np.mean(
        [values["lora", s, "words_per_text"] - values["shared_base", s, "words_per_text"] for s in (0, 1)]
    )
    own = compared[
        (compared["control_condition"] == "shared_base") & (compared["metric"] == "words_per_text")
    ]
    assert own.set_index("treatment_condition")["difference"]["lora"] == pytest.approx(expected)


def test_a_table_with_room_for_one_contrast_takes_one_that_has_texts(
    run: RunDir, measures: TextMeasures
) -> None:
    """The scenario's own; against real posts where its control, such as an opinion model, wrote nothing."""
    compared = compare_texts(run, measures)
    assert shown_contrast(run, compared) == ("lora", "shared_base")
    mute = compared[compared["control_condition"] != "shared_base"]
    assert shown_contrast(run, mute) == ("lora", REAL)


def test_without_an_embedder_there_is_no_meaning_and_progress_is_told(run: RunDir) -> None:
    bars = Bars()
    plain = measure_texts(run, embedder=None, watcher=bars)
    assert not [m for m in set(plain.by_cell["metric"]) if TEXT_MEASURES[m].embeds]
    assert bars.total == bars.done == {"learning authors' styles": 1, "measuring texts": 10}


def test_measuring_twice_gives_the_same(run: RunDir, measures: TextMeasures) -> None:
    again = measure_texts(run, embedder=Hashing(), watcher=Silent())
    pd.testing.assert_frame_equal(again.by_cell, measures.by_cell)
    pd.testing.assert_frame_equal(again.estimates, measures.estimates)


def test_results_are_files_of_the_run(run: RunDir, measures: TextMeasures, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    page = write_text_results(RunDir.open(tmp_path / "run"), measures)
    text = page.read_text("utf-8")
    assert page.name == "text.html"
    assert "Toy base" in text
    assert "Drift from own real posts" in text
    written = pd.read_parquet(page.with_name("text_metrics.parquet"))
    pd.testing.assert_frame_equal(written, measures.by_cell)
    assert len(pd.read_parquet(page.with_name("text_estimates.parquet"))) == len(measures.estimates)


def test_a_cell_in_which_nobody_wrote_has_no_values_and_disturbs_no_other(
    run: RunDir, measures: TextMeasures, tmp_path: Path
) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    silent = RunDir.open(tmp_path / "run")
    _wipe(silent, "lora-n8-s0")
    found = means_by_condition(measure_texts(silent, embedder=Hashing(), watcher=Silent()), 8)
    assert found.loc["texts", "shared_base"] == means_by_condition(measures, 8).loc["texts", "shared_base"]
    assert np.isfinite(found.loc["distinct_2", "lora"])  # of the other seed


def test_a_run_without_any_text_is_refused(small_run: RunDir, tmp_path: Path) -> None:
    shutil.copytree(small_run.path, tmp_path / "run")
    silent = RunDir.open(tmp_path / "run")
    for cell in silent.cells():
        _wipe(silent, cell.key.id)
    with pytest.raises(RunDirError, match="no finished cell in which anybody wrote"):
        measure_texts(silent, embedder=None, watcher=Silent())


def _wipe(run: RunDir, cell: str) -> None:
    with closing(sqlite3.connect(run.path / "cells" / cell / "platform.db")) as database, database:
        database.execute("DELETE FROM post WHERE created_at > 0")
        database.execute("DELETE FROM comment WHERE created_at > 0")
