"""Forecasts of a real series after its cut: fitted opinion models, and the baselines that they must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.opinion.fitting import fit_series
from agents.opinion.meetings import LEAST_CHANGES, MeetingFit, fit_meetings, usable_changes
from agents.opinion.models import model_named
from agents.opinion.neighbours import Neighbours
from agents.opinion.regimes import Regime, regime
from agents.opinion.stochastic_bounded_confidence import PULLS
from agents.opinion.trajectory import everybody, simulate
from metrics.series.attitudes import GroupSeries, group_series
from sim.progress import Watcher
from sim.rng import generator
from sim.series_panel import Panel

REPEATS = 5
"""Forecasts of a model that draws chance; its figures are means over them."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """What one method says about the steps after the cut.

    Args:
        method: its name.
        kind: `baseline`, `model` or `run`.
        runs: the same forecast under other chance, or the seeds of a run; at least one.
        parameters: as fitted; empty where there are none.
        loss: of the fit on the training part; NaN where nothing was fitted.
    """

    method: str
    kind: str
    runs: tuple[GroupSeries, ...]
    parameters: dict[str, float]
    loss: float


@dataclass(frozen=True, slots=True)
class Meetings:
    """The rule behind a series in which everybody speaks at every step.

    Args:
        fits: one for each pull, the likelier first.
        regime: of the likelier rule, simulated from the first step to the last.
        real_regime: of the series itself.
        spread: standard deviation at the end, simulated.
        real_spread: the same, real.
    """

    fits: tuple[MeetingFit, ...]
    regime: Regime
    real_regime: Regime
    spread: float
    real_spread: float


def baselines(panel: Panel) -> list[Forecast]:
    """What needs no model: the last value stays, or the mean of the training part does."""
    part = slice(0, panel.cut + 1)
    real, steps = panel.real, panel.test_steps
    flat = {
        "last value": (real.bias[panel.cut], real.diversity[panel.cut]),
        "constant": (real.bias[part].mean(), real.diversity[part].mean()),
    }
    return [
        Forecast(name, "baseline", (GroupSeries(np.full(steps, b), np.full(steps, d)),), {}, float("nan"))
        for name, (b, d) in flat.items()
    ]


def model_forecasts(panel: Panel, names: Sequence[str], seed: int, watcher: Watcher) -> list[Forecast]:
    """Each model fitted from the first step to the cut, then run on from where people stood at the cut.

    Mixing is complete, since nobody knows who listened to whom; one step of the model is one of the grid. The
    opinions at the cut are the first ones of the forecast, also for Friedkin–Johnsen, who holds on to them.
    """
    kinds = {name: model_named(name) for name in names}
    task = "fitting opinion models"
    watcher.begin(task, len(kinds))
    neighbours = Neighbours.complete(len(panel.start))
    learned = _anchored(panel.real, group_series(panel.start[None, :]), 0)
    forecasts = []
    for done, (name, kind) in enumerate(kinds.items(), start=1):
        fit = fit_series(
            kind,
            panel.start,
            learned.bias[: panel.cut + 1],
            learned.diversity[: panel.cut + 1],
            neighbours,
            generator(seed, "series fit", name),
        )
        schedule = everybody(panel.test_steps, len(panel.start))
        runs = []
        for repeat in range(REPEATS if kind.RANDOM else 1):
            rng = generator(seed, "series forecast", repeat)
            path = simulate(fit.model, panel.at_cut, neighbours, schedule, rng)
            forecast = _anchored(group_series(path), panel.real, panel.cut)
            runs.append(GroupSeries(forecast.bias[1:], forecast.diversity[1:]))
        forecasts.append(Forecast(name, "model", tuple(runs), fit.parameters, fit.loss))
        watcher.advance(task, done, name)
    return forecasts


def _anchored(series: GroupSeries, at: GroupSeries, place: int) -> GroupSeries:
    """A series moved so that it begins where another stands at a place."""
    return GroupSeries(
        np.clip(series.bias + (at.bias[place] - series.bias[0]), -1.0, 1.0),
        np.clip(series.diversity + (at.diversity[place] - series.diversity[0]), 0.0, 1.0),
    )


def meetings_of(path: NDArray[np.float64], cut: int, seed: int) -> Meetings | None:
    """Fit one-to-one meetings on the steps up to the cut, and simulate the likelier rule from start to end.

    None where there is no rule to find: all begin alike, or hardly anybody changes up to the cut.

    Args:
        path: [T + 1, N], everybody at every step.
        cut: last step to learn from.
        seed: of the simulation, and of the choice of changes to fit.
    """
    learned = path[: cut + 1]
    if not path[0].std() or usable_changes(learned).sum() < LEAST_CHANGES:
        return None
    fits = [fit_meetings(learned, generator(seed, "series meetings"), pull=pull) for pull in PULLS]
    fits.sort(key=lambda fit: -fit.log_likelihood)
    best = fits[0]
    rng = generator(seed, "series meetings simulation")
    schedule = rng.random((len(path) - 1, path.shape[1])) < best.active
    simulated = simulate(best.model, path[0], Neighbours.complete(path.shape[1]), schedule, rng)
    return Meetings(
        tuple(fits),
        regime(simulated),
        regime(path),
        float(simulated[-1].std()),
        float(path[-1].std()),
    )
