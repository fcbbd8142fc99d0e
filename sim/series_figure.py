"""A validation as a plotly figure: bias and diversity over time, real and by method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.atomic import write_atomic
from sim.errors import SeriesError
from sim.series_validation import Validation

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe & Ito 2008
_MARKERS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star")
_DASHES = {"baseline": "dot", "model": "dash", "run": "solid"}
_LABELS = {"bias": "bias (mean attitude)", "diversity": "diversity (std of attitudes)"}


def series_figure(validation: Validation) -> Any:
    """Two panels on one time axis: the real series throughout, every method after the cut, mean over its runs."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    panel = validation.panel
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.06)
    times = _axis(panel.times)
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
                marker={"symbol": _MARKERS[place % len(_MARKERS)], "size": 5},
                line={"color": _COLOURS[place % len(_COLOURS)], "dash": _DASHES[forecast.kind]},
            )
            figure.add_trace(line, row=row, col=1)
        figure.update_yaxes(title_text=_LABELS[quantity], row=row, col=1)
    figure.add_vline(x=times[panel.cut], line_dash="dot", line_color="#666")
    figure.update_xaxes(title_text="time", row=2)
    figure.update_layout(
        template="plotly_white",
        height=640,
        font={"family": "system-ui, sans-serif", "size": 12},
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
    page = series_figure(validation).to_html(include_plotlyjs=True, full_html=True)
    write_atomic(path, lambda partial: _write(partial, page))


def check_figure_path(path: Path) -> None:
    """Refuse what cannot be written, before any work.

    Raises:
        SeriesError: for another ending than .html.
    """
    if path.suffix.lower() != ".html":
        raise SeriesError(f"--plot {path}: expected a name that ends in .html")


def _write(path: Path, page: str) -> None:
    path.write_text(page, "utf-8")


def _axis(times: NDArray[np.float64]) -> list[Any]:
    """Days since 1970 as dates; other numbers as they are (no date of interest lies before 1980)."""
    if times[0] < 3_650:
        return list(times)
    return [str(moment) for moment in (times * 86_400).astype("datetime64[s]")]
