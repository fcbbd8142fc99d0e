"""Figures of a run, as plotly objects; conditions differ by dash and marker, not by hue alone."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from metrics.attention import lorenz_curve
from metrics.cascade import gini
from metrics.catalogue import CATALOGUE
from sim.comparison import CONTRAST_COLUMNS
from sim.figure_style import STYLE, colour, dash, marker
from sim.figure_traces import add_fill, add_line
from sim.run_dir import RunDir
from sim.views.stance import stances

SERIES_METRICS = (
    "polarization_distance",
    "stance_std_positive",
    "stance_std_negative",
    "effective_communities",
    "co_engagement_modularity",
    "community_side_homophily",
    "like_gini",
    "cross_side_exposure",
    "failure_rate",
)
MOST_DOTS = 1000
"""Users up to which violins show every one of them as a dot."""
CURVE_POINTS = 200
"""Of each Lorenz curve: more than a screen can show would only swell the file."""


class Captioned(NamedTuple):
    """A figure and its alternative in words."""

    figure: Any
    caption: str


def series_figure(run: RunDir) -> Captioned:
    """Measures over steps for `run.finished_size`: mean over seeds, band from least to greatest."""
    size = run.finished_size
    values = run.read_metrics()
    values = values[values["size"] == size]
    columns = 3
    rows = -(-len(SERIES_METRICS) // columns)
    titles = [CATALOGUE[metric].label for metric in SERIES_METRICS]
    figure = make_subplots(
        rows, columns, subplot_titles=titles, vertical_spacing=0.1, horizontal_spacing=0.07
    )
    for index, metric in enumerate(SERIES_METRICS):
        where = {"row": index // columns + 1, "col": index % columns + 1}
        of_metric = values[values["metric"] == metric]
        for place, condition in enumerate(run.scenario.conditions):
            by_step = of_metric[of_metric["condition"] == condition].groupby("step")["value"]
            if by_step.ngroups:
                _band(
                    figure, by_step.agg(["mean", "min", "max"]), condition, place, legend=index == 0, **where
                )
    figure.update_xaxes(title_text="step", row=rows)
    figure.update_layout(
        height=260 * rows, **STYLE, margin={"t": 90, "b": 40}, legend={"orientation": "h", "y": 1.1}
    )
    return Captioned(figure, f"Measures over steps, N = {size}: mean over seeds; the band spans all seeds.")


def own_ratios(run: RunDir, compared: pd.DataFrame) -> pd.DataFrame:
    """The rows of `compare_run` that are of the scenario's own contrast and have a ratio."""
    compare = run.scenario.compare
    own = compared[CONTRAST_COLUMNS].eq([compare.treatment, compare.control]).all(axis=1)
    return compared[own].dropna(subset="ratio") if own.any() else compared[own]


def ratio_figure(ratios: pd.DataFrame) -> Captioned:
    """Ratios of one contrast with their intervals.

    Args:
        ratios: rows of `compare_run` with a ratio, all of the same two conditions; at least one.
    """
    treatment, control = ratios[CONTRAST_COLUMNS].iloc[0]
    rows = ratios.iloc[::-1]
    figure = go.Figure()
    for place, (n, part) in enumerate(rows.groupby("n")):
        figure.add_scatter(
            x=part["ratio"],
            y=[CATALOGUE[m].label for m in part["metric"]],
            mode="markers",
            name=f"N = {n}",
            marker={"symbol": marker(place), "size": 9, "color": colour(place)},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": part["ratio_high"] - part["ratio"],
                "arrayminus": part["ratio"] - part["ratio_low"],
            },
        )
    figure.add_vline(x=1, line_dash="dot", line_color="#666")
    figure.update_xaxes(type="log", title_text=f"{treatment} / {control}", range=[-1, 1])
    height = 140 + 22 * rows["metric"].nunique()
    figure.update_layout(
        height=height, **STYLE, margin={"t": 60, "l": 260, "b": 40}, legend={"orientation": "h", "y": 1.05}
    )
    intervals = ", with 95% intervals over seeds" if ratios["ratio_low"].notna().any() else ""
    caption = (
        f"{treatment} as a multiple of {control}{intervals} (cut at a tenth and tenfold); 1 is no change."
    )
    return Captioned(figure, caption)


def stance_figure(run: RunDir) -> Captioned:
    """Users' final stance by side and condition, all seeds together, for `run.finished_size`."""
    size, last = run.finished_size, run.scenario.simulation.steps
    users = stances(run, size)
    figure = stance_violins(users[users["step"] == last], run.manifest["sides"])
    return Captioned(figure, f"Stance of users after step {last} by side, N = {size}, all seeds together.")


def stance_violins(users: pd.DataFrame, sides: Sequence[str]) -> Any:
    """How stance is spread at one step: a violin for each condition, one half of it for each side.

    Args:
        users: rows of `sim.views.stance.stances`, all of one step.
        sides: the two labels, the positive side first.
    """
    figure = go.Figure()
    for place, label in enumerate(sides):
        of_side = users[users["side"] == label]
        figure.add_violin(
            x=of_side["condition"],
            y=of_side["stance"],
            name=escape(label),
            side=("positive", "negative")[place],
            line={"color": colour(place)},
            points="all" if len(users) <= MOST_DOTS else False,
            pointpos=(0.4, -0.4)[place],
            marker={"size": 3, "symbol": marker(place)},
            spanmode="hard",
            width=0.9,
            meanline_visible=True,
        )
    figure.update_yaxes(range=[-1.05, 1.05], title_text="stance")
    figure.update_layout(height=420, **STYLE, violingap=0, violinmode="overlay", margin={"t": 30, "b": 40})
    return figure


def stance_bands_figure(run: RunDir) -> Captioned:
    """Each side's stance over steps, condition by condition: median, middle half and middle four fifths."""
    size, last = run.finished_size, run.scenario.simulation.steps
    users = stances(run, size)
    conditions = users["condition"].unique().tolist()
    columns = min(3, len(conditions))
    rows = -(-len(conditions) // columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=conditions,
        shared_yaxes=True,
        horizontal_spacing=0.04,
        vertical_spacing=0.3 / rows,
    )
    for index, condition in enumerate(conditions):
        where = {"row": index // columns + 1, "col": index % columns + 1}
        of_condition = users[users["condition"] == condition]
        for place, label in enumerate(run.manifest["sides"]):
            by_step = of_condition[of_condition["side"] == label].groupby("step")["stance"]
            middle, name = by_step.median(), escape(label)
            steps = middle.index.tolist()
            for ends in ((0.1, 0.9), (0.25, 0.75)):
                low, high = (by_step.quantile(end).tolist() for end in ends)
                add_fill(figure, steps, low, high, name, place, **where)
            add_line(figure, steps, middle.tolist(), name, place, legend=index == 0, **where)
    figure.update_yaxes(range=[-1.05, 1.05])
    figure.update_yaxes(title_text="stance", col=1)
    figure.update_xaxes(title_text="step", row=rows)
    figure.update_layout(
        height=120 + 260 * rows,
        **STYLE,
        margin={"t": 90, "b": 40},
        legend={"orientation": "h", "y": 1 + 0.3 / rows},
    )
    return Captioned(
        figure,
        f"Stance of each side from step 0 to {last}, N = {size}, all seeds together: line the median, bands the "
        "middle half and the middle four fifths of users with a stance.",
    )


def lorenz_figure(
    run: RunDir, attention: pd.DataFrame, size: int | None = None, seeds: str = "all seeds together"
) -> Captioned:
    """How unequally likes fall on posts, one curve a condition.

    Args:
        run: for its conditions.
        attention: of `sim.attention.post_attention`.
        size: of the population that it is of; `run.finished_size` when None.
        seeds: which ones it is of, in words.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="all alike", line={"color": "#666", "dash": "dot", "width": 1}
    )
    said = []
    for place, condition in enumerate(run.scenario.conditions):
        likes = attention.loc[attention["condition"] == condition, "likes"].to_numpy()
        curve = lorenz_curve(likes, points=CURVE_POINTS)
        if len(curve.held):
            said.append(f"{condition} {gini(likes):.2f}")
            figure.add_scatter(
                x=curve.holders, y=curve.held, mode="lines", name=condition,
                line={"color": colour(place), "dash": dash(place)},
            )  # fmt: skip
    figure.update_xaxes(title_text="share of posts, least liked first", range=[0, 1])
    figure.update_yaxes(title_text="share of likes", range=[0, 1])
    figure.update_layout(height=420, **STYLE, margin={"t": 30, "b": 40})
    caption = (
        f"Lorenz curves of likes per post, N = {size or run.finished_size}, {seeds}; the further below the "
        f"diagonal, the fewer posts hold the likes. Gini coefficients: {', '.join(said)}."
    )
    return Captioned(figure, caption)


def _band(
    figure: Any, by_step: pd.DataFrame, condition: str, place: int, *, legend: bool, row: int, col: int
) -> None:
    steps, where = by_step.index.tolist(), {"row": row, "col": col}
    add_fill(figure, steps, by_step["min"].tolist(), by_step["max"].tolist(), condition, place, **where)
    add_line(figure, steps, by_step["mean"].tolist(), condition, place, legend=legend, **where)
