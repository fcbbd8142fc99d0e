"""A run beside the published study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from metrics.catalogue import CATALOGUE
from metrics.published import PUBLISHED
from metrics.replication import READINGS
from sim.cli.app import main
from sim.comparison import compare_run, final_values
from sim.errors import RunDirError
from sim.run_dir import RunDir
from sim.study import Study, beside_the_study, control_rows, study_rows


@pytest.fixture(scope="module")
def study(small_run: RunDir) -> Study:
    return beside_the_study(small_run)


def test_changes_are_those_that_the_comparison_of_the_run_shows(small_run: RunDir, study: Study) -> None:
    compared = compare_run(small_run)
    pair = compared[["treatment_condition", "control_condition"]].eq(["lora", "shared_base"]).all(axis=1)
    there = compared[pair].set_index("metric")
    for row in study.rows[study.rows["quantity"] == "difference"].to_dict("records"):
        assert row["value"] == there.loc[row["metric"], "difference"]
        assert row["low"] == pytest.approx(there.loc[row["metric"], "low"])


def test_levels_are_means_over_the_seeds(small_run: RunDir, study: Study) -> None:
    values = final_values(small_run)
    posts = values[values[["condition", "metric"]].eq(["lora", "cross_side_exposure"]).all(axis=1)]["value"]
    (row,) = study.rows[study.rows["metric"] == "cross_side_exposure"].to_dict("records")
    assert row["value"] == pytest.approx(posts.mean())
    assert row["low"] <= row["value"] <= row["high"]


def test_every_row_is_text_with_the_paper_beside_it(study: Study) -> None:
    rows = study_rows(study, 8)
    assert len(rows) == len(PUBLISHED) + 1
    *by_size, exposure = rows
    assert all(row["paper"].count(" / ") == 2 for row in by_size)
    assert exposure["paper"] == "0.16 to 0.18"  # a span, not one value for each size
    assert {row["reading"] for row in rows} <= set(READINGS)
    std = CATALOGUE["stance_std_positive"].label
    assert [row["paper"] for row in rows if row["label"] == std] == [
        "0.34 / 0.346 / 0.357",
        "2.28 / 2.18 / 2.45",
    ]


def test_lora_stands_against_every_other_condition(study: Study) -> None:
    rows = control_rows(study, 8)
    assert len(rows) == len({row.metric for row in PUBLISHED}) + 1
    assert all(list(row) == ["label", "shared_base", "permuted", "one_for_all", "zero"] for row in rows)


def test_a_run_without_the_studys_pair_is_refused(small_run: RunDir, tmp_path: Path) -> None:
    shutil.copytree(small_run.path, tmp_path / "run")
    for cell in (tmp_path / "run" / "cells").glob("shared_base*"):
        shutil.rmtree(cell)
    with pytest.raises(RunDirError, match="no finished cells of lora and shared_base"):
        beside_the_study(RunDir.open(tmp_path / "run"))


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_the_command_prints_both_tables(
    small_run: RunDir,
    more: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["plures", "study", str(small_run.path), *more])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capsys.readouterr().out
    assert not stopped.value.code
    if more:
        tables = json.loads(printed)
        assert len(tables["rows"]) == len(PUBLISHED) + 1
        assert {row["control_condition"] for row in tables["against"]} == {
            "shared_base", "permuted", "one_for_all", "zero",
        }  # fmt: skip
    else:
        assert "The published rows, ours at N = 8" in printed
        assert "lora − one_for_all" in printed
