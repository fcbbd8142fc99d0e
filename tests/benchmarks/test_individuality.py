"""The benchmark of individuality keeps what it has done, stops in time, and compares with its first recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.individuality import QUICK, QUICK_RECIPES, measure, options
from benchmarks.individuality_runs import Bench

TOWN = {"kind": "synthetic", "users": 8}


def test_the_command_given_again_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    """Stopped before its first piece, then finished, then only read."""
    folder = ["--folder", str(tmp_path / "kept")]
    stopped = measure(options().parse_args([*folder, "--minutes", "0"]), quick=True)
    assert [case.figures for case in stopped.cases] == [{}] * len(QUICK_RECIPES)
    assert all(case.setting["finished"] is False for case in stopped.cases)
    assert stopped.goals == []

    finished = measure(options().parse_args(folder), quick=True)
    bench = Bench(QUICK, TOWN, tmp_path / "kept")
    assert [list(bench.pieces(recipe)) for recipe in QUICK_RECIPES] == [[]] * len(QUICK_RECIPES)
    assert measure(options().parse_args(folder), quick=True) == finished

    reference, shallow, peft = finished.cases
    assert reference.setting["weights"] > shallow.setting["weights"]
    assert not any(name.startswith("against") for name in reference.figures)
    assert abs(peft.figures["against the first, own nats per token"].as_dict()["value"] or 0) < 1e-4
    assert {"stacked", "peft", "scores"} <= {path.name for path in (tmp_path / "kept").iterdir()}
    assert {goal.met for goal in finished.goals if goal.name.startswith("stacked against PEFT")} == {True}


def test_a_full_measurement_needs_a_corpus() -> None:
    with pytest.raises(SystemExit, match="--corpus"):
        measure(options().parse_args([]), quick=False)
