"""What several runs found, one interval beneath the other."""

from __future__ import annotations

from html import escape
from typing import Any

from sim.figure_style import GREY, STYLE, colour, marker
from sim.views.plotted import Plotted


def effects_chart(plotted: Plotted, unit: str) -> Any:
    """Paired differences with their intervals: a row for each contrast and size, a look for each run.

    Args:
        plotted: of `sim.views.across.effects_across`.
        unit: of the measure.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    rows = plotted.frame.iloc[::-1]
    rows = rows.assign(
        label=[
            f"{escape(r['contrast'])}, N = {r['n']}<br>{escape(r['run'])}" for r in rows.to_dict("records")
        ]
    )
    runs = list(dict.fromkeys(plotted.frame["run"]))
    for place, run in enumerate(runs):
        part = rows[rows["run"] == run]
        figure.add_scatter(
            x=part["difference"],
            y=part["label"],
            mode="markers",
            name=escape(run),
            marker={"symbol": marker(place), "size": 10, "color": colour(place)},
            error_x={
                "type": "data", "symmetric": False,
                "array": (part["high"] - part["difference"]).fillna(0),
                "arrayminus": (part["difference"] - part["low"]).fillna(0),
            },
            hovertemplate="%{x:+.3g}",
        )  # fmt: skip
    figure.add_vline(x=0, line_dash="dot", line_color=GREY)
    figure.update_yaxes(categoryorder="array", categoryarray=rows["label"].tolist())
    figure.update_xaxes(title_text=f"difference, {unit}")
    figure.update_layout(
        height=150 + 44 * len(rows),
        **STYLE,
        title={"text": escape(plotted.title), "font": {"size": 15}, "x": 0},
        margin={"t": 60, "b": 45, "l": 240, "r": 10},
        showlegend=len(runs) > 1,
    )
    return figure
