"""Moves between bands of stance, as streams."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from sim.figure_style import STYLE
from sim.views.plotted import Plotted
from sim.views.stance import band_names

_BAND_COLOURS = {4: "#08519c", 3: "#6baed6", 2: "#d9d9d9", 1: "#fd8d3c", 0: "#a63603", -1: "#ffffff"}
"""Dark at both ends and light amid, so that the distance from the middle shows without hue; white: no stance."""
_COLUMNS = 3
_GAP = 0.02
_LABELS = 0.1
"""Of the figure's width, to the right of each condition's streams."""
_FOOT = 0.02
"""Of the figure's height, below each row."""
_HEADS = 0.12
"""Of a row's height, above its streams."""


def flow_chart(plotted: Plotted) -> Any:
    """Streams between bands of stance from moment to moment, one panel a condition, the positive end on top.

    Args:
        plotted: of `sim.views.stance.flows`.
    """
    import plotly.graph_objects as go

    frame = plotted.frame
    conditions = list(dict.fromkeys(frame["condition"]))
    steps = sorted({*frame["step"], *frame["to_step"]})
    columns = min(_COLUMNS, len(conditions))
    rows = -(-len(conditions) // columns)
    figure = go.Figure()
    for index, condition in enumerate(conditions):
        part = frame[frame["condition"] == condition]
        row, column = divmod(index, columns)
        place = _Place(
            left=column / columns + 0.01,
            right=(column + 1) / columns - _LABELS,
            bottom=1 - (row + 1) / rows + _FOOT,
            top=1 - row / rows - _HEADS / rows,
        )
        streams = _streams(part, steps)
        domain = {"x": [place.left, place.right], "y": [place.bottom, place.top]}
        figure.add_sankey(**streams, domain=domain, arrangement="fixed", valueformat=".1%")
        _heads(figure, str(condition), steps, place)
        _tails(figure, part, streams["node"], place)
    figure.update_layout(
        height=60 + 400 * rows,
        **STYLE,
        title={"text": escape(plotted.title), "font": {"size": 15}, "x": 0, "y": 0.99, "yanchor": "top"},
        margin={"t": 40, "b": 10, "r": 10, "l": 10},
    )
    return figure


class _Place(NamedTuple):
    """Where one condition's streams stand, as shares of the figure; heads above, names of bands to the right."""

    left: float
    right: float
    bottom: float
    top: float


def _streams(part: Any, steps: Sequence[int]) -> dict[str, Any]:
    """Nodes and links of one condition; bands keep their order from top to bottom."""
    names = band_names()
    held = part.groupby(["step", "band"])["share"].sum().to_dict()
    held |= part[part["to_step"] == steps[-1]].groupby(["to_step", "to_band"])["share"].sum().to_dict()
    nodes = [(step, band) for step in steps for band in names if (step, band) in held]
    number_of = {node: number for number, node in enumerate(nodes)}
    y = []
    for step in steps:
        shares = np.array([held[node] for node in nodes if node[0] == step])
        scale = 1 - _GAP * (len(names) - 1)
        tops = np.cumsum(shares) - shares
        y += list((tops + shares / 2) * scale + _GAP * np.arange(len(shares)))
    x = [min(max(steps.index(step) / (len(steps) - 1), 0.001), 0.999) for step, _ in nodes]
    links = part.to_dict("records")
    return {
        "node": {
            "customdata": [f"step {step}, {names[band]}" for step, band in nodes],
            "hovertemplate": "%{customdata}: %{value:.1%} of users<extra></extra>",
            "color": [_BAND_COLOURS[band] for _, band in nodes],
            "line": {"color": "#444", "width": 0.5},
            "x": x,
            "y": [min(max(value, 0.001), 0.999) for value in y],
            "pad": 6,
            "thickness": 12,
        },
        "link": {
            "source": [number_of[link["step"], link["band"]] for link in links],
            "target": [number_of[link["to_step"], link["to_band"]] for link in links],
            "value": [link["share"] for link in links],
            "customdata": [
                f"{names[link['band']]} at step {link['step']} → {names[link['to_band']]} at step {link['to_step']}"
                for link in links
            ],
            "hovertemplate": "%{customdata}: %{value:.1%} of users<extra></extra>",
            "color": "rgba(120, 120, 120, 0.3)",
        },
    }


def _heads(figure: Any, condition: str, steps: Sequence[int], place: _Place) -> None:
    where = {"xref": "paper", "yref": "paper", "showarrow": False, "xanchor": "center", "yanchor": "bottom"}
    width = place.right - place.left
    figure.add_annotation(
        text=f"<b>{escape(condition)}</b>", x=place.left + width / 2, y=place.top, yshift=22, **where
    )
    for number, step in enumerate(steps):
        text = f"step {step}" if number == 0 else str(step)
        x = place.left + width * number / (len(steps) - 1)
        figure.add_annotation(text=text, x=x, y=place.top, yshift=4, font={"size": 11}, **where)


def _tails(figure: Any, part: Any, node: dict[str, Any], place: _Place) -> None:
    """Names of the last moment's bands beside their nodes, kept apart where nodes are small."""
    names, above = band_names(), -1.0
    last = [
        band for band in names if band in set(part.loc[part["to_step"] == part["to_step"].max(), "to_band"])
    ]
    for band, y in zip(last, node["y"][-len(last) :], strict=True):
        above = max(y, above + 0.045)
        height = place.top - above * (place.top - place.bottom)
        figure.add_annotation(
            text=names[band], x=place.right + 0.012, y=height, xref="paper", yref="paper", xanchor="left",
            yanchor="middle", showarrow=False, font={"size": 11},
        )  # fmt: skip
