"""The run directory: where a run lives, readable while it goes on, enough to resume exactly.

    RUN/manifest.json             scenario as resolved, versions, base, corpus hash, adapter revisions, hardware, state
    RUN/population-n64.parquet    the agents of each size
    RUN/cells/lora-n64-s0/        cell.json · platform.db · ledger.parquet (ledger/ while running) · stance.parquet ·
                                  metrics.parquet
    RUN/metrics.parquet           every finished cell's measures
    RUN/comparison.csv            paired differences
    RUN/report.html               the report
    RUN/timings.json, usage.json  seconds and tokens: with the report, all that two equal runs do not share

The ledger of a run is the union of its cells' ledgers: no two cells ever share a file.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast, get_args

import pandas as pd
from pydantic import ValidationError

from sim.atomic import write_atomic, write_json
from sim.cell import CellKey, grid
from sim.errors import RunDirError
from sim.ledger import Ledger
from sim.scenario import Scenario

FORMAT = 1
State = Literal["preparing", "running", "interrupted", "failed", "done"]
POPULATION_COLUMNS = ("agent_id", "user_id", "handle", "side", "persona", "activity")
_DO_AGAIN = "Delete the cell's folder (or, of a run's own file, start the run anew), then resume."


@dataclass(frozen=True)
class CellDir:
    """One cell's folder."""

    key: CellKey
    path: Path

    @property
    def database(self) -> Path:
        """The OASIS SQLite file, as of the last finished step."""
        return self.path / "platform.db"

    @property
    def metrics_file(self) -> Path:
        """Measures of every step; its presence says that the cell is done."""
        return self.path / "metrics.parquet"

    @property
    def stance_file(self) -> Path:
        """Every user's stance at every step."""
        return self.path / "stance.parquet"

    def read_stance(self) -> pd.DataFrame:
        """Columns step, user_id, stance."""
        return _read_parquet(self.stance_file, ("step", "user_id", "stance"))

    @property
    def done(self) -> bool:
        """Whether the cell has run to its end and was measured."""
        return self.metrics_file.exists()

    @property
    def ledger(self) -> Ledger:
        """The cell's ledger."""
        return Ledger(self.path)

    def read_bindings(self) -> dict[int, str | None]:
        """Agent id → adapter revision, or None for the bare base."""
        file = self.path / "cell.json"
        bindings = _read_json(file).get("bindings")
        if not isinstance(bindings, dict) or not all(agent.isdecimal() for agent in bindings):
            raise RunDirError(f"{file}: damaged (`bindings` must say who carries what). {_DO_AGAIN}")
        return {int(agent): revision for agent, revision in bindings.items()}

    def write_bindings(self, bindings: dict[int, str | None]) -> None:
        """Record who carries which adapter, before the first step."""
        write_json(self.path / "cell.json", {"cell": self.key.id, "bindings": bindings})

    def read_metrics(self) -> pd.DataFrame:
        """Columns step, metric, value."""
        return _read_parquet(self.metrics_file, ("step", "metric", "value"))


class RunDir:
    """A run on disk. Reading takes no lock; `locked` must be held for writing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path | str) -> RunDir:
        """Open a run for reading.

        Raises:
            RunDirError: when there is no run, or one of a newer format.
        """
        run = cls(Path(path))
        if not run.manifest_file.exists():
            raise RunDirError(
                f"{path}: no run here (manifest.json is missing). Make one: plures run SCENARIO --out {path}"
            )
        found = run.manifest.get("format", 0)
        if not isinstance(found, int):
            raise RunDirError(f"{run.manifest_file}: damaged (format: got {found!r}; expected a number)")
        if found > FORMAT:
            raise RunDirError(f"{path}: written by a newer Plures (format {found}). Upgrade Plures.")
        return run

    @property
    def manifest_file(self) -> Path:
        """What the run is."""
        return self.path / "manifest.json"

    @property
    def metrics_file(self) -> Path:
        """All cells' measures."""
        return self.path / "metrics.parquet"

    @property
    def comparison_file(self) -> Path:
        """Paired differences."""
        return self.path / "comparison.csv"

    @property
    def report_file(self) -> Path:
        """The report for people."""
        return self.path / "report.html"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest as it was when first read."""
        return _read_json(self.manifest_file)

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario as resolved.

        Raises:
            RunDirError: when the manifest holds none that is valid.
        """
        try:
            return Scenario.model_validate(self.manifest.get("scenario"))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()[:3]
            )
            raise RunDirError(f"{self.manifest_file}: no valid scenario in it ({problems})") from error

    @property
    def state(self) -> State:
        """How far the run is, read afresh."""
        state = _read_json(self.manifest_file).get("state")
        if state not in get_args(State):
            raise RunDirError(
                f"{self.manifest_file}: state: got {state!r}; expected one of {', '.join(get_args(State))}"
            )
        return cast("State", state)

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Replace the manifest."""
        write_json(self.manifest_file, manifest)
        self.__dict__["manifest"] = manifest
        self.__dict__.pop("scenario", None)

    def cell(self, key: CellKey) -> CellDir:
        """The folder of one cell, existing or not."""
        return CellDir(key, self.path / "cells" / key.id)

    def cells(self) -> list[CellDir]:
        """Every cell of the grid, in the order in which they run."""
        return [self.cell(key) for key in grid(self.scenario)]

    @property
    def finished_size(self) -> int:
        """The largest population of which any cell is finished; 0 before the first."""
        return max((cell.key.size for cell in self.cells() if cell.done), default=0)

    def population_file(self, size: int) -> Path:
        """Where the agents of one size are kept."""
        return self.path / f"population-n{size}.parquet"

    def read_population(self, size: int) -> pd.DataFrame:
        """Columns agent_id, user_id, handle, side, persona, activity."""
        return _read_parquet(self.population_file(size), POPULATION_COLUMNS)

    def read_metrics(self) -> pd.DataFrame:
        """Columns condition, size, seed, step, metric, value: of every cell that is done."""
        frames = [
            cell.read_metrics().assign(condition=cell.key.condition, size=cell.key.size, seed=cell.key.seed)
            for cell in self.cells()
            if cell.done
        ]
        columns = ["condition", "size", "seed", "step", "metric", "value"]
        return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)

    def read_timings(self) -> dict[str, float]:
        """Seconds that each part has taken so far."""
        file = self.path / "timings.json"
        return _read_json(file) if file.exists() else {}

    def add_timing(self, part: str, seconds: float) -> None:
        """Add to the seconds of a part."""
        timings = self.read_timings()
        timings[part] = round(timings.get(part, 0.0) + seconds, 3)
        write_json(self.path / "timings.json", timings)

    def read_usage(self) -> dict[str, float]:
        """Requests, tokens_in, tokens_out and seconds of the engine so far."""
        file = self.path / "usage.json"
        return _read_json(file) if file.exists() else {}

    def add_usage(self, usage: dict[str, float]) -> None:
        """Add to what the engine has spent."""
        before = self.read_usage()
        write_json(
            self.path / "usage.json", {key: before.get(key, 0) + value for key, value in usage.items()}
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing; the lock dies with the process.

        Raises:
            RunDirError: when another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunDirError(
                    f"{self.path}: another process is writing this run. Wait, or use another --out."
                ) from error
            yield


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as Parquet, atomically."""
    write_atomic(path, lambda partial: frame.to_parquet(partial, index=False, compression="zstd"))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise RunDirError(f"{path}: missing") from error
    except ValueError as error:
        raise RunDirError(f"{path}: damaged ({error})") from error
    if not isinstance(value, dict):
        raise RunDirError(f"{path}: damaged (no JSON object)")
    return value


def _read_parquet(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    if not path.exists():
        raise RunDirError(f"{path}: not there (yet)")
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise RunDirError(f"{path}: damaged ({error}). {_DO_AGAIN}") from error
    if missing := [name for name in columns if name not in frame]:
        raise RunDirError(f"{path}: damaged (no column {', '.join(missing)}). {_DO_AGAIN}")
    if frame.empty:
        raise RunDirError(f"{path}: damaged (no rows). {_DO_AGAIN}")
    return frame


def open_run(path: Path | str) -> RunDir:
    """Open a run for reading: `RunDir.open` under the name that notebooks use.

    Raises:
        RunDirError: when there is no run.
    """
    return RunDir.open(path)
