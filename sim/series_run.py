"""A run's group opinion on the time axis of a real series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.series.attitudes import GroupSeries, group_series
from sim.errors import SeriesError
from sim.run_dir import RunDir
from sim.series_forecasts import Forecast


def run_forecasts(run: RunDir, test_steps: int) -> list[Forecast]:
    """Every condition and size of a run, its seeds as repeats.

    Rule of alignment: the run's step 0 lies at the cut and its last step at the end of the real series, evenly
    between; values at grid points are interpolated linearly. Steps at which no agent has a stance yet (step 0,
    unless seeds count) have no value.

    Raises:
        SeriesError: no finished cell.
    """
    by_condition: dict[str, list[GroupSeries]] = {}
    sizes = run.scenario.population.size
    for cell in run.cells():
        if cell.done:
            size = "" if len(sizes) == 1 else f" (N={cell.key.size})"
            name = f"run: {cell.key.condition}{size}"
            table = cell.read_stance().pivot_table(
                index="step", columns="user_id", values="stance", dropna=False
            )
            series = group_series(table.to_numpy(dtype=np.float64))
            by_condition.setdefault(name, []).append(aligned(series, test_steps))
    if not by_condition:
        raise SeriesError(f"{run.path}: no finished cell to validate. Finish it: plures run … --resume")
    return [Forecast(name, "run", tuple(runs), {}, float("nan")) for name, runs in by_condition.items()]


def aligned(series: GroupSeries, steps: int) -> GroupSeries:
    """A series of any length at grid points 1 … `steps`, its first step at grid point 0, its last at `steps`."""
    at = np.arange(1, steps + 1) / steps * (len(series) - 1)
    return GroupSeries(_at(series.bias, at), _at(series.diversity, at))


def _at(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.full(len(at), np.nan)
    interpolated: NDArray[np.float64] = np.interp(at, known, values[known], left=np.nan)
    return interpolated
