"""The report: one HTML file that needs nothing else, for people who want the answer and its grounds."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from metrics.catalogue import CATALOGUE
from metrics.failures import failure_summary
from sim.atomic import write_text
from sim.attention import engagement_tails, post_attention
from sim.comparison import compare_run
from sim.figures import (
    Captioned,
    lorenz_figure,
    own_ratios,
    ratio_figure,
    series_figure,
    stance_bands_figure,
    stance_figure,
)
from sim.measuring import FAILURE_COLUMNS, failure_view
from sim.numbers import counted, number
from sim.report_tables import contrasts, outcomes, published, shared, tails
from sim.run_dir import RunDir


def write_report(run: RunDir) -> Path:
    """Write `report.html` from whatever cells are finished, and return its path."""
    template = files("sim").joinpath("templates/report.html").read_text("utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(template)
    write_text(run.report_file, page.render(**_content(run)))
    return run.report_file


def _content(run: RunDir) -> dict[str, Any]:
    from plotly.offline import get_plotlyjs

    manifest, compared = run.manifest, compare_run(run)
    finished = [cell for cell in run.cells() if cell.done]
    attention = post_attention(run)
    figures = _figures(run, compared, attention) if finished else []
    return {
        "scenario": run.scenario,
        "manifest": manifest,
        "state": run.state,
        "done": len(finished),
        "cells": len(run.cells()),
        "contrasts": contrasts(compared),
        "published": published(compared),
        "tails": tails(engagement_tails(attention)),
        "failures": _failures(run),
        "catalogue": list(CATALOGUE.values()),
        "figures": [
            {"caption": f.caption, "html": Markup(f.figure.to_html(full_html=False, include_plotlyjs=False))}
            for f in figures
        ],
        "plotly": Markup(get_plotlyjs()) if figures else "",
        "timings": run.read_timings(),
        "usage": run.read_usage(),
        "shared": shared(run.scenario.conditions),
        "size": run.finished_size,
        "number": number,
        "counted": counted,
    }


def _figures(run: RunDir, compared: pd.DataFrame, attention: pd.DataFrame) -> list[Captioned]:
    figures = [series_figure(run)]
    if len(ratios := own_ratios(run, compared)):
        figures.append(ratio_figure(ratios))
    figures += [stance_figure(run), stance_bands_figure(run)]
    if attention["likes"].any():
        figures.append(lorenz_figure(run, attention))
    return figures


def _failures(run: RunDir) -> list[dict[str, str]]:
    summaries = []
    for condition in run.scenario.conditions:
        ledgers = [
            cell.ledger.read(FAILURE_COLUMNS)
            for cell in run.cells()
            if cell.done and cell.key.condition == condition
        ]
        if asked := [ledger for ledger in ledgers if len(ledger)]:
            view = failure_view(pd.concat(asked, ignore_index=True))
            summaries.append((condition, failure_summary(view)))
    return outcomes(summaries)
