"""What `plures text` leaves in a run's folder, and the comparison of conditions."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from metrics.text.catalogue import TEXT_MEASURES
from sim.atomic import write_text
from sim.comparison import contrasts, paired
from sim.numbers import number
from sim.run_dir import RunDir, write_frame
from sim.text_figures import authorship_figure, diversity_figure, drift_figure
from sim.text_measures import REAL, TextMeasures

VALUES_FILE, ESTIMATES_FILE, PAGE_FILE = "text_metrics.parquet", "text_estimates.parquet", "text.html"


def write_text_results(run: RunDir, measures: TextMeasures) -> Path:
    """Write `text_metrics.parquet`, `text_estimates.parquet` and `text.html`; return the page's path."""
    write_frame(measures.by_cell, run.path / VALUES_FILE)
    write_frame(measures.estimates, run.path / ESTIMATES_FILE)
    page = run.path / PAGE_FILE
    write_text(page, _page(run, measures))
    return page


def whole_run(values: pd.DataFrame) -> pd.DataFrame:
    """The rows that are not of a single step, without that column."""
    return values[values["step"].isna()].drop(columns="step")


def compare_texts(run: RunDir, measures: TextMeasures) -> pd.DataFrame:
    """Paired differences over seeds: the scenario's contrasts, and its treatment against real posts.

    Returns:
        As `sim.comparison.paired`, without rows that have no pair.
    """
    pairs = [*contrasts(run), (run.scenario.compare.treatment, REAL)]
    table = paired(whole_run(measures.by_cell), pairs, "text bootstrap", ratio_metrics=())
    return table[table["n_seeds"] > 0].reset_index(drop=True) if len(table) else table


def shown_contrast(run: RunDir, compared: pd.DataFrame) -> tuple[str, str]:
    """The one contrast for a table that has room for one: the scenario's own, against `real` if its control is mute.

    Args:
        run: for its scenario.
        compared: of `compare_texts`.
    """
    treatment, control = run.scenario.compare.treatment, run.scenario.compare.control
    return treatment, control if control in set(compared["control_condition"]) else REAL


def means_by_condition(measures: TextMeasures, size: int) -> pd.DataFrame:
    """Mean over seeds: metrics in the order of the catalogue, conditions in that of the run, `real` last."""
    values = whole_run(measures.by_cell)
    values = values[values["n"] == size]
    table = values.groupby(["metric", "condition"])["value"].mean().unstack()  # noqa: PD010 - nothing to average
    conditions = [c for c in values["condition"].unique() if c != REAL]
    return table.reindex(index=[m for m in TEXT_MEASURES if m in table.index], columns=[*conditions, REAL])


def _page(run: RunDir, measures: TextMeasures) -> str:
    from plotly.offline import get_plotlyjs

    template = files("sim").joinpath("templates/text.html").read_text("utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(template)
    shown = set(measures.by_cell["metric"])
    return page.render(
        scenario=run.scenario,
        toy=run.manifest["base"]["toy"],
        base=run.manifest["base"]["name"],
        societies=[_society(measures, int(size)) for size in measures.by_cell["n"].unique()],
        catalogue=[measure for measure in TEXT_MEASURES.values() if measure.id in shown],
        plotly=Markup(get_plotlyjs()),
    )


def _society(measures: TextMeasures, size: int) -> dict[str, Any]:
    figures = (
        authorship_figure(measures, size),
        diversity_figure(measures, size),
        drift_figure(measures, size),
    )
    means = means_by_condition(measures, size)
    return {
        "size": size,
        "figures": [
            {"caption": f.caption, "html": Markup(f.figure.to_html(full_html=False, include_plotlyjs=False))}
            for f in figures
        ],
        "conditions": list(means.columns),
        "rows": [
            {
                "label": TEXT_MEASURES[str(metric)].label,
                "definition": TEXT_MEASURES[str(metric)].definition,
                "cells": [number(value) for value in row],
            }
            for metric, row in zip(means.index, means.to_numpy(), strict=True)
        ],
    }
