"""How stance is spread, step by step, as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from sim.figure_style import STYLE
from sim.views.plotted import Plotted

_COLUMNS = 3


def spread_chart(plotted: Plotted, sides: Sequence[str]) -> Any:
    """A panel for each condition and side, all of one scale; a condition's sides stand one above the other.

    Args:
        plotted: of `sim.views.stance.spread_over_steps`.
        sides: the two labels, the positive side first.
    """
    from plotly.subplots import make_subplots

    frame = plotted.frame
    conditions = list(dict.fromkeys(frame["condition"]))
    columns = min(_COLUMNS, len(conditions))
    rows = len(sides) * -(-len(conditions) // columns)
    titles = [""] * (rows * columns)
    for index, condition in enumerate(conditions):
        titles[index // columns * len(sides) * columns + index % columns] = escape(str(condition))
    figure = make_subplots(
        rows, columns, shared_xaxes=True, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.02,
        vertical_spacing=0.1 / rows,
    )  # fmt: skip
    for index, condition in enumerate(conditions):
        for below, side in enumerate(sides):
            where = {"row": index // columns * len(sides) + below + 1, "col": index % columns + 1}
            part = frame[(frame["condition"] == condition) & (frame["side"] == side)]
            wide = part.set_index(["middle", "step"])["share"].unstack()
            figure.add_heatmap(
                x=wide.columns, y=wide.index, z=wide.to_numpy(), coloraxis="coloraxis", **where,
                hovertemplate="step %{x}, stance %{y:.2f}: %{z:.0%} of " + escape(side) + "<extra></extra>",
            )  # fmt: skip
            heading = f"stance<br>{escape(side)}" if where["col"] == 1 else None
            figure.update_yaxes(title_text=heading, range=[-1, 1], **where)
    figure.update_xaxes(title_text="step", row=rows)
    figure.update_layout(
        height=130 + (230 if rows == len(sides) else 180) * rows,
        **STYLE,
        title={"text": escape(plotted.title), "font": {"size": 15}, "x": 0, "y": 0.99, "yanchor": "top"},
        margin={"t": 80, "b": 45, "r": 10},
        coloraxis={
            "colorscale": [[0, "#ffffff"], [0.15, "#c6dbef"], [0.5, "#4292c6"], [1, "#08306b"]],
            "cmin": 0,
            "colorbar": {"title": {"text": "share of<br>the side"}, "tickformat": ".0%"},
        },
    )
    return figure
