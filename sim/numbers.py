"""Numbers as people and programs read them."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

from metrics.power import MOST_SEEDS


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


def counted(count: int, what: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def seeds(count: float) -> str:
    """How many seeds a contrast needs; a dash where that is unknown."""
    if pd.isna(count):
        return "–"
    return f"{count:,.0f}" if math.isfinite(count) else f"> {MOST_SEEDS:,}"


def to_json(value: Any) -> str:
    """Indented JSON; what has no value (NaN, infinity) is null."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value
