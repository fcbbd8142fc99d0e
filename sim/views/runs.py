"""What each run is and how far it got: enough for a list of a thousand of them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import ValidationError

from metrics.catalogue import CATALOGUE
from sim.cell import CellKey
from sim.comparison import CONTRAST_COLUMNS
from sim.errors import RunDirError
from sim.progress_file import Progress, read_progress
from sim.run_dir import RunDir

Status = Literal["preparing", "running", "interrupted", "failed", "died", "done", "unreadable"]
"""As in the manifest; `died` when it says that a run goes on but its process is gone; `unreadable` when damaged."""

LIVE: tuple[Status, ...] = ("preparing", "running")
HEADLINE_METRICS = (
    "polarization_distance",
    "effective_communities",
    "co_engagement_modularity",
    "cross_side_exposure",
    "like_gini",
    "failure_rate",
)
"""Measures by which runs are listed side by side."""
HEADLINE_COLUMNS = [
    "run", "n", "treatment", "control", "treated", "controls", "difference", "low", "high", "ratio", "seeds"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of the list of runs.

    Args:
        path: the run directory.
        status: how far it is.
        message: why it cannot be read; empty otherwise.
        scenario: name of its scenario.
        conditions: in the scenario's order.
        sizes: N of the populations.
        seeds: as in the scenario.
        steps: acting steps of a cell.
        base: name of the base model.
        toy: whether its numbers only show that the machinery works.
        cells_done: finished cells.
        cells: all of them.
        progress: share of all steps of all cells that is finished, in [0, 1].
        bytes: size on disk.
        started: when it was begun; of a run without `progress.json`, when its oldest file was written.
    """

    path: Path
    status: Status
    message: str = ""
    scenario: str = ""
    conditions: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()
    steps: int = 0
    base: str = ""
    toy: bool = False
    cells_done: int = 0
    cells: int = 0
    progress: float = 0.0
    bytes: int = 0
    started: datetime | None = None


def summarize(path: Path) -> RunSummary:
    """One run; a damaged one, or one of a newer Plures, is summarized by what is wrong with it."""
    try:
        stamp = (path / "manifest.json").stat()
        return _finished(path, stamp.st_mtime_ns, stamp.st_size) or _read(path)
    except (RunDirError, ValidationError, OSError) as error:
        return RunSummary(path, "unreadable", message=str(error))
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        return RunSummary(path, "unreadable", message=f"{path / 'manifest.json'}: damaged ({error!r})")


def status_of(run: RunDir, progress: Progress | None) -> Status:
    """The state that the manifest tells, and whether somebody still works at it.

    Args:
        run: any run.
        progress: of `read_progress`. Without it, or on another machine than the run's, the manifest is believed.
    """
    state = run.state
    at_work = progress.at_work() if progress else None
    if state in LIVE and at_work is False:
        return "died"
    if state in ("interrupted", "failed") and at_work:
        return "preparing"  # resumed, and being checked
    return state


def frame_of(summaries: Mapping[str, RunSummary]) -> pd.DataFrame:
    """The list as a table, the latest first.

    Args:
        summaries: name → run.

    Returns:
        Columns run, status, progress (share), N, seeds (how many), steps, scenario, conditions, base, MB, started,
        message.
    """
    rows = [
        {
            "run": name,
            "status": one.status,
            "progress": one.progress,
            "scenario": one.scenario,
            "conditions": ", ".join(one.conditions),
            "N": ", ".join(map(str, one.sizes)),
            "seeds": len(one.seeds),
            "steps": one.steps,
            "base": f"{one.base} (toy)" if one.toy else one.base,
            "MB": round(one.bytes / 1e6, 1),
            "started": one.started,
            "message": one.message,
        }
        for name, one in summaries.items()
    ]
    columns = ["run", "status", "progress", "N", "seeds", "steps", "scenario", "conditions", "base", "MB"]
    frame = pd.DataFrame(rows, columns=[*columns, "started", "message"])
    return frame.sort_values("started", ascending=False, kind="stable", na_position="last", ignore_index=True)


def headlines(runs: Mapping[str, Path], metric: str) -> pd.DataFrame:
    """One measure of many runs: their own contrast on the last step's values, at their largest N.

    Args:
        runs: name → run directory. Runs that are not finished, or lack the measure, are left out.
        metric: one of `HEADLINE_METRICS`.

    Returns:
        Columns `HEADLINE_COLUMNS`: treated and controls are means over seeds, low and high the 95% interval of the
        difference.
    """
    rows = [row for name, path in runs.items() if (row := _headline(name, path, metric))]
    return pd.DataFrame(rows, columns=HEADLINE_COLUMNS)


def label_of(metric: str) -> str:
    """A measure as people read it."""
    return CATALOGUE[metric].label


@lru_cache(maxsize=4096)
def _finished(path: Path, _time: int, _size: int) -> RunSummary | None:
    """A finished run does not change while its manifest does not; None for any other."""
    return summary if (summary := _read(path)).status == "done" else None


def _read(path: Path) -> RunSummary:
    run = RunDir.open(path)
    manifest, scenario = run.manifest, run.manifest["scenario"]
    progress = read_progress(path)
    status = status_of(run, progress)
    sizes, seeds, conditions = (
        tuple(scenario["population"]["size"]),
        tuple(scenario["seeds"]),
        tuple(scenario["conditions"]),
    )
    cells = [run.cell(CellKey(n, seed, c)) for n in sizes for seed in seeds for c in conditions]
    done = {cell.key.id for cell in cells if status == "done" or cell.done}
    steps = int(scenario["simulation"]["steps"])
    return RunSummary(
        path=path,
        status=status,
        scenario=str(scenario["name"]),
        conditions=conditions,
        sizes=sizes,
        seeds=seeds,
        steps=steps,
        base=str(manifest["base"]["name"]),
        toy=bool(manifest["base"]["toy"]),
        cells_done=len(done),
        cells=len(cells),
        progress=_share(done, [cell.key.id for cell in cells], progress),
        bytes=_bytes(path),
        started=_started(path, progress),
    )


def _share(done: set[str], cells: Iterable[str], progress: Progress | None) -> float:
    names = list(cells)
    under_way = (
        {task.name: task.done / task.total for task in progress.tasks if task.total} if progress else {}
    )
    return sum(1.0 if name in done else under_way.get(name, 0.0) for name in names) / len(names)


def _bytes(folder: Path) -> int:
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 (a thousand runs have many files)
            except FileNotFoundError:  # replaced just now
                continue
    return total


def _started(path: Path, progress: Progress | None) -> datetime:
    if progress:
        return datetime.fromisoformat(progress.started)
    oldest = min((file.stat().st_mtime for file in path.glob("cells/*/cell.json")), default=None)
    seconds = oldest if oldest is not None else (path / "manifest.json").stat().st_mtime
    return datetime.fromtimestamp(int(seconds), UTC)


def _headline(name: str, path: Path, metric: str) -> dict[str, Any] | None:
    file = RunDir(path).comparison_file
    try:
        status = file.stat()
        found = _own_contrast(path, status.st_mtime_ns, status.st_size).get(metric)
    except (OSError, RunDirError, ValueError, KeyError):
        return None  # no comparison yet, or a damaged one: the list of runs says so
    return {"run": name, **found} if found else None


@lru_cache(maxsize=4096)
def _own_contrast(path: Path, _time: int, _size: int) -> dict[str, dict[str, Any]]:
    """Measure → its row at the largest N; read again only when the comparison changes."""
    run = RunDir(path)
    compare = run.manifest["scenario"]["compare"]
    own = (compare["treatment"], compare["control"])
    with run.comparison_file.open(newline="", encoding="utf-8") as file:  # pandas takes ten times as long
        rows = [
            row
            for row in csv.DictReader(file)
            if row["metric"] in HEADLINE_METRICS
            and tuple(row[column] for column in CONTRAST_COLUMNS) == own
            and int(row["n_seeds"])
        ]
    return {row["metric"]: _shown(row, *own) for row in sorted(rows, key=lambda row: int(row["n"]))}


def _shown(row: Mapping[str, str], treatment: str, control: str) -> dict[str, Any]:
    numbers = {column: float(row[column] or "nan") for column in ("difference", "low", "high", "ratio")}
    return {
        "n": int(row["n"]),
        "treatment": treatment,
        "control": control,
        "treated": float(row["treatment"] or "nan"),
        "controls": float(row["control"] or "nan"),
        **numbers,
        "seeds": int(row["n_seeds"]),
    }
