"""A validation as a plotly figure: bias and diversity over time, real and by method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sim.atomic import write_text
from sim.errors import SeriesError
from sim.figure_style import GREY, STYLE, colour, marker
from sim.series_panel import Panel
from sim.series_validation import Validation

_DASHES = {"baseline": "dot", "model": "dash", "run": "solid"}
_LABELS = {"bias": "bias (mean attitude)", "diversity": "diversity (std of attitudes)"}


def series_figure(validation: Validation) -> Any:
    """Two panels on one time axis: the real series throughout, every method after the cut, mean over its runs."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    panel = validation.panel
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.06)
    times = _axis(panel)
    for row, quantity in enumerate(_LABELS, start=1):
        real = go.Scatter(
            x=times,
            y=getattr(panel.real, quantity),
            name="real",
            legendgroup="real",
            showlegend=row == 1,
            mode="lines",
            line={"color": "#000", "width": 2.5},
        )
        figure.add_trace(real, row=row, col=1)
        for place, forecast in enumerate(validation.forecasts):
            runs = np.array([getattr(run, quantity) for run in forecast.runs])
            line = go.Scatter(
                x=times[panel.cut + 1 :],
                y=runs.mean(axis=0),
                name=forecast.method,
                legendgroup=forecast.method,
                showlegend=row == 1,
                mode="lines+markers",
                marker={"symbol": marker(place), "size": 5},
                line={"color": colour(place), "dash": _DASHES[forecast.kind]},
            )
            figure.add_trace(line, row=row, col=1)
        figure.update_yaxes(title_text=_LABELS[quantity], row=row, col=1)
    figure.add_vline(x=times[panel.cut], line_dash="dot", line_color=GREY)
    figure.update_xaxes(title_text="time", row=2)
    figure.update_layout(
        height=640,
        **STYLE,
        margin={"t": 40, "b": 50},
        title_text=f"{Path(validation.source).name}: learned before the dotted line, judged after it",
    )
    return figure


def write_figure(validation: Validation, path: Path) -> None:
    """Write the figure as one HTML file that needs no network.

    Raises:
        SeriesError: for another ending than .html.
    """
    check_figure_path(path)
    write_text(path, series_figure(validation).to_html(include_plotlyjs=True, full_html=True))


def check_figure_path(path: Path) -> None:
    """Refuse what cannot be written, before any work.

    Raises:
        SeriesError: for another ending than .html.
    """
    if path.suffix.lower() != ".html":
        raise SeriesError(f"--plot {path}: expected a name that ends in .html")


def _axis(panel: Panel) -> list[Any]:
    """Dates as such, other times as the numbers that they are."""
    if not panel.dated:
        return list(panel.times)
    return [str(moment) for moment in (panel.times * 86_400).astype("datetime64[s]")]
