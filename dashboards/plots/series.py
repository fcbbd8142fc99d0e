"""Measures over steps, population sizes or seeds, panel by panel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Literal

import pandas as pd

from metrics.catalogue import CATALOGUE
from sim.figure_style import GREY, STYLE, colour, marker
from sim.figure_traces import add_fill, add_line
from sim.views.comparison import PUBLISHED_LINE, Axis
from sim.views.plotted import Plotted

Band = Literal["interval", "range", "none"]
"""Student's 95% interval over seeds, from the least to the greatest seed, or nothing."""
BANDS: Mapping[Band, str] = {
    "interval": "95% interval (t)",
    "range": "least to greatest seed",
    "none": "none",
}
_ENDS: Mapping[Band, tuple[str, str]] = {"interval": ("low", "high"), "range": ("least", "most")}
_AXES: Mapping[Axis, str] = {"step": "step", "N": "agents, N", "seed": "seed"}
_COLUMNS = 3
_HEAD = 45
"""Pixels: height of the title."""
_LEGEND_ROW, _LEGEND_WIDTH, _LEGEND_MARK, _LETTER = 28, 800, 50, 7
"""Pixels: height of a row, its width on the smallest screen, what a mark takes, and a letter, about."""
_ROOM = 0.75
"""Of the range of all seeds, above and below it: a band that reaches further, as of two seeds, is cut there."""


def series_chart(plotted: Plotted, panel: str, axis: Axis, band: Band, units: Mapping[str, str]) -> Any:
    """One panel for each value of a column, with a line for each `line`.

    Args:
        plotted: of `sim.views.comparison.series` or `sim.views.across.series_across`.
        panel: column that parts the panels: `metric`, or `panel`.
        axis: what `x` is.
        band: what is drawn about the lines, or as bars about points.
        units: panel → title of its vertical axis.
    """
    from plotly.subplots import make_subplots

    frame = plotted.frame
    names = list(dict.fromkeys(frame[panel]))
    lines = list(dict.fromkeys(frame["line"]))
    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    titles = [escape(CATALOGUE[name].label if name in CATALOGUE else name) for name in names]
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=titles if len(names) > 1 or panel == "panel" else None,
        vertical_spacing=0.32 / rows if rows > 1 else 0,
        horizontal_spacing=0.07,
        shared_yaxes="all" if panel == "panel" else False,
        shared_xaxes="all" if panel == "panel" else False,
    )
    listed: set[str] = set()
    for index, name in enumerate(names):
        where = {"row": index // columns + 1, "col": index % columns + 1}
        of_panel = frame[frame[panel] == name]
        for line, part in of_panel.groupby("line", sort=False):
            place = lines.index(line)
            _draw(figure, part, str(line), place, axis, band, legend=line not in listed, **where)
            listed.add(str(line))
        window = _window(of_panel if panel == "metric" else frame, band)
        figure.update_yaxes(range=window, title_text=units.get(name, ""), **where)
        if _changes(of_panel):
            figure.add_hline(y=0, line_dash="dot", line_color=GREY, **where)
        if index + columns >= len(names):
            figure.update_xaxes(title_text=_AXES[axis], showticklabels=True, **where)
    if axis != "step":
        places = list(map(str, sorted(frame["x"].unique())))
        figure.update_xaxes(type="category", categoryorder="array", categoryarray=places)
        figure.update_layout(scattermode="group", scattergap=0.7)
    height = (300 if rows == 1 else 220 * rows) + 140
    figure.update_layout(
        height=height,
        **STYLE,
        title={
            "text": escape(_title(plotted, axis, band)),
            "font": {"size": 15},
            "x": 0,
            "y": 0.99,
            "yanchor": "top",
        },
        margin={"t": _HEAD + 30 + _LEGEND_ROW * _legend_rows(lines), "b": 45, "r": 10},
        legend={"orientation": "h", "yref": "container", "y": 1 - _HEAD / height, "yanchor": "top", "x": 0},
    )
    return figure


def _draw(
    figure: Any,
    part: pd.DataFrame,
    line: str,
    place: int,
    axis: Axis,
    band: Band,
    *,
    legend: bool,
    **where: int,
) -> None:
    name, mean = escape(line), part["mean"].tolist()
    x = part["x"].tolist() if axis == "step" else part["x"].astype(str).tolist()
    more: dict[str, Any] = {"hovertemplate": "%{y:.3g} at %{x}", **where}
    if line == PUBLISHED_LINE:
        mark = {"symbol": "star", "size": 10, "color": GREY}
        add_line(figure, x, mean, name, place, legend=legend, mode="markers", marker=mark, **more)
        return
    ends = _ENDS.get(band)
    known = part.dropna(subset=list(ends)) if ends else part.iloc[:0]
    if axis == "step":
        if ends and len(known):
            low, high = (known[end].tolist() for end in ends)
            add_fill(figure, known["x"].tolist(), low, high, name, place, **where)
        add_line(figure, x, mean, name, place, legend=legend, **more)
        return
    if ends and len(known):
        more["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": (part[ends[1]] - part["mean"]).tolist(),
            "arrayminus": (part["mean"] - part[ends[0]]).tolist(),
        }
    mark = {"symbol": marker(place), "size": 9, "color": colour(place)}
    mode = "markers" if axis == "seed" else "lines+markers"
    add_line(figure, x, mean, name, place, legend=legend, mode=mode, marker=mark, **more)


def _window(part: pd.DataFrame, band: Band) -> list[float]:
    """The vertical range: all seeds and, as far as there is room, their bands; never what the measure cannot be."""
    metric = CATALOGUE[part["metric"].iloc[0]]
    low, high, width = metric.low, metric.high, metric.high - metric.low
    least, most = float(part["least"].min()), float(part["most"].max())
    if _changes(part):
        low, high = -width, width
        least, most = min(least, 0.0), max(most, 0.0)
    room = _ROOM * (most - least) or 0.1 * (abs(most) or 1.0)
    if band == "interval":
        reach = float(part["low"].min()), float(part["high"].max())
        reach = min(least, reach[0]), max(most, reach[1])  # of one seed NaN, which min and max pass over
    else:
        reach = least, most
    bottom, top = max(reach[0], least - room), min(reach[1], most + room)
    slack = 0.06 * (top - bottom) or room
    return [max(bottom - slack, low - 0.03 * _finite(width)), min(top + slack, high + 0.03 * _finite(width))]


def _finite(width: float) -> float:
    return width if math.isfinite(width) else 0.0


def _changes(part: pd.DataFrame) -> bool:
    """Whether these are differences of conditions and not values."""
    return bool(part["change"].any())


def _title(plotted: Plotted, axis: Axis, band: Band) -> str:
    """With what the band is, where one is drawn."""
    drawn = axis != "seed" and band in _ENDS and bool(plotted.frame[list(_ENDS[band])].notna().any(axis=None))
    return f"{plotted.title}; band: {BANDS[band]}" if drawn else plotted.title


def _legend_rows(lines: Sequence[str]) -> int:
    """How many rows the legend takes on the smallest screen."""
    return 1 + sum(_LEGEND_MARK + _LETTER * len(str(line)) for line in lines) // _LEGEND_WIDTH
