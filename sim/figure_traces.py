"""Lines with bands: the traces that figures over steps, sizes or seeds are drawn of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.figure_style import colour, dash, marker


def add_fill(
    figure: Any,
    x: Sequence[Any],
    low: Sequence[float],
    high: Sequence[float],
    name: str,
    place: int,
    **where: int,
) -> None:
    """A band between two lines, of the colour of a place; not in the legend, and gone with its line.

    Args:
        figure: a plotly figure.
        x: [n].
        low: [n].
        high: [n].
        name: of the line that it belongs to.
        place: decides the look, as in `sim.figure_style`.
        where: `row` and `col` of a figure with panels.
    """
    figure.add_scatter(
        x=[*x, *reversed(x)], y=[*high, *reversed(low)], mode="lines", line={"width": 0}, fill="toself",
        fillcolor=colour(place), opacity=0.15, hoverinfo="skip", showlegend=False, legendgroup=name, **where,
    )  # fmt: skip


def add_line(
    figure: Any, x: Sequence[Any], y: Sequence[float], name: str, place: int, *, legend: bool, **more: Any
) -> None:
    """A line with markers, told apart by colour, dash and marker.

    Args:
        figure: a plotly figure.
        x: [n].
        y: [n].
        name: in the legend.
        place: decides the look, as in `sim.figure_style`.
        legend: whether the legend lists it: once a figure.
        more: `row` and `col`, or further properties of the trace, in place of the usual ones.
    """
    usual: dict[str, Any] = {
        "mode": "lines+markers",
        "line": {"color": colour(place), "dash": dash(place)},
        "marker": {"symbol": marker(place), "size": 5},
    }
    figure.add_scatter(x=x, y=y, name=name, legendgroup=name, showlegend=legend, **(usual | more))
