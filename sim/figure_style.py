"""The one look of all figures: conditions differ by colour, dash and marker, never by hue alone."""

from __future__ import annotations

from typing import Any

GREY = "#666666"
"""Of what is for reference: real values, chance, zero."""

STYLE: dict[str, Any] = {
    "template": "plotly_white",
    "font": {"family": "system-ui, sans-serif", "size": 12},
}
"""Layout that every figure has."""

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe & Ito 2008
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_MARKERS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "hexagon")


def colour(place: int) -> str:
    """The colour of the condition at a place; comes again after six."""
    return _COLOURS[place % len(_COLOURS)]


def dash(place: int) -> str:
    """The dash of the condition at a place; comes again after six."""
    return _DASHES[place % len(_DASHES)]


def marker(place: int) -> str:
    """The marker of the condition at a place; comes again after seven, so with another colour: 42 looks in all."""
    return _MARKERS[place % len(_MARKERS)]
