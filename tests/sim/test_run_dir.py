"""Run directories: readable at any moment, locked while written, clear about damage."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from sim.cell import CellKey, grid
from sim.errors import RunDirError
from sim.run_dir import FORMAT, RunDir, open_run, write_frame
from sim.scenario import Scenario
from sim.scenario_file import as_plain

SCENARIO = Scenario(name="dirs", population={"size": [8, 16]}, seeds=(0, 1))  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "run")
    run.write_manifest({"format": FORMAT, "state": "running", "scenario": as_plain(SCENARIO)})
    return run


def test_scenario_comes_back_as_it_was(run: RunDir) -> None:
    assert open_run(run.path).scenario == SCENARIO


def test_grid_keeps_paired_cells_together() -> None:
    ids = [key.id for key in grid(SCENARIO)]
    assert ids[:4] == ["lora-n8-s0", "shared_base-n8-s0", "lora-n8-s1", "shared_base-n8-s1"]
    assert len(ids) == len(set(ids)) == 8


def test_only_finished_cells_are_measured(run: RunDir) -> None:
    assert run.read_metrics().empty
    cell = run.cell(CellKey(8, 1, "lora"))
    write_frame(pd.DataFrame({"step": [1], "metric": ["like_gini"], "value": [0.5]}), cell.metrics_file)
    measures = run.read_metrics()
    assert measures.to_dict("records") == [
        {"condition": "lora", "size": 8, "seed": 1, "step": 1, "metric": "like_gini", "value": 0.5}
    ]


def test_bindings_round_trip(run: RunDir) -> None:
    cell = run.cell(CellKey(8, 0, "lora"))
    cell.write_bindings({0: "ab", 1: None})
    assert cell.read_bindings() == {0: "ab", 1: None}


def test_timings_add_up(run: RunDir) -> None:
    run.add_timing("adapters", 1.25)
    run.add_timing("adapters", 0.5)
    assert run.read_timings() == {"adapters": 1.75}


def test_a_second_writer_is_refused(run: RunDir) -> None:
    with (
        run.locked(),
        pytest.raises(RunDirError, match="another process is writing"),
        RunDir(run.path).locked(),
    ):
        pass
    with run.locked():  # free again
        pass


def test_no_run_names_the_cure(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match=r"no run here.*plures run SCENARIO --out"):
        open_run(tmp_path)


def test_newer_format_is_refused(run: RunDir) -> None:
    run.write_manifest({**run.manifest, "format": FORMAT + 1})
    with pytest.raises(RunDirError, match="Upgrade Plures"):
        open_run(run.path)


@pytest.mark.parametrize("content", ["{", "[]", '"x"'])
def test_damaged_manifest_is_named(run: RunDir, content: str) -> None:
    run.manifest_file.write_text(content)
    with pytest.raises(RunDirError, match=r"manifest\.json: damaged"):
        open_run(run.path)


def test_damaged_frame_is_named(run: RunDir) -> None:
    run.population_file(8).write_bytes(b"PAR1")
    with pytest.raises(RunDirError, match=r"population-n8\.parquet: damaged"):
        run.read_population(8)
    with pytest.raises(RunDirError, match="not there"):
        run.read_population(16)


def test_manifest_is_plain_json(run: RunDir) -> None:
    assert json.loads(run.manifest_file.read_text("utf-8"))["scenario"]["name"] == "dirs"


def test_a_frame_that_lost_columns_or_rows_is_damaged(run: RunDir) -> None:
    cell = run.cell(CellKey(8, 0, "lora"))
    write_frame(pd.DataFrame({"step": [1]}), cell.metrics_file)
    with pytest.raises(RunDirError, match=r"metrics\.parquet: damaged \(no column metric, value\)"):
        cell.read_metrics()
    write_frame(pd.DataFrame({"step": [], "metric": [], "value": []}), cell.metrics_file)
    with pytest.raises(RunDirError, match="no rows"):
        cell.read_metrics()


@pytest.mark.parametrize("content", ["{}", '{"bindings": 3}', '{"bindings": {"ada": null}}'])
def test_bindings_of_another_form_are_damaged(run: RunDir, content: str) -> None:
    cell = run.cell(CellKey(8, 0, "lora"))
    cell.path.mkdir(parents=True)
    (cell.path / "cell.json").write_text(content)
    with pytest.raises(RunDirError, match=r"cell\.json: damaged"):
        cell.read_bindings()


def test_a_manifest_of_another_form_is_named(run: RunDir) -> None:
    run.write_manifest({"format": "one"})
    with pytest.raises(RunDirError, match=r"manifest\.json: damaged \(format"):
        open_run(run.path)
    run.write_manifest({"format": FORMAT, "state": "sleeping", "scenario": {"name": "x", "sedes": [1]}})
    with pytest.raises(RunDirError, match="expected one of preparing"):
        _ = open_run(run.path).state
    with pytest.raises(RunDirError, match=r"no valid scenario in it \(sedes"):
        _ = open_run(run.path).scenario
