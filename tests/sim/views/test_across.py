"""Several runs beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.cell import CellKey
from sim.run_dir import RunDir
from sim.views.across import comparable, effects_across, run_names, series_across
from tests.sim.views.made_runs import made_run


def values(key: CellKey, step: int) -> dict[str, float]:
    return {"polarization_distance": 0.1 * step + 0.01 * key.seed + 0.2 * (key.condition == "lora")}


def doubled(key: CellKey, step: int) -> dict[str, float]:
    return {"polarization_distance": 2 * values(key, step)["polarization_distance"]}


def test_names_are_as_long_as_it_takes_to_tell_runs_apart(tmp_path: Path) -> None:
    assert run_names([RunDir(tmp_path / "a" / "x"), RunDir(tmp_path / "b" / "y")]) == ["x", "y"]
    assert run_names([RunDir(tmp_path / "a" / "x"), RunDir(tmp_path / "b" / "x")]) == ["a/x", "b/x"]
    assert run_names([RunDir(tmp_path / "x")]) == ["x"]


def test_runs_of_one_base_corpus_and_version_are_comparable_whatever_else_they_ask(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / "a", values), made_run(tmp_path / "b", values, seeds=(4, 5))]
    judged = comparable(runs)
    assert judged.reasons == []
    assert judged.differences.to_numpy().tolist() == [["seeds", "0, 1, 2", "4, 5"]]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"base": {"name": "smollm2", "fingerprint": "e" * 64, "toy": False}}, "Other base: "),
        ({"corpus": {"name": "made", "sha256": "d" * 64}}, "Other corpus: "),
        ({"sides": ["left", "right"]}, "Other sides: "),
        ({"versions": {"python": "3.11", "torch": "2.12"}}, "Other versions: "),
    ],
)
def test_what_keeps_runs_from_being_compared_is_named_with_both_values(
    tmp_path: Path, changed: dict[str, object], reason: str
) -> None:
    runs = [made_run(tmp_path / "a", values), made_run(tmp_path / "b", values, **changed)]
    (said,) = comparable(runs).reasons
    assert said.startswith(reason)
    assert " against " in said


def test_runs_of_different_lengths_are_not_comparable_at_their_last_steps(tmp_path: Path) -> None:
    judged = comparable([made_run(tmp_path / "a", values), made_run(tmp_path / "b", values, steps=3)])
    assert judged.reasons == [
        "Other numbers of steps: last values are of different moments (simulation.steps 2 against 3)"
    ]


def test_a_measure_is_drawn_condition_by_condition_with_a_line_for_each_run(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / "a", values), made_run(tmp_path / "b", doubled, sizes=(4, 6))]
    plotted = series_across(runs, "polarization_distance", "step", "values", 8)
    lines = plotted.frame[["panel", "line"]].drop_duplicates().to_numpy().tolist()
    # the second run has no size 8 and is shown at its largest
    assert lines == [
        ["lora", "a, N = 8"], ["shared_base", "a, N = 8"], ["lora", "b, N = 6"], ["shared_base", "b, N = 6"],
    ]  # fmt: skip
    assert "a, N = 8 ends at +0.41" in plotted.alt


def test_each_runs_effect_is_its_own_paired_difference(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / "a", values), made_run(tmp_path / "b", doubled)]
    frame = effects_across(runs, "polarization_distance").frame
    assert frame["run"].tolist() == ["a", "b"]
    assert frame["difference"].tolist() == pytest.approx([0.2, 0.4])
    assert set(frame["contrast"]) == {"lora − shared_base"}


def test_runs_without_a_pair_have_no_effects(tmp_path: Path) -> None:
    alone = made_run(tmp_path / "a", values, conditions=("lora",))
    plotted = effects_across([alone], "polarization_distance")
    assert plotted.frame.empty
    assert series_across([alone], "polarization_distance", "step", "differences", 8).frame.empty
