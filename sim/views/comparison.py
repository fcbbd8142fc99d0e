"""The conditions of a run beside each other: measures over steps, population sizes or seeds, with bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from metrics.catalogue import CATALOGUE
from metrics.published import published_frame
from metrics.rounding import differences
from metrics.seed_bands import BAND_COLUMNS, seed_bands
from sim.comparison import contrasts
from sim.numbers import counted, interval, number
from sim.run_dir import RunDir
from sim.views.plotted import Plotted

Axis = Literal["step", "N", "seed"]
"""What a measure is drawn over."""
Shown = Literal["values", "differences"]
"""Each condition's values, or paired differences of conditions."""

SERIES_COLUMNS = ["metric", "line", "x", "change", *BAND_COLUMNS]
PUBLISHED_LINE = "lora as published"
NOTHING = "Nothing to show yet: no finished cell, or no finished pair of cells, has a value here."
CONFIDENCE = "95% interval (Student's t over seeds)"


def measured(runs: Sequence[RunDir]) -> dict[str, list[str]]:
    """Metrics that have a value in a finished cell of every run, by group, in the order of the catalogue."""
    there = [set(run.read_metrics().dropna(subset="value")["metric"]) for run in runs]
    groups: dict[str, list[str]] = {}
    for metric in CATALOGUE.values():
        if there and metric.id in set.intersection(*there):
            groups.setdefault(metric.group, []).append(metric.id)
    return groups


def definitions(metrics: Sequence[str]) -> pd.DataFrame:
    """What measures are, as in docs/measures.md: measure, definition, unit, larger_means, no_value_when, source."""
    return pd.DataFrame(
        {
            "measure": metric.label,
            "definition": metric.definition,
            "unit": metric.unit,
            "larger_means": metric.higher_means,
            "no_value_when": metric.nan_means,
            "source": metric.source,
        }
        for metric in (CATALOGUE[name] for name in metrics)
    )


def sizes(run: RunDir) -> list[int]:
    """Population sizes of which a cell is finished, rising."""
    return sorted({cell.key.size for cell in run.cells() if cell.done})


def series(run: RunDir, metrics: Sequence[str], axis: Axis, shown: Shown, size: int) -> Plotted:
    """Measures of each condition, with their bands over seeds.

    Args:
        run: any part of it finished.
        metrics: ids of the catalogue.
        axis: `step` draws every step; `N` and `seed` the last one, `N` with the published values beside ours.
        shown: `differences` are taken within each seed, of the contrasts of `sim.comparison.contrasts`.
        size: of the population; without meaning for the axis `N`.

    Returns:
        Columns `metric`, `line` (a condition, or two), `x`, `change` (whether these are differences), and those
        of `metrics.seed_bands.seed_bands`; metrics and lines in the order of the catalogue and the scenario. One
        seed has no interval, and so has a point of the axis `seed`.
    """
    values = run.read_metrics()
    values = values[values["metric"].isin(metrics)]
    if axis != "N":
        values = values[values["size"] == size]
    if axis != "step":
        values = values[values["step"] == run.scenario.simulation.steps]
    pairs = contrasts(run)
    if shown == "differences":
        values, lines = paired_changes(values, pairs), [_minus(*pair) for pair in pairs]
    else:
        values, lines = values.rename(columns={"condition": "line"}), list(run.scenario.conditions)
    column = {"step": "step", "N": "size", "seed": "seed"}[axis]
    frame = seed_bands(values.rename(columns={column: "x"}), ["metric", "line", "x"])
    if axis == "N" and (printed := _printed(metrics, shown, pairs)) is not None and len(frame):
        frame = pd.concat([frame, printed], ignore_index=True)
    frame = _ordered(frame.assign(change=shown == "differences"), metrics, [*lines, PUBLISHED_LINE])
    return Plotted(frame, _title(frame, metrics, axis, shown, size), _words(frame, metrics, axis))


def paired_changes(values: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Treatment minus control of every size, seed, step and metric that has both.

    Args:
        values: as `RunDir.read_metrics` gives.
        pairs: (treatment, control).

    Returns:
        Columns size, seed, step, metric, line (`treatment − control`), value.
    """
    keys = ["size", "seed", "step", "metric"]
    wide = values.set_index([*keys, "condition"])["value"].unstack()  # noqa: PD010 - nothing to average
    parts = []
    for treatment, control in pairs:
        if {treatment, control} <= set(wide.columns):
            both = wide[[treatment, control]].dropna()
            change = differences(both[treatment].to_numpy(), both[control].to_numpy())
            parts.append(
                both.index.to_frame(index=False).assign(line=_minus(treatment, control), value=change)
            )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*keys, "line", "value"])


def _printed(metrics: Sequence[str], shown: Shown, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame | None:
    """The published values of some measures as rows of a series over N; None where nothing is printed."""
    if ("lora", "shared_base") not in pairs:
        return None
    quantity = "lora" if shown == "values" else "difference"
    theirs = published_frame().dropna(subset=quantity)
    theirs = theirs[theirs["metric"].isin(metrics)]
    if theirs.empty:
        return None
    value = theirs[quantity]
    return pd.DataFrame(
        {
            "metric": theirs["metric"], "line": PUBLISHED_LINE, "x": theirs["n"], "n_seeds": 1,
            "mean": value, "low": np.nan, "high": np.nan, "least": value, "most": value,
        }
    )  # fmt: skip


def _ordered(frame: pd.DataFrame, metrics: Sequence[str], lines: Sequence[str]) -> pd.DataFrame:
    """Rows by metric and line as listed, then by x."""
    rank = {name: place for names in (metrics, lines) for place, name in enumerate(names)}
    return frame.sort_values(
        ["metric", "line", "x"],
        key=lambda column: column if column.name == "x" else column.map(rank),
        ignore_index=True,
    )[SERIES_COLUMNS]


def _title(frame: pd.DataFrame, metrics: Sequence[str], axis: Axis, shown: Shown, size: int) -> str:
    metric = CATALOGUE[metrics[0]]
    what = metric.label if len(metrics) == 1 else metric.group.capitalize()
    over = {
        "step": f"over steps, N = {size}",
        "N": "at the last step over population sizes",
        "seed": f"at the last step, seed by seed, N = {size}",
    }[axis]
    change = "" if shown == "values" else ": paired differences"
    return f"{what} {over}{change}{_behind(frame, axis)}"


def _behind(frame: pd.DataFrame, axis: Axis) -> str:
    seeds = frame.loc[frame["line"] != PUBLISHED_LINE, "n_seeds"]
    if axis == "seed" or seeds.empty:
        return ""
    least, most = int(seeds.min()), int(seeds.max())
    count = counted(most, "seed") if least == most else f"{least} to {counted(most, 'seed')}"
    return f"; mean of {count}" if most > 1 else "; one seed, so no interval"


def _words(frame: pd.DataFrame, metrics: Sequence[str], axis: Axis) -> str:
    """Where every line ends: with its interval for one measure, without for many."""
    if frame.empty:
        return NOTHING
    sentences = []
    for metric, rows in frame.groupby("metric", sort=False):
        ends = "; ".join(
            line_words(str(line), part, axis, brief=len(metrics) > 1)
            for line, part in rows.groupby("line", sort=False)
        )
        sentences.append(f"{CATALOGUE[str(metric)].label}: {ends}.")
    bands = f" Brackets: {CONFIDENCE}." if len(metrics) == 1 and frame["low"].notna().any() else ""
    return " ".join(sentences) + bands


def line_words(line: str, part: pd.DataFrame, axis: Axis, *, brief: bool) -> str:
    """One line of a series in words: its last step, or its values at every size or seed.

    Args:
        line: its name.
        part: its rows, of one metric.
        axis: what `x` is.
        brief: without intervals, and a single value or range.
    """
    signed = bool(part["change"].any()) or CATALOGUE[str(part["metric"].iloc[0])].low < 0
    last = part.iloc[-1]
    if axis == "step":
        return f"{line} ends at {_value(last, signed=signed, bare=brief)}"
    if brief and axis == "seed":
        ends = (number(end, signed=signed) for end in (part["least"].min(), part["most"].max()))
        return f"{line} {' to '.join(ends)} over {counted(len(part), 'seed')}"
    shown = part.tail(1) if brief else part
    points = [f"{_value(row, signed=signed, bare=brief)} at {axis} {row['x']}" for _, row in shown.iterrows()]
    return f"{line} {', '.join(points)}"


def _value(row: pd.Series[Any], *, signed: bool, bare: bool) -> str:
    mean = number(row["mean"], signed=signed)
    return mean if bare or pd.isna(row["low"]) else f"{mean} {interval(row['low'], row['high'])}"


def _minus(treatment: str, control: str) -> str:
    return f"{treatment} − {control}"
