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
from metrics.published import published_frame
from sim.atomic import write_text
from sim.comparison import CONTRAST_COLUMNS, compare_run
from sim.figures import ratio_figure, series_figure, stance_figure
from sim.measuring import FAILURE_COLUMNS, failure_view
from sim.numbers import interval, number
from sim.run_dir import RunDir

Row = dict[str, str]


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
    figures = []
    if finished:
        figures = [series_figure(run), stance_figure(run)]
        if not compared.empty:
            figures.insert(1, ratio_figure(run, compared))
    return {
        "scenario": run.scenario,
        "manifest": manifest,
        "state": run.state,
        "done": len(finished),
        "cells": len(run.cells()),
        "contrasts": _contrasts(compared),
        "published": _published(compared),
        "failures": _failures(run),
        "catalogue": list(CATALOGUE.values()),
        "figures": [
            {"caption": f.caption, "html": Markup(f.figure.to_html(full_html=False, include_plotlyjs=False))}
            for f in figures
        ],
        "plotly": Markup(get_plotlyjs()) if figures else "",
        "timings": run.read_timings(),
        "usage": run.read_usage(),
        "number": number,
    }


def _contrasts(compared: pd.DataFrame) -> list[dict[str, Any]]:
    """One table for each pair of conditions and size."""
    tables = []
    for keys, rows in compared.groupby([*CONTRAST_COLUMNS, "n"], sort=False):
        treatment, control, n = keys if isinstance(keys, tuple) else (keys,)
        tables.append(
            {
                "treatment": treatment,
                "control": control,
                "n": n,
                "rows": [_comparison_row(row) for row in rows.to_dict("records")],
                "notes": _notes(rows),
            }
        )
    return tables


def _notes(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Each remark once, with the measures it is about."""
    notes: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        if row["note"]:
            notes.setdefault(row["note"], []).append(CATALOGUE[row["metric"]].label)
    return {note: ["all measures"] if len(labels) == len(rows) else labels for note, labels in notes.items()}


def _comparison_row(row: dict[Any, Any]) -> Row:
    return {
        "label": CATALOGUE[row["metric"]].label,
        "definition": CATALOGUE[row["metric"]].definition,
        "treatment": number(row["treatment"]),
        "control": number(row["control"]),
        "difference": number(row["difference"], signed=True),
        "interval": interval(row["low"], row["high"]),
        "ratio": number(row["ratio"]),
        "ratio_interval": interval(row["ratio_low"], row["ratio_high"]),
        "p": number(row["p_value"]),
        "seeds": str(row["n_seeds"]),
        "clear": "yes" if row["low"] > 0 or row["high"] < 0 else "",
    }


def _published(compared: pd.DataFrame) -> list[Row]:
    """The paper's rows beside ours of the contrast LoRA against the shared base."""
    if compared.empty:
        return []
    pair = (compared["treatment_condition"] == "lora") & (compared["control_condition"] == "shared_base")
    rows: list[Row] = []
    for metric, theirs in published_frame().groupby("metric", sort=False):
        ours = compared[pair & (compared["metric"] == metric)]
        rows += [
            {
                "label": CATALOGUE[str(metric)].label,
                "n": str(row["n"]),
                "lora": number(row["treatment"]),
                "difference": f"{number(row['difference'], signed=True)} {interval(row['low'], row['high'])}",
                "ratio": number(row["ratio"]),
                "paper_lora": _three(theirs["lora"]),
                "paper_difference": _three(theirs["difference"], signed=True),
                "paper_ratio": _three(theirs["ratio"]),
            }
            for row in ours.to_dict("records")
        ]
    return rows


def _three(values: pd.Series[float], *, signed: bool = False) -> str:
    return " / ".join(number(v, signed=signed) for v in values) if values.notna().any() else "–"


def _failures(run: RunDir) -> list[Row]:
    rows: list[Row] = []
    for condition in run.scenario.conditions:
        ledgers = [
            failure_view(cell.ledger.read(FAILURE_COLUMNS))
            for cell in run.cells()
            if cell.done and cell.key.condition == condition
        ]
        if ledgers:
            summary = failure_summary(pd.concat(ledgers, ignore_index=True))
            rows += [
                {
                    "condition": condition,
                    "outcome": r["value"],
                    "count": str(r["count"]),
                    "rate": f"{r['rate']:.2%}",
                }
                for r in summary[summary["field"] == "outcome"].to_dict("records")
            ]
    return rows
