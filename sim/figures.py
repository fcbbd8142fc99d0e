"""Figures of a run, as plotly objects; conditions differ by dash and marker, not by hue alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from metrics.catalogue import CATALOGUE
from sim.run_dir import RunDir

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
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")  # Okabe & Ito 2008
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_MARKERS = ("circle", "square", "diamond", "cross", "triangle-up")
_STYLE = {"template": "plotly_white", "font": {"family": "system-ui, sans-serif", "size": 12}}


class Captioned(NamedTuple):
    """A figure and its alternative in words."""

    figure: Any
    caption: str


def series_figure(run: RunDir) -> Captioned:
    """Measures over steps for the largest size: mean over seeds, band from least to greatest."""
    size = max(run.scenario.population.size)
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
        height=260 * rows, **_STYLE, margin={"t": 90, "b": 40}, legend={"orientation": "h", "y": 1.1}
    )
    return Captioned(figure, f"Measures over steps, N = {size}: mean over seeds; the band spans all seeds.")


def ratio_figure(run: RunDir, compared: pd.DataFrame) -> Captioned:
    """Ratios of the scenario's own contrast with their intervals, where a ratio makes sense."""
    compare = run.scenario.compare
    own = (compared["treatment_condition"] == compare.treatment) & (
        compared["control_condition"] == compare.control
    )
    rows = compared[own & compared["ratio"].notna()].iloc[::-1]
    figure = go.Figure()
    for place, (n, part) in enumerate(rows.groupby("n")):
        figure.add_scatter(
            x=part["ratio"],
            y=[CATALOGUE[m].label for m in part["metric"]],
            mode="markers",
            name=f"N = {n}",
            marker={"symbol": _MARKERS[place % 5], "size": 9, "color": _COLOURS[place % 5]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": part["ratio_high"] - part["ratio"],
                "arrayminus": part["ratio"] - part["ratio_low"],
            },
        )
    figure.add_vline(x=1, line_dash="dot", line_color="#666")
    figure.update_xaxes(type="log", title_text=f"{compare.treatment} / {compare.control}", range=[-1, 1])
    figure.update_layout(height=160 + 24 * len(rows), **_STYLE, margin={"t": 30, "l": 260, "b": 40})
    caption = (
        f"{compare.treatment} as a multiple of {compare.control}, with 95% intervals over seeds "
        "(cut at a tenth and tenfold); 1 is no change."
    )
    return Captioned(figure, caption)


def stance_figure(run: RunDir) -> Captioned:
    """Users' final stance by side and condition, all seeds together, for the largest size."""
    size, last = max(run.scenario.population.size), run.scenario.simulation.steps
    side = run.read_population(size).set_index("agent_id")["side"]
    frames = [
        cell.read_stance().assign(condition=cell.key.condition)
        for cell in run.cells()
        if cell.done and cell.key.size == size
    ]
    users = pd.concat(frames, ignore_index=True)
    users = users[users["step"] == last]
    figure = go.Figure()
    for place, label in enumerate(run.manifest["sides"]):
        of_side = users[users["user_id"].map(side) == label]
        figure.add_violin(
            x=of_side["condition"],
            y=of_side["stance"],
            name=label,
            side=("positive", "negative")[place],
            line={"color": _COLOURS[place]},
            points="all",
            pointpos=(0.4, -0.4)[place],
            marker={"size": 3, "symbol": _MARKERS[place]},
            spanmode="hard",
            meanline_visible=True,
        )
    figure.update_yaxes(range=[-1.05, 1.05], title_text="stance")
    figure.update_layout(height=420, **_STYLE, violingap=0, violinmode="overlay", margin={"t": 30, "b": 40})
    return Captioned(figure, f"Stance of users after step {last} by side, N = {size}, all seeds together.")


def _band(
    figure: Any, by_step: pd.DataFrame, condition: str, place: int, *, legend: bool, row: int, col: int
) -> None:
    colour = _COLOURS[place % 5]
    outline = [*by_step.index, *by_step.index[::-1]], [*by_step["max"], *by_step["min"][::-1]]
    figure.add_scatter(
        x=outline[0], y=outline[1], fill="toself", fillcolor=colour, opacity=0.15, line={"width": 0},
        hoverinfo="skip", showlegend=False, legendgroup=condition, row=row, col=col,
    )  # fmt: skip
    figure.add_scatter(
        x=by_step.index, y=by_step["mean"], mode="lines+markers", name=condition, legendgroup=condition,
        showlegend=legend, line={"color": colour, "dash": _DASHES[place % 5]},
        marker={"symbol": _MARKERS[place % 5], "size": 5}, row=row, col=col,
    )  # fmt: skip
