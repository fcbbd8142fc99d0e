"""Cascades: how large they are, and one of them as a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import product
from textwrap import shorten, wrap
from typing import Any

from metrics.diffusion import NO_PARENT
from sim.figure_style import GREY, STYLE, colour
from sim.figure_traces import add_line
from sim.views.plotted import Plotted

_COLUMNS = 3
_NODES = [digit * 10**power for power in range(7) for digit in (1, 2, 5)]
"""Marks on the axis of sizes."""
_KINDS: Mapping[str, tuple[str, int]] = {
    "post": ("star", 14),
    "repost": ("square", 9),
    "quote": ("diamond", 10),
    "comment": ("circle-open", 8),
}
"""Kind of a node → marker and its size."""


def sizes_chart(plotted: Plotted) -> Any:
    """Share of posts whose cascade is at least so large, on two logarithmic axes.

    Args:
        plotted: of `sim.views.cascades.cascade_sizes`.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, (condition, part) in enumerate(plotted.frame.groupby("condition", sort=False)):
        add_line(
            figure, part["size"].tolist(), part["share"].tolist(), escape(str(condition)), place, legend=True,
            hovertemplate="%{y:.2%} of posts have at least %{x} nodes",
        )  # fmt: skip
    figure.update_xaxes(type="log", title_text="nodes of the cascade, the post included", tickvals=_NODES)
    figure.update_yaxes(type="log", title_text="share of posts", tickformat="~%", dtick="D2")
    figure.update_layout(height=420, **STYLE, title=_title(plotted.title), margin={"t": 60, "b": 45, "r": 10})
    return figure


def tree_chart(trees: Mapping[str, Plotted], title: str, sides: Sequence[str]) -> Any:
    """Cascades as trees beside each other: steps to the right, all on the same axes.

    The `customdata` of a node is its panel, counted from 0, and its number.

    Args:
        trees: heading of the panel → as `sim.views.cascades.cascade_tree`; at least one.
        title: of the whole.
        sides: the two labels, which colour the nodes; kinds have markers of their own.
    """
    from plotly.subplots import make_subplots

    columns = min(_COLUMNS, len(trees))
    rows = -(-len(trees) // columns)
    figure = make_subplots(
        rows, columns, subplot_titles=[escape(heading) for heading in trees], shared_yaxes=True,
        horizontal_spacing=0.03, vertical_spacing=0.2 / rows,
    )  # fmt: skip
    listed: set[tuple[str, str | None]] = set()
    for panel, tree in enumerate(trees.values()):
        where = {"row": panel // columns + 1, "col": panel % columns + 1}
        nodes = tree.frame
        ways = nodes[nodes["parent"] != NO_PARENT].merge(
            nodes[["node", "step", "row"]], left_on="parent", right_on="node", suffixes=("", "_of_parent")
        )
        figure.add_scatter(
            x=[v for a, b in zip(ways["step_of_parent"], ways["step"], strict=True) for v in (a, a, b, None)],
            y=[v for a, b in zip(ways["row_of_parent"], ways["row"], strict=True) for v in (a, b, b, None)],
            mode="lines", line={"color": "#bbbbbb", "width": 1}, hoverinfo="skip", showlegend=False, **where,
        )  # fmt: skip
        for kind, side in product(_KINDS, [*sides, None]):
            of_side = nodes["side"].isna() if side is None else nodes["side"] == side
            if (part := nodes[(nodes["kind"] == kind) & of_side]).empty:
                continue
            symbol, size = _KINDS[kind]
            place = None if side is None else list(sides).index(side)
            name = f"{kind}, {escape(side or 'no side')}"
            figure.add_scatter(
                x=part["step"], y=part["row"], mode="markers", name=name,
                legendgroup=name, showlegend=(kind, side) not in listed,
                marker={"symbol": symbol, "size": size, "color": GREY if place is None else colour(place),
                        "line": {"width": 1.5 if symbol.endswith("open") else 0}},
                customdata=[[panel, int(node)] for node in part["node"]],
                hovertext=[_hover(node) for node in part.to_dict("records")], hoverinfo="text", **where,
            )  # fmt: skip
            listed.add((kind, side))
    last = max(int(tree.frame["step"].max()) for tree in trees.values())
    widest = max(float(tree.frame["row"].max()) for tree in trees.values())
    figure.update_xaxes(title_text="step", range=[-0.04 * (last + 1), last * 1.04 + 0.5])
    figure.update_yaxes(showticklabels=False, showgrid=False, zeroline=False, range=[widest + 1, -1])
    figure.update_layout(
        height=175 + rows * min(620, 100 + 14 * int(widest + 2)),
        **STYLE,
        title={**_title(title), "y": 0.99, "yanchor": "top"},
        margin={"t": 115, "b": 45, "l": 10, "r": 10},
        legend={"orientation": "h", "yref": "container", "y": 0.94, "yanchor": "top", "x": 0},
        clickmode="event+select",
    )
    return figure


def _hover(node: Mapping[Any, Any]) -> str:
    text = "<br>".join(map(escape, wrap(shorten(node["text"], 240, placeholder=" …"), 60)))
    return f"<b>{node['kind']}</b> by {escape(str(node['author']))}, step {node['step']}<br>{text}"


def _title(text: str) -> dict[str, Any]:
    return {"text": escape(text), "font": {"size": 15}, "x": 0}
