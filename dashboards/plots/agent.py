"""One agent over time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from sim.figure_style import GREY, STYLE, colour, dash, marker
from sim.views.plotted import Plotted


def stance_chart(plotted: Plotted, conditions: Sequence[str], chosen: tuple[str, int]) -> Any:
    """An agent's stance in every cell; the one chosen is drawn strongly, other seeds of a condition thinly and alike.

    Args:
        plotted: of `sim.views.agent_across.stance_over_steps`.
        conditions: in the order of the scenario, which decides their looks.
        chosen: condition and seed.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_hline(y=0, line={"color": GREY, "width": 1, "dash": "dot"})
    listed: set[str] = set()
    for (name, seed), rows in plotted.frame.groupby(["condition", "seed"], sort=False):
        condition = str(name)
        place, strong = list(conditions).index(condition), (condition, seed) == chosen
        figure.add_scatter(
            x=rows["step"], y=rows["stance"], mode="lines+markers",
            name=f"{escape(condition)}, seed {seed}" if strong else escape(condition),
            showlegend=strong or condition not in listed,
            line={"color": colour(place), "dash": dash(place), "width": 3 if strong else 1},
            marker={"symbol": marker(place), "size": 8 if strong else 4},
            opacity=1.0 if strong else 0.6,
            hovertemplate=f"{escape(condition)}, seed {seed}<br>step %{{x}}: %{{y:+.2f}}<extra></extra>",
        )  # fmt: skip
        if not strong:
            listed.add(condition)
    figure.update_xaxes(title_text="step")
    figure.update_yaxes(title_text="stance", range=[-1.05, 1.05])
    figure.update_layout(height=340, **STYLE, margin={"t": 10, "b": 40, "l": 50, "r": 10})
    return figure
