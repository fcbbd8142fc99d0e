"""Result files as tables and curves: what experiments and benchmarks left below the dashboard's folders."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from metrics.published_curves import PUBLISHED_CURVES, PublishedCurve
from sim.errors import LabError
from sim.lab_result import MARK, Fit, LabResult

DEPTH = 4
"""Folders below a root that are searched."""
MOST_FILES = 500
"""That are looked at; the newest."""
MOST_BYTES = 5_000_000
"""Of one file: a result is a summary."""
_NOT_LAB = {"manifest.json", "catalog.sqlite"}
_BENCHMARK_KEYS = {"machine", "versions", "cases", "goals"}
_FIT_POINTS = 100

What = Literal["result", "benchmark", "unreadable"]


class Listed(NamedTuple):
    """One file.

    Args:
        path: of the file.
        what: a result file, the `--json` output of a benchmark, or neither.
        title: what to call it; of an unreadable one the message.
        kind: of the experiment; "" for what is no result file.
    """

    path: Path
    what: What
    title: str
    kind: str


class Curves(NamedTuple):
    """A result file, ready to draw.

    Args:
        result: as it was written.
        points: columns series, x, y, low, high.
        fits: columns series, x, y, formula.
        published: curves printed for this kind of experiment.
    """

    result: LabResult
    points: pd.DataFrame
    fits: pd.DataFrame
    published: tuple[PublishedCurve, ...]


class Benchmark(NamedTuple):
    """The `--json` output of a benchmark.

    Args:
        goals: columns goal, value, promised, verdict (`met` or `MISSED`).
        met: goals that are.
        figures: columns case, setting, figure, value, low, high, of: the median of so many repeats with the least and
            the greatest, or an estimate from so many people with its 95% interval.
        machine: one line.
    """

    goals: pd.DataFrame
    met: int
    figures: pd.DataFrame
    machine: str


def result_files(root: Path) -> list[Path]:
    """Every file below a folder that may be a result: `*.result.json` and other JSON, the newest first.

    Runs and stores are not searched, links not followed, hidden folders not entered.
    """
    files = sorted(_json_files(root, DEPTH), key=lambda found: (-found[0], found[1]))
    return [path for _, path in files[:MOST_FILES]]


def listed(path: Path) -> Listed:
    """What a file is, in one line; a broken one comes with its message and raises nothing."""
    try:
        value = _object(path)
        if _is_benchmark(value):
            return Listed(path, "benchmark", path.stem, "")
        result = LabResult.of(value, path.name)
    except LabError as error:
        return Listed(path, "unreadable", str(error), "")
    return Listed(path, "result", result.title, result.kind)


def listings(paths: Sequence[Path]) -> list[Listed]:
    """`listed` for each file."""
    return [listed(path) for path in paths]


def curves(path: Path) -> Curves:
    """Read a result file.

    Raises:
        LabError: it is none, or damaged; names the key.
    """
    result = LabResult.of(_object(path), path.name)
    none = [None]
    points = pd.concat(
        [
            pd.DataFrame(
                {
                    "series": s.name,
                    "x": s.x,
                    "y": s.y,
                    "low": s.low or none * len(s.x),
                    "high": s.high or none * len(s.x),
                }
            ).astype({"x": float, "y": float, "low": float, "high": float})
            for s in result.series
        ],
        ignore_index=True,
    )
    fits = [_fitted(fit, points.loc[points["series"] == fit.series, "x"], result) for fit in result.fits]
    empty = pd.DataFrame({"series": [], "x": [], "y": [], "formula": []})
    return Curves(
        result,
        points,
        pd.concat(fits, ignore_index=True) if fits else empty,
        PUBLISHED_CURVES.get(result.kind, ()),
    )


def benchmark(path: Path) -> Benchmark:
    """Read the output of `python -m benchmarks.NAME --json`.

    Raises:
        LabError: it is none, or damaged.
    """
    value = _object(path)
    try:
        goals = [(g["name"], float(g["value"]), float(g["goal"]), _verdict(g["met"])) for g in value["goals"]]
        figures = [
            (str(case["name"]), _line(case["setting"]), str(name), *_figure(f))
            for case in value["cases"]
            for name, f in case["figures"].items()
        ]
        machine = _line(value["machine"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LabError(
            f"{path.name}: looks like the output of a benchmark, but is damaged ({error!r}). Make it again: "
            "python -m benchmarks.NAME --json"
        ) from error
    return Benchmark(
        pd.DataFrame(goals, columns=["goal", "value", "promised", "verdict"]),
        sum(verdict == "met" for *_, verdict in goals),
        pd.DataFrame(figures, columns=["case", "setting", "figure", "value", "low", "high", "of"]),
        machine,
    )


def _figure(figure: Mapping[str, Any]) -> tuple[float, float, float, str]:
    """Value, ends, and what they are of; null, for what has no value, is NaN."""
    value, of = ("value", "people") if "people" in figure else ("median", "repeats")
    middle, low, high = (
        math.nan if figure[key] is None else float(figure[key]) for key in (value, "low", "high")
    )
    return middle, low, high, f"{int(figure[of])} {of}"


def _verdict(met: object) -> str:
    return "met" if met is True else "MISSED"


def _line(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items() if value is not None)


def _fitted(fit: Fit, x: pd.Series[float], result: LabResult) -> pd.DataFrame:
    """The fitted curve over the range of its series."""
    spread = np.geomspace if result.x.log else np.linspace
    grid = spread(x.min(), x.max(), _FIT_POINTS)
    term = "ln x" if fit.form == "log" else "x"
    known = "" if fit.r_squared is None else f", R² {fit.r_squared:.3f}"
    return pd.DataFrame(
        {
            "series": fit.series,
            "x": grid,
            "y": [fit.at(float(value)) for value in grid],
            "formula": f"{fit.intercept:.4g} {fit.slope:+.4g} {term}{known}",
        }
    )


def _is_benchmark(value: Mapping[str, Any]) -> bool:
    return MARK not in value and value.keys() >= _BENCHMARK_KEYS


def _object(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise LabError(f"{path.name}: is larger than {MOST_BYTES:,} bytes; a result file is a summary")
        value = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise LabError(f"{path.name}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise LabError(f"{path.name}: no JSON, or half-written ({error})") from error
    if not isinstance(value, dict) or not (MARK in value or _is_benchmark(value)):
        raise LabError(
            f"{path.name}: neither a result file (a JSON object with `{MARK}`) nor a benchmark's --json output"
        )
    return value


def _json_files(folder: Path, depth: int) -> Iterator[tuple[int, Path]]:
    """Time and path of the JSON files at or below a folder."""
    try:
        entries = list(os.scandir(folder))
    except (PermissionError, FileNotFoundError, NotADirectoryError):
        return  # nothing that this user may see, or gone meanwhile
    if any(entry.name in _NOT_LAB for entry in entries):
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth:
                yield from _json_files(Path(entry.path), depth - 1)
        elif entry.name.endswith(".json") and entry.is_file(follow_symlinks=False):
            yield entry.stat(follow_symlinks=False).st_mtime_ns, Path(entry.path)
