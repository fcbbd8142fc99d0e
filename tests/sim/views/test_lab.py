"""The lab lists whatever lies in a folder: results and benchmarks with their content, all else with a message."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness import Case, Figure, Goal, Results, Sampled, _as_json
from sim.errors import LabError
from sim.lab_result import MARK
from sim.views import lab
from tests.sim.test_lab_result import VOTING

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_result_is_its_points_its_fit_and_what_was_published(tmp_path: Path) -> None:
    file = tmp_path / "voting.result.json"
    VOTING.write(file)
    assert lab.listed(file) == (file, "result", VOTING.title, "voting")
    seen = lab.curves(file)
    assert seen.points.groupby("series", sort=False).size().to_dict() == {"variants": 3, "repetition": 3}
    assert seen.points["low"].isna().sum() == 3
    assert seen.fits["formula"].unique().tolist() == ["0.36 +0.02 ln x, R² 0.900"]
    np.testing.assert_allclose(seen.fits["y"], 0.36 + 0.02 * np.log(seen.fits["x"]))
    assert seen.published[0].name.startswith("published: ")


def test_a_benchmark_is_its_goals_and_figures(tmp_path: Path) -> None:
    results = Results(
        [Case("one", {"agents": 8}, {"seconds": Figure(2.0, 1.0, 3.0, 3)})],
        [Goal("speed", 2.0, 1.0), Goal("memory", 2.0, 1.0, at_least=False)],
    )
    file = written(tmp_path / "report.json", _as_json(results))
    assert lab.listed(file).what == "benchmark"
    seen = lab.benchmark(file)
    assert seen.goals["verdict"].tolist() == ["met", "MISSED"]
    assert seen.met == 1
    assert seen.figures.to_numpy().tolist() == [["one", "agents 8", "seconds", 2.0, 1.0, 3.0, "3 repeats"]]
    assert "cores" in seen.machine


def test_estimates_from_people_stand_among_the_figures(tmp_path: Path) -> None:
    figures = {"share": Sampled(0.5, 0.25, 0.75, 8), "alone": Sampled(0.5, math.nan, math.nan, 1)}
    results = Results([Case("one", {}, figures)])
    seen = lab.benchmark(written(tmp_path / "report.json", _as_json(results)))
    assert seen.figures["of"].tolist() == ["8 people", "1 people"]
    assert seen.figures["high"].tolist() == [0.75, pytest.approx(math.nan, nan_ok=True)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON, or half-written"),
        ('{"plures_result": 1, "kind": "vot', "no JSON, or half-written"),
        ("[1, 2]", "neither a result file"),
        ('{"hello": 1}', "neither a result file"),
        ('{"plures_result": 99}', "newer Plures"),
        ('{"plures_result": 1}', "kind: Field required"),
        ("[" * 100_000, "no JSON, or half-written"),
    ],
)
def test_what_is_no_result_is_listed_with_its_message(tmp_path: Path, text: str, message: str) -> None:
    found = lab.listed(written(tmp_path / "x.json", text))
    assert found.what == "unreadable"
    assert found.title.startswith("x.json: ")
    assert message in found.title


def test_a_damaged_benchmark_names_the_file(tmp_path: Path) -> None:
    file = written(
        tmp_path / "b.json", '{"machine": {}, "versions": {}, "cases": [{}], "goals": [{"name": "a"}]}'
    )
    with pytest.raises(LabError, match=r"b\.json: .*damaged"):
        lab.benchmark(file)


def test_a_huge_or_vanished_file_is_told(tmp_path: Path) -> None:
    assert "larger than" in lab.listed(written(tmp_path / "huge.json", " " * (lab.MOST_BYTES + 1))).title
    assert "cannot be read" in lab.listed(tmp_path / "gone.json").title


@given(ANYTHING)
def test_no_json_makes_listing_fail(value: object) -> None:
    path = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp") / f"plures-lab-{os.getpid()}.json"
    try:
        for content in (
            value,
            {MARK: 1, "series": value},
            {"machine": 1, "versions": 1, "cases": value, "goals": 1},
        ):
            path.write_text(json.dumps(content))
            assert lab.listed(path).title
    finally:
        path.unlink()


def test_runs_stores_links_and_hidden_folders_are_not_searched(tmp_path: Path) -> None:
    here = written(tmp_path / "deep" / "er" / "a.result.json", "{}")
    newer = written(tmp_path / "b.json", "{}")
    os.utime(here, ns=(1, 1))
    for inside in (
        "run/manifest.json",
        "run/timings.json",
        "store/catalog.sqlite",
        "store/x.json",
        ".hidden/y.json",
    ):
        written(tmp_path / inside, "{}")
    outside = written(tmp_path.parent / f"{tmp_path.name}-outside" / "secret.json", "{}")
    (tmp_path / "link.json").symlink_to(outside)
    (tmp_path / "linked").symlink_to(outside.parent)
    assert lab.result_files(tmp_path) == [newer, here]
