"""Lines over steps, sizes and seeds, paired tables and the published numbers, of runs whose numbers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metrics.intervals import t_interval
from sim.cell import CellKey
from sim.comparison import compare_run
from sim.run_dir import RunDir
from sim.views.comparison import PUBLISHED_LINE, definitions, measured, series, sizes
from sim.views.paired import beside_paper, compared, compared_pairs, paired_table, paired_words, ratios
from sim.views.remarks import remarks
from tests.sim.views.made_runs import made_run, unfinish

METRICS = ["polarization_distance", "like_gini"]


def values(key: CellKey, step: int) -> dict[str, float]:
    """Seeds shift both conditions alike; under `lora` distances are 0.1 larger and Ginis twice as large."""
    lora = key.condition == "lora"
    return {
        "polarization_distance": 0.1 * step + 0.2 * key.seed + (0.1 + 0.001 * key.seed) * lora,
        "like_gini": (0.2 + 0.05 * key.seed) * (2 if lora else 1),
        "failure_rate": float("nan"),
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return made_run(tmp_path_factory.mktemp("made") / "run", values, sizes=(8, 128))


def test_measures_are_grouped_as_in_the_catalogue_and_those_without_any_value_left_out(run: RunDir) -> None:
    assert measured([run]) == {"polarization": ["polarization_distance"], "attention": ["like_gini"]}
    assert measured([]) == {}
    table = definitions(METRICS)
    assert table["measure"].tolist() == ["Polarization distance", "Gini of likes per post"]
    assert sizes(run) == [8, 128]


def test_a_line_over_steps_has_the_t_interval_of_its_seeds_at_every_step(run: RunDir) -> None:
    frame = series(run, METRICS, "step", "values", 8).frame
    assert list(dict.fromkeys(zip(frame["metric"], frame["line"], strict=True))) == [
        (metric, condition) for metric in METRICS for condition in ("lora", "shared_base")
    ]
    last = frame[(frame["metric"] == "polarization_distance") & (frame["x"] == 2)].iloc[0]
    expected = [values(CellKey(8, seed, "lora"), 2)["polarization_distance"] for seed in range(3)]
    assert last["mean"] == pytest.approx(np.mean(expected))
    assert (last["low"], last["high"]) == pytest.approx(tuple(t_interval(expected)))
    assert (last["least"], last["most"], last["n_seeds"]) == (min(expected), max(expected), 3)


def test_differences_are_taken_within_seeds_so_that_what_seeds_share_cancels(run: RunDir) -> None:
    plotted = series(run, ["polarization_distance"], "step", "differences", 8)
    assert set(plotted.frame["line"]) == {"lora − shared_base"}
    assert plotted.frame["mean"].to_numpy() == pytest.approx(np.full(3, 0.101))
    assert (plotted.frame["high"] - plotted.frame["low"]).max() < 0.01 < 0.4  # values alone range over 0.4
    assert plotted.alt.startswith("Polarization distance: lora − shared_base ends at +0.101 [0.0985, 0.103].")


def test_the_title_says_what_is_shown_and_the_words_where_lines_end(run: RunDir) -> None:
    plotted = series(run, ["polarization_distance"], "step", "values", 8)
    assert plotted.title == "Polarization distance over steps, N = 8; mean of 3 seeds"
    # seeds 0.3, 0.501, 0.702: 0.501 ± 4.303 · 0.201/√3; seeds 0.2, 0.4, 0.6: 0.4 ± 4.303 · 0.2/√3
    assert "lora ends at +0.501 [0.00169, 1]; shared_base ends at +0.4 [-0.0968, 0.897]." in plotted.alt
    assert "95% interval (Student's t over seeds)" in plotted.alt


def test_over_sizes_the_published_values_stand_beside_ours(run: RunDir) -> None:
    frame = series(run, METRICS, "N", "values", 8).frame
    own = frame[frame["line"] == "lora"]
    assert own["x"].tolist() == [8, 128, 8, 128]
    printed = frame[(frame["line"] == PUBLISHED_LINE) & (frame["metric"] == "polarization_distance")]
    assert printed[["x", "mean"]].to_numpy().tolist() == [[128, 0.388], [256, 0.335], [512, 0.319]]
    assert printed["low"].isna().all()


def test_over_seeds_every_seed_is_a_point_of_its_own_without_interval(run: RunDir) -> None:
    plotted = series(run, ["like_gini"], "seed", "values", 8)
    assert plotted.frame.query("line == 'lora'")["mean"].tolist() == pytest.approx([0.4, 0.5, 0.6])
    assert plotted.frame["low"].isna().all()
    assert "lora 0.4 at seed 0, 0.5 at seed 1, 0.6 at seed 2" in plotted.alt


def test_the_paired_table_is_the_answer_of_the_run_with_readable_heads(run: RunDir) -> None:
    table = compared(run)
    pd.testing.assert_frame_equal(table, compare_run(run))
    assert compared_pairs(table) == [("lora", "shared_base", 8), ("lora", "shared_base", 128)]
    rows = paired_table(table, "lora", "shared_base", 8)
    gini = rows[rows["measure"] == "Gini of likes per post"].iloc[0]
    assert (gini["lora"], gini["shared_base"]) == pytest.approx((0.5, 0.25))
    assert (gini["ratio"], gini["ratio 95% low"], gini["seeds"]) == (pytest.approx(2), pytest.approx(2), 3)
    assert "Failed decisions" not in set(rows["measure"])


def test_the_table_is_summed_up_with_what_chance_alone_would_give(run: RunDir) -> None:
    said = paired_words(compared(run), "lora", "shared_base", 8)
    assert said.summary[0].startswith(
        "2 of 2 measures leave 0 outside their 95% interval; by chance alone about 0.1"
    )
    assert any(sentence.startswith("With 3 seeds no p can be below 0.25") for sentence in said.summary)
    assert any("Failed decisions" in note for note in said.notes)
    figure = ratios(compared(run), "lora", "shared_base", 8)
    assert figure is not None
    assert figure.caption.startswith("lora as a multiple of shared_base")


def test_the_papers_tables_stand_beside_ours_which_are_labelled_a_toys(run: RunDir) -> None:
    beside = beside_paper(run, compared(run))
    row = beside[(beside["measure"] == "Polarization distance") & (beside["quantity"] == "lora")].iloc[0]
    assert row["N = 128 paper"] == "0.388"
    assert row["N = 128 ours (toy base)"] == "0.501"


def test_a_run_going_on_shows_its_finished_cells_and_says_so(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", values)
    for seed in (1, 2):
        unfinish(run, CellKey(8, seed, "shared_base"))
    said = remarks(RunDir.open(run.path))
    assert said[0].startswith("Toy base.")
    assert said[1].startswith("4 of 6 cells are finished (the run is running).")
    plotted = series(run, ["polarization_distance"], "step", "values", 8)
    assert plotted.title.endswith("mean of 1 to 3 seeds")
    (change,) = (
        series(run, ["polarization_distance"], "N", "differences", 8).frame.query("x == 8").to_dict("records")
    )
    assert change["n_seeds"] == 1
    assert np.isnan(change["low"])


def test_a_run_without_a_finished_cell_has_nothing_and_fails_at_nothing(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", values, seeds=(0,), conditions=("lora",))
    unfinish(run, CellKey(8, 0, "lora"))
    assert (measured([run]), sizes(run)) == ({}, [])
    plotted = series(run, METRICS, "step", "differences", 8)
    assert plotted.frame.empty
    assert plotted.alt.startswith("Nothing to show yet")
    assert compared(run).empty
    assert beside_paper(run, compared(run)).empty
