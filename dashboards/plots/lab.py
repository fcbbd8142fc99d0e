"""Figures of the page on experiments."""

from __future__ import annotations

from html import escape

import plotly.graph_objects as go

from dashboards.plots.adapters import Drawn
from sim.figure_style import GREY, STYLE, colour, dash, marker
from sim.views.lab import Curves

_PUBLISHED_MARKS = ("star", "hexagram", "star-triangle-up")


def curves(seen: Curves, *, published: bool) -> Drawn:
    """Every series with its intervals and fit, and what was printed for such experiments.

    Args:
        seen: a result file.
        published: whether to draw the printed curves.
    """
    figure, result = go.Figure(), seen.result
    names = list(dict.fromkeys(seen.points["series"]))
    for place, name in enumerate(names):
        points = seen.points[seen.points["series"] == name]
        known = points["low"].notna().any()
        figure.add_scatter(
            x=points["x"],
            y=points["y"],
            mode="lines+markers",
            name=escape(name),
            line={"color": colour(place), "dash": dash(place)},
            marker={"symbol": marker(place), "size": 8},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": points["high"] - points["y"],
                "arrayminus": points["y"] - points["low"],
            }
            if known
            else None,
        )
    for (name, formula), fit in seen.fits.groupby(["series", "formula"], sort=False):
        figure.add_scatter(
            x=fit["x"], y=fit["y"], mode="lines", name=escape(f"fit of {name}: {formula}"),
            line={"color": colour(names.index(name)), "width": 1, "dash": "longdash"}, hoverinfo="skip",
        )  # fmt: skip
    for place, curve in enumerate(seen.published if published else ()):
        figure.add_scatter(
            x=curve.x, y=curve.y, mode="lines+markers", name=escape(curve.name),
            line={"color": GREY, "dash": "dot"},
            marker={"symbol": _PUBLISHED_MARKS[place % len(_PUBLISHED_MARKS)], "size": 11},
        )  # fmt: skip
    for update, axis in ((figure.update_xaxes, result.x), (figure.update_yaxes, result.y)):
        unit = f" ({axis.unit})" if axis.unit else ""
        update(title_text=escape(axis.label + unit), type="log" if axis.log else "linear")
    figure.update_layout(
        height=460, **STYLE, margin={"t": 30, "b": 50}, legend={"orientation": "h", "y": -0.2}
    )
    ends = "; ".join(_said(seen, name) for name in names)
    intervals = f" Bars: {result.interval}." if seen.points["low"].notna().any() else ""
    return Drawn(figure, f"{result.title}. {result.y.label} over {result.x.label}: {ends}.{intervals}")


def _said(seen: Curves, name: str) -> str:
    points = seen.points[seen.points["series"] == name].dropna(subset="y")
    if points.empty:
        return f"{name} has no values"
    first, last = points.iloc[0], points.iloc[-1]
    return f"{name} from {first['y']:.3g} at {first['x']:g} to {last['y']:.3g} at {last['x']:g}"
