"""Networks: agents or communities as points, ties as lines; who is who shows in colour and in shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from metrics.networks.partitions import ISOLATED
from sim.figure_style import GREY, STYLE, colour, marker
from sim.numbers import number
from sim.views.community_map import CommunityMap
from sim.views.networks import NetworkMoment

ColourBy = Literal["side", "stance", "community"]
_SMALLEST, _LARGEST = 4.5, 60.0
"""Diameters in pixels, of an agent without ties, and of the best tied one times the fourth root of N."""
_COMMUNITIES = 14
"""That have a look of their own; smaller ones share one."""
_STANCES = {
    "positive": ("#B35806", "triangle-up", "leans to the positive side"),
    "between": ("#8C8C8C", "circle", "stands between"),
    "negative": ("#542788", "triangle-down", "leans to the negative side"),
    "unknown": ("#BDBDBD", "circle-open", "stance unknown"),
}
"""Leaning → colour, shape, name."""


class _Look(NamedTuple):
    name: str
    colour: str
    symbol: str
    rows: pd.DataFrame


def network_chart(
    moment: NetworkMoment, by: ColourBy, sides: Sequence[str], chosen: int | None = None
) -> Any:
    """Every agent as a point, as large as it has ties; `customdata` is the agent's id.

    Args:
        moment: of `sim.views.networks.network_moment`.
        by: what colour and shape mean.
        sides: the two labels, the positive one first.
        chosen: id of an agent to put a ring around.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    places = moment.nodes.set_index("agent_id")[["x", "y"]]
    opacity = min(0.35, 8 / max(len(moment.edges), 1) ** 0.5)
    _add_ties(figure, places, moment.edges, width=0.6, opacity=opacity)
    most = max(int(moment.nodes["degree"].max()), 1)
    largest = max(_LARGEST / len(moment.nodes) ** 0.25, 2 * _SMALLEST)
    for look in _looks(moment.nodes, by, sides):
        rows = look.rows
        figure.add_scattergl(
            x=rows["x"], y=rows["y"], mode="markers", name=escape(look.name),
            customdata=rows["agent_id"], text=[_told(row) for row in rows.to_dict("records")],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "color": look.colour, "symbol": look.symbol,
                "size": _SMALLEST + (largest - _SMALLEST) * np.sqrt(rows["degree"] / most),
                "line": {"width": 0.7, "color": "#FFFFFF"}, "opacity": 0.9,
            },
            unselected={"marker": {"opacity": 0.9}},
        )  # fmt: skip
    if chosen is not None:
        _add_ring(figure, moment.nodes[moment.nodes["agent_id"] == chosen], largest + 10)
    return _plain(figure)


def community_chart(mapped: CommunityMap, sides: Sequence[str]) -> Any:
    """Every community as a point, as large as it has members; `customdata` is the community.

    Args:
        mapped: of `sim.views.community_map.community_map`.
        sides: the two labels, the positive one first.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    _add_ties(figure, mapped.nodes.set_index("community")[["x", "y"]], mapped.edges, width=1.2, opacity=0.35)
    most = max(int(mapped.nodes["agents"].max()), 1) if len(mapped.nodes) else 1
    for place, side in enumerate(sides):
        rows = mapped.nodes[mapped.nodes["side"] == side]
        figure.add_scattergl(
            x=rows["x"], y=rows["y"], mode="markers", name=f"most are {escape(side)}",
            customdata=rows["community"],
            text=[
                f"community {r['community'] + 1}: {r['agents']:,} agents<br>"
                f"{r['side_share']:.0%} {escape(side)}, mean stance {number(r['stance'], signed=True)}"
                for r in rows.to_dict("records")
            ],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "color": colour(place), "symbol": marker(place),
                "size": _SMALLEST + _LARGEST * np.sqrt(rows["agents"] / most),
                "line": {"width": 1, "color": "#FFFFFF"},
            },
        )  # fmt: skip
    return _plain(figure)


def _add_ties(
    figure: Any, places: pd.DataFrame, edges: pd.DataFrame, *, width: float, opacity: float
) -> None:
    """All ties as one line with gaps: a thousand separate ones would not move smoothly."""
    ends = [places.loc[edges[end]].to_numpy() for end in ("source", "target")]
    gaps = np.full((len(edges), 2), np.nan)
    path = np.stack([*ends, gaps], axis=1).reshape(-1, 2)
    figure.add_scattergl(
        x=path[:, 0], y=path[:, 1], mode="lines", name="ties", hoverinfo="skip", showlegend=False,
        line={"width": width, "color": GREY}, opacity=opacity,
    )  # fmt: skip


def _add_ring(figure: Any, row: pd.DataFrame, size: float) -> None:
    figure.add_scattergl(
        x=row["x"], y=row["y"], mode="markers+text", text=[f"@{escape(name)}" for name in row["handle"]],
        textposition="top center", textfont={"size": 14, "color": "#000000"}, hoverinfo="skip",
        showlegend=False,
        marker={"symbol": "circle-open", "size": size, "color": "#000000", "line": {"width": 2.5}},
    )  # fmt: skip


def _looks(nodes: pd.DataFrame, by: ColourBy, sides: Sequence[str]) -> list[_Look]:
    match by:
        case "side":
            looks = [
                _Look(side, colour(place), marker(place), nodes[nodes["side"] == side])
                for place, side in enumerate(sides)
            ]
            looks.append(_Look("side unknown", GREY, "circle-open", nodes[~nodes["side"].isin(sides)]))
        case "stance":
            looks = [
                _Look(name, paint, symbol, nodes[nodes["leaning"] == leaning])
                for leaning, (paint, symbol, name) in _STANCES.items()
            ]
        case "community":
            label = nodes["community"]
            looks = [
                _Look(f"community {c + 1}", colour(c), marker(c), nodes[label == c])
                for c in range(min(_COMMUNITIES, int(label.max()) + 1))
            ]
            looks.append(_Look("smaller ones", GREY, "diamond-open", nodes[label >= _COMMUNITIES]))
            looks.append(_Look("no ties yet", GREY, "circle-open", nodes[label == ISOLATED]))
    return [look for look in looks if len(look.rows)]


def _told(row: Mapping[Any, Any]) -> str:
    community = "no community" if row["community"] == ISOLATED else f"community {row['community'] + 1}"
    stance = "unknown" if pd.isna(row["stance"]) else number(row["stance"], signed=True)
    side = escape(str(row["side"] or "side unknown"))
    return f"@{escape(row['handle'])}<br>{side}, stance {stance}<br>{row['degree']:,} ties, {community}"


def _plain(figure: Any) -> Any:
    """Without axes, which would say nothing here; `uirevision` keeps the zoom while steps go by."""
    figure.update_xaxes(visible=False, range=[-1.08, 1.08])
    figure.update_yaxes(visible=False, range=[-1.08, 1.08], scaleanchor="x")
    figure.update_layout(
        height=520, **STYLE, margin={"t": 50, "b": 10, "l": 10, "r": 10}, dragmode="pan", uirevision="kept",
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "itemsizing": "constant"},
    )  # fmt: skip
    return figure
