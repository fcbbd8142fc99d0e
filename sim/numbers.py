"""Numbers as people read them."""

from __future__ import annotations

import math

import pandas as pd


def number(value: float | None, *, signed: bool = False) -> str:
    """Three digits that matter; a dash where there is no value."""
    if value is None or pd.isna(value):
        return "–"
    if math.isfinite(value) and abs(value) >= 1000:
        return f"{value:+,.0f}" if signed else f"{value:,.0f}"
    return f"{value:+.3g}" if signed else f"{value:.3g}"


def interval(low: float, high: float) -> str:
    """`[low, high]`, or a dash."""
    return "–" if pd.isna(low) or pd.isna(high) else f"[{number(low)}, {number(high)}]"
