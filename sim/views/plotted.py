"""What a chart shows: its numbers, a title that says what they are, and the same in words."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd


class Plotted(NamedTuple):
    """All that a page needs to draw a chart.

    Args:
        frame: the numbers; the view that made it names the columns.
        title: what is shown, with its units and what bands are.
        alt: what it says, in words: the chart's text alternative.
    """

    frame: pd.DataFrame
    title: str
    alt: str
