"""The look of figures: conditions can be told apart, also without colour."""

from __future__ import annotations

from agents.bindings import CONDITIONS
from sim.figure_style import colour, dash, marker


def test_as_many_looks_as_there_are_conditions() -> None:
    """Language agents and all opinion models in one figure."""
    looks = [(colour(place), dash(place), marker(place)) for place in range(len(CONDITIONS))]
    assert len(set(looks)) == len(CONDITIONS)
