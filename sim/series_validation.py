"""Validation against a real series: every method on the same steps after the cut, with the same measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from agents.opinion.events import expected_next, fit_events, moments, nearest
from agents.opinion.models import MODELS, model_named
from metrics.series.attitudes import SeriesAgreement, agreement
from metrics.series.prediction import prediction_score
from metrics.series.published import SOURCE, published_frame
from sim.progress import Silent, Watcher
from sim.rng import generator
from sim.run_dir import RunDir
from sim.series_forecasts import Forecast, Meetings, baselines, meetings_of, model_forecasts
from sim.series_input import Shares, Statements
from sim.series_panel import Panel, panel_of
from sim.series_run import run_forecasts

_AGREEMENT = [name for name in SeriesAgreement.__dataclass_fields__ if name != "steps"]


@dataclass(frozen=True, eq=False)
class Validation:
    """What came of it.

    Args:
        source: the file of the real series.
        panel: the real series on its grid, cut in two.
        forecasts: every method.
        table: a row for the real series and for each method: method, kind, runs, `SeriesAgreement`'s measures
            averaged over the runs that have them, train_loss, parameters.
        next_opinion: a row a method: accuracy, macro_f1 and mae of the next stated class; empty without classes.
        meetings: the rule behind the series where everybody speaks at every step, else None.
    """

    source: str
    panel: Panel
    forecasts: tuple[Forecast, ...]
    table: pd.DataFrame
    next_opinion: pd.DataFrame
    meetings: Meetings | None

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        panel = self.panel
        return {
            "source": self.source,
            "people": None if panel.people is None else panel.people.shape[1],
            "steps": len(panel.times) - 1,
            "train_steps": panel.cut,
            "table": self.table.to_dict("records"),
            "per_step": per_step(self).to_dict("records"),
            "next_opinion": self.next_opinion.to_dict("records"),
            "meetings": None if self.meetings is None else asdict(self.meetings),
            "published": {"source": SOURCE, "rows": published_frame().to_dict("records")},
        }


def validate_series(
    series: Statements | Shares,
    *,
    run: RunDir | None = None,
    models: Sequence[str] = tuple(MODELS),
    steps: int = 40,
    train: float = 0.7,
    seed: int = 0,
    watcher: Watcher | None = None,
) -> Validation:
    """Hold baselines, opinion models and a run against a real series.

    Args:
        series: as read by `read_series`.
        run: its finished cells are held against the series too.
        models: names of opinion models; none are fine.
        steps: intervals of the grid of time.
        train: share of the steps, and of the time, to learn from.
        seed: of fits and forecasts.
        watcher: told of progress.

    Raises:
        SeriesError: too little data, or a run without a finished cell.
        OpinionError: an unknown model.
    """
    watcher = watcher or Silent()
    for name in models:
        model_named(name)
    panel = panel_of(series, steps=steps, train=train)
    forecasts = baselines(panel)
    forecasts += run_forecasts(run, panel.test_steps) if run else []
    forecasts += model_forecasts(panel, models, seed, watcher)
    until = float(panel.times[panel.cut])
    rows = [_real_row(panel), *(_row(forecast, panel) for forecast in forecasts)]
    return Validation(
        source=series.source,
        panel=panel,
        forecasts=tuple(forecasts),
        table=pd.DataFrame(rows, columns=["method", "kind", "runs", *_AGREEMENT, "train_loss", "parameters"]),
        next_opinion=_next_opinion(series, models, until, seed),
        meetings=_meetings(series, until, seed),
    )


def per_step(validation: Validation) -> pd.DataFrame:
    """Columns time, method, bias, diversity, delta_bias, delta_diversity: after the cut, mean over runs."""
    panel = validation.panel
    times, real = panel.times[panel.cut + 1 :], panel.test
    parts = [pd.DataFrame({"time": times, "method": "real", "bias": real.bias, "diversity": real.diversity})]
    for forecast in validation.forecasts:
        bias = np.array([run.bias for run in forecast.runs])
        diversity = np.array([run.diversity for run in forecast.runs])
        columns = {
            "time": times,
            "method": forecast.method,
            "bias": bias.mean(axis=0),
            "diversity": diversity.mean(axis=0),
            "delta_bias": np.abs(bias - real.bias).mean(axis=0),
            "delta_diversity": np.abs(diversity - real.diversity).mean(axis=0),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _real_row(panel: Panel) -> dict[str, object]:
    alone = agreement(panel.test, panel.test)
    means = {"bias": alone.bias, "diversity": alone.diversity}
    return {"method": "real", "kind": "real", "runs": 1, **means, "parameters": {}}


def _row(forecast: Forecast, panel: Panel) -> dict[str, object]:
    values = pd.DataFrame([asdict(agreement(run, panel.test)) for run in forecast.runs])[_AGREEMENT].mean()
    return {
        "method": forecast.method,
        "kind": forecast.kind,
        "runs": len(forecast.runs),
        **{name: values[name] for name in _AGREEMENT},
        "train_loss": forecast.loss,
        "parameters": forecast.parameters,
    }


def _next_opinion(
    series: Statements | Shares, models: Sequence[str], until: float, seed: int
) -> pd.DataFrame:
    """What each person states next, told from everything said before; fitted on what was said until the cut."""
    columns = ["method", "n", "accuracy", "macro_f1", "mae", "parameters"]
    if isinstance(series, Shares) or len(series.classes) < 2:
        return pd.DataFrame(columns=columns)
    frame = series.frame
    known = moments(frame, series.classes)
    early = frame["time"].to_numpy()[known.row] <= until
    learned, judged = known.where(early), known.where(~early)
    if not (len(learned) and len(judged)):
        return pd.DataFrame(columns=columns)
    usual = int(np.bincount(learned.told).argmax())
    guesses: dict[str, tuple[Any, dict[str, float]]] = {
        "own last": (judged.own, {}),
        "own most frequent": (judged.usual, {}),
        "constant": (np.full(len(judged), usual), {}),
    }
    for name in models:
        fit = fit_events(model_named(name), learned, generator(seed, "next opinion", name))
        guesses[name] = (nearest(expected_next(fit.model, judged), judged.scale), fit.parameters)
    rows = [
        {
            "method": name,
            **asdict(prediction_score(judged.told, guess, judged.scale)),
            "parameters": parameters,
        }
        for name, (guess, parameters) in guesses.items()
    ]
    return pd.DataFrame(rows, columns=columns)


def _meetings(series: Statements | Shares, until: float, seed: int) -> Meetings | None:
    """Only where stances are numbers and everybody has one at every time."""
    if isinstance(series, Shares) or series.classes:
        return None
    counts = series.frame.groupby("time")["user"].agg(["size", "nunique"])
    everybody = series.frame["user"].nunique()
    if len(counts) < 10 or not (counts == everybody).all(axis=None):
        return None
    table = series.frame.pivot_table(index="time", columns="user", values="value")
    return meetings_of(table.to_numpy(), int((table.index <= until).sum()) - 1, seed)
