"""The list of runs: what each is, how far it is, and what is wrong with it."""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from adapters.processes import ProcessMark
from metrics.catalogue import CATALOGUE
from sim.progress import Silent
from sim.progress_file import ProgressFile
from sim.run_dir import RunDir
from sim.views.runs import HEADLINE_METRICS, frame_of, headlines, summarize

SCENARIO: dict[str, Any] = {
    "name": "made",
    "conditions": ["lora", "shared_base"],
    "seeds": [0, 1],
    "population": {"size": [8, 16]},
    "simulation": {"steps": 4},
    "compare": {"treatment": "lora", "control": "shared_base"},
}


def _run(path: Path, state: str, done: int = 0, **more: Any) -> Path:
    """A run directory of the grid above with its first `done` cells finished."""
    path.mkdir(parents=True)
    manifest = {"format": 1, "state": state, "scenario": SCENARIO, "base": {"name": "tiny-moe", "toy": True}}
    (path / "manifest.json").write_text(json.dumps(manifest | more))
    cells = [f"{c}-n{n}-s{s}" for n in (8, 16) for s in (0, 1) for c in ("lora", "shared_base")]
    for cell in cells[:done]:
        (path / "cells" / cell).mkdir(parents=True)
        (path / "cells" / cell / "metrics.parquet").write_bytes(b"x" * 100)
    return path


def test_finished_run_is_all_there(tmp_path: Path) -> None:
    one = summarize(_run(tmp_path / "r", "done", 8))
    assert (one.status, one.cells_done, one.cells, one.progress) == ("done", 8, 8, 1.0)
    assert (one.scenario, one.conditions, one.sizes, one.seeds, one.steps) == (
        "made", ("lora", "shared_base"), (8, 16), (0, 1), 4,
    )  # fmt: skip
    assert one.toy
    assert one.bytes == sum(f.stat().st_size for f in (tmp_path / "r").rglob("*") if f.is_file())


def test_running_cell_counts_by_its_steps(tmp_path: Path) -> None:
    """Two of eight cells are finished and the third is at step 3 of 4: (2 + 3/4) / 8."""
    path = _run(tmp_path / "r", "running", 2)
    watcher = ProgressFile(path / "progress.json", Silent())
    watcher.begin("lora-n8-s1", 4)
    watcher.advance("lora-n8-s1", 3)
    watcher.write()
    one = summarize(path)
    assert (one.status, one.cells_done) == ("running", 2)
    assert one.progress == pytest.approx(2.75 / 8)
    assert one.started is not None
    assert abs((datetime.now(UTC) - one.started).total_seconds()) < 60


@pytest.mark.parametrize(
    ("state", "alive", "status"),
    [
        ("running", True, "running"),
        ("running", False, "died"),
        ("preparing", False, "died"),
        ("interrupted", False, "interrupted"),
        ("interrupted", True, "preparing"),
        ("failed", False, "failed"),
        ("done", False, "done"),
    ],
)
def test_status_is_what_the_manifest_says_and_what_the_process_does(
    state: str, alive: bool, status: str, tmp_path: Path
) -> None:
    path = _run(tmp_path / "r", state)
    ProgressFile(path / "progress.json", Silent()).write()
    if not alive:
        record = json.loads((path / "progress.json").read_text())
        record["process"]["started"] -= 1000
        (path / "progress.json").write_text(json.dumps(record))
    assert summarize(path).status == status


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged"),
        ('{"format": 99}', "newer Plures"),
        ('{"format": 1, "state": "done", "scenario": {"name": 3}}', "damaged"),
    ],
)
def test_damaged_or_newer_run_is_listed_with_its_message(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    one = summarize(tmp_path)
    assert one.status == "unreadable"
    assert str(tmp_path) in one.message
    assert message in one.message


def test_damaged_progress_file_is_told(tmp_path: Path) -> None:
    path = _run(tmp_path / "r", "running")
    (path / "progress.json").write_text("{}")
    assert "progress.json: damaged" in summarize(path).message


def test_latest_run_comes_first_and_unreadable_ones_last(tmp_path: Path) -> None:
    old, new = _run(tmp_path / "old", "done", 8), _run(tmp_path / "new", "done", 8)
    ProgressFile(new / "progress.json", Silent()).write()
    record = ProgressFile(old / "progress.json", Silent())
    record._progress.started = "2020-01-01T00:00:00+00:00"
    record.write()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "manifest.json").write_text("{")
    frame = frame_of({name: summarize(tmp_path / name) for name in ("bad", "old", "new")})
    assert list(frame["run"]) == ["new", "old", "bad"]
    assert list(frame_of({}).columns) == list(frame.columns)


def test_headline_is_the_runs_own_contrast_at_its_largest_size(tmp_path: Path) -> None:
    path = _run(tmp_path / "r", "done", 8)
    row = {"n_seeds": 2, "treatment": 1.0, "control": 2.0, "low": -2.0, "high": 0.0, "ratio": np.nan}
    rows = [
        {
            "treatment_condition": "lora",
            "control_condition": c,
            "n": n,
            "metric": "like_gini",
            "difference": d,
            **row,
        }
        for c, n, d in (("shared_base", 8, -0.5), ("shared_base", 16, -1.0), ("zero", 16, -9.0))
    ]
    pd.DataFrame(rows).to_csv(path / "comparison.csv", index=False)
    unfinished = _run(tmp_path / "unfinished", "running")
    found = headlines({"r": path, "unfinished": unfinished}, "like_gini")
    assert found[["run", "n", "difference", "seeds"]].to_numpy().tolist() == [["r", 16, -1.0, 2]]
    assert headlines({"r": path}, "failure_rate").empty


def test_headline_measures_exist() -> None:
    assert set(HEADLINE_METRICS) <= set(CATALOGUE)


def test_thousand_finished_runs_are_listed_quickly_the_second_time(tmp_path: Path) -> None:
    """A finished run is read once: afterwards only its manifest's stamp is looked at."""
    first = _run(tmp_path / "0", "done", 8)
    paths = [first]
    for number in range(1, 100):
        paths.append(tmp_path / str(number))
        shutil.copytree(first, paths[-1])
    for path in paths:
        summarize(path)
    (first / "cells" / "lora-n8-s0" / "metrics.parquet").unlink()
    begun = time.perf_counter()
    again = [summarize(path) for path in paths]
    assert again[0].bytes == again[1].bytes
    assert time.perf_counter() - begun < 5


def test_run_of_another_machine_is_believed(tmp_path: Path) -> None:
    path = _run(tmp_path / "r", "running")
    ProgressFile(path / "progress.json", Silent()).write()
    record = json.loads((path / "progress.json").read_text())
    record["process"] = ProcessMark(1, 0.0, "elsewhere").as_record()
    (path / "progress.json").write_text(json.dumps(record))
    assert summarize(path).status == "running"
    assert RunDir(path).state == "running"
