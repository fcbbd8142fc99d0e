"""Figures of a run's texts; conditions differ by marker and dash, not by hue alone."""

from __future__ import annotations

from typing import Any

import pandas as pd
from plotly.subplots import make_subplots

from metrics.text.catalogue import TEXT_MEASURES
from sim.figure_style import GREY, STYLE, colour, dash, marker
from sim.figures import Captioned
from sim.text_measures import REAL, TextMeasures

_LEGEND = {"orientation": "h", "y": 1, "yanchor": "top", "yref": "container"}

DIVERSITY = (
    "distinct_2", "self_bleu", "compression_ratio", "vendi_score",
    "distance_within", "distance_between", "words_per_text", "training_run",
)  # fmt: skip
LEVELS = {
    "distance_own": "from own real posts",
    "distance_relative": "the same, less that from others'",
    "distance_first": "from own first texts",
}
_SPACES = {"characters": "distance in characters", "embedding": "distance in meaning"}


def authorship_figure(measures: TextMeasures, size: int) -> Captioned:
    """How often texts reveal the person whom the agent plays, and the adapter's owner, against chance."""
    rows = measures.estimates[measures.estimates["n"] == size]
    titles = ("from one text", "from the whole tail")
    figure = make_subplots(1, 2, subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.04)
    for column, part in enumerate(("post", "tail"), start=1):
        for place, top in enumerate(("top1", "top5")):
            found = rows[rows["metric"].str.endswith(f"{top}_{part}")]
            figure.add_scatter(
                x=[_bearer(row) for row in found.to_dict("records")],
                y=found["value"],
                mode="markers",
                name={"top1": "first of all", "top5": "among the first five"}[top],
                legendgroup=top,
                showlegend=column == 1,
                marker={"symbol": marker(place), "size": 10, "color": colour(place)},
                error_y={
                    "type": "data", "symmetric": False,
                    "array": found["high"] - found["value"], "arrayminus": found["value"] - found["low"],
                },
                row=1, col=column,
            )  # fmt: skip
            if len(found):
                figure.add_hline(
                    y=float(found["chance"].iloc[0]),
                    line_dash="dot",
                    line_color=colour(place),
                    row=1,
                    col=column,
                )
    figure.update_yaxes(range=[-0.03, 1.03])
    figure.update_yaxes(title_text="share of people", col=1)
    figure.update_layout(height=400, **STYLE, legend=_LEGEND, margin={"t": 80, "b": 60})
    return Captioned(
        figure,
        f"How often a classifier of the real training posts names the right person, N = {size}, with 95% intervals "
        "over people; dotted: chance. “real” is the same of real held-out posts, as many as agents wrote.",
    )


def diversity_figure(measures: TextMeasures, size: int) -> Captioned:
    """Diversity by condition, one dot for each seed."""
    values = _whole_run(measures.by_cell, size)
    metrics = [metric for metric in DIVERSITY if metric in set(values["metric"])]
    columns = 4
    rows = -(-len(metrics) // columns)
    titles = [TEXT_MEASURES[metric].label for metric in metrics]
    figure = make_subplots(
        rows, columns, subplot_titles=titles, vertical_spacing=0.22, horizontal_spacing=0.06
    )
    for index, metric in enumerate(metrics):
        of_metric = values[values["metric"] == metric]
        for place, (condition, dots) in enumerate(of_metric.groupby("condition", sort=False)):
            figure.add_scatter(
                x=dots["condition"], y=dots["value"], mode="markers", name=str(condition), showlegend=False,
                marker={"size": 8, **_marker(str(condition), place)},
                row=index // columns + 1, col=index % columns + 1,
            )  # fmt: skip
    figure.update_layout(height=260 * rows + 60, **STYLE, margin={"t": 50, "b": 60})
    return Captioned(
        figure,
        f"Diversity, length and copying, N = {size}: a dot for each seed. Distinct-2, self-BLEU, compression and the "
        "Vendi score are of equal amounts of text in all conditions.",
    )


def drift_figure(measures: TextMeasures, size: int) -> Captioned:
    """Distances from real and first texts over steps, mean over seeds; real posts as a line."""
    all_values = measures.by_cell[measures.by_cell["n"] == size]
    by_step = all_values[all_values["step"].notna()]
    whole = _whole_run(all_values, size)
    spaces = [space for space in _SPACES if f"distance_own_{space}" in set(by_step["metric"])]
    titles = [title for _ in spaces for title in LEVELS.values()]
    figure = make_subplots(
        len(spaces), 3, subplot_titles=titles, vertical_spacing=0.14, horizontal_spacing=0.07
    )
    for row, space in enumerate(spaces, start=1):
        for column, level in enumerate(LEVELS, start=1):
            where = {"row": row, "col": column}
            rows = by_step[by_step["metric"] == f"{level}_{space}"]
            for place, (condition, lines) in enumerate(rows.groupby("condition", sort=False)):
                line = lines.groupby("step")["value"].mean()
                figure.add_scatter(
                    x=line.index.astype(int), y=line, mode="lines+markers", name=str(condition),
                    legendgroup=str(condition), showlegend=row == column == 1,
                    line={"color": colour(place), "dash": dash(place)},
                    marker={"symbol": marker(place), "size": 5}, **where,
                )  # fmt: skip
            real = whole[(whole["condition"] == REAL) & (whole["metric"] == f"{level}_{space}")]["value"]
            if len(real):
                figure.add_hline(y=float(real.iloc[0]), line_dash="dot", line_color=GREY, **where)
        figure.update_yaxes(title_text=_SPACES[space], row=row, col=1)
    figure.update_xaxes(title_text="step", row=len(spaces))
    figure.update_layout(
        height=290 * len(spaces) + 60,
        **STYLE,
        margin={"t": 90, "b": 40},
        legend=_LEGEND,
    )
    return Captioned(
        figure,
        f"Cosine distance of what agents write from their own real posts, the same less that from others' posts, and "
        f"from their own first texts, N = {size}, mean over texts and seeds; dotted grey: held-out real posts.",
    )


def _whole_run(values: pd.DataFrame, size: int) -> pd.DataFrame:
    return values[(values["n"] == size) & values["step"].isna()]


def _bearer(row: dict[Any, Any]) -> str:
    return (
        f"{row['condition']}<br>(adapter's owner)"
        if row["metric"].startswith("owner")
        else str(row["condition"])
    )


def _marker(condition: str, place: int) -> dict[str, str]:
    if condition == REAL:
        return {"color": GREY, "symbol": "star"}
    return {"color": colour(place), "symbol": marker(place)}
