"""Whether our runs find what the published study printed: row by row, a reading that intervals decide."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.intervals import t_interval
from metrics.published import CROSS_SIDE_EXPOSURE, SIZES, published_frame
from metrics.rounding import all_equal

Quantity = Literal["lora", "difference", "ratio"]
Reading = Literal[
    "replicates",
    "same direction, unsure",
    "other direction, unsure",
    "contradicts",
    "no change",
    "printed both ways",
    "overlaps",
    "above",
    "below",
    "no value",
]
"""Of a change against the base:

- `replicates`: our interval leaves out "no change", on the side of every printed size;
- `contradicts`: it leaves it out on the other side;
- `same direction, unsure` and `other direction, unsure`: it holds "no change", or has no width (one seed, or all
  changed alike, which shows no spread); our mean is on the printed side, or not;
- `printed both ways`: the printed sizes lie on both sides of "no change", so there is nothing to find again.

Of a level under `lora`, against the span of the printed sizes: `overlaps`, `above` or `below`, as our interval does,
or with one seed our value. `no value`: ours has none.
"""

READINGS: tuple[Reading, ...] = get_args(Reading)
COLUMNS = ("metric", "n", "quantity", "value", "low", "high", *(f"paper_{n}" for n in SIZES), "reading")
SPANNED = "cross_side_exposure"
"""Of which the study prints the least and the greatest value, not one for each size."""
_NO_CHANGE = {"difference": 0.0, "ratio": 1.0}
_OURS = {"difference": ("difference", "low", "high"), "ratio": ("ratio", "ratio_low", "ratio_high")}


def replication(values: pd.DataFrame, compared: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Every printed row with ours beside it.

    Sizes and numbers of steps differ from the study's, so levels and counts may well differ; the readings of
    changes ask for their direction alone, which is what a smaller experiment can find again.

    Args:
        values: columns `condition`, `n`, `seed`, `metric`, `value`, as `paired_differences` takes them.
        compared: of `paired_differences`, `lora` against `shared_base`.
        confidence: of the intervals of levels, in (0, 1); that of `compared` should be the same.

    Returns:
        One row for each size of `compared`, printed metric and quantity: `metric`, `n`, `quantity` (`lora` the level,
        `difference` and `ratio` against the base), `value` with `low` and `high` (NaN for one seed), the printed
        numbers as `paper_128`, `paper_256` and `paper_512` (NaN where none is), and `reading`, one of `READINGS`.
        The last rows are the cross-side exposure, of which the study prints a span: its ends are the first and
        the last paper column.

    Raises:
        MetricInputError: a metric of the study is missing from `compared`.

    Source: arXiv 2606.02437 tables 6–7; the readings are ours.
    """
    rows = [
        _row(metric, n, quantity, printed, _found(values, compared, metric, n, quantity, confidence))
        for n in sorted(compared["n"].unique())
        for metric, quantity, printed in _printed()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _printed() -> list[tuple[str, Quantity, NDArray[np.float64]]]:
    """Metric, quantity and the printed numbers by size, in printed order."""
    frame = published_frame()
    wide = frame.set_index(["metric", "n"])
    rows = [
        (metric, quantity, numbers)
        for metric in frame["metric"].unique()
        for quantity in get_args(Quantity)
        if not np.isnan(numbers := wide.loc[metric, quantity].reindex(SIZES).to_numpy()).all()
    ]
    low, high = CROSS_SIDE_EXPOSURE
    return [*rows, (SPANNED, "lora", np.array([low, np.nan, high]))]


def _found(
    values: pd.DataFrame, compared: pd.DataFrame, metric: str, n: int, quantity: Quantity, confidence: float
) -> tuple[float, float, float]:
    """Our value with the ends of its interval."""
    if quantity == "lora":
        keys = values[["condition", "n", "metric"]].eq(["lora", n, metric]).all(axis=1)
        levels = values.loc[keys, "value"].dropna().to_numpy()
        return (float(levels.mean()) if len(levels) else float("nan"), *t_interval(levels, confidence))
    rows = compared[compared[["n", "metric"]].eq([n, metric]).all(axis=1)]
    if len(rows) != 1:
        raise MetricInputError(
            f"compared: {len(rows)} rows for {metric} at n {n}; expected one, of lora against shared_base"
        )
    value, low, high = rows.iloc[0][list(_OURS[quantity])]
    return float(value), float(low), float(high)


def _row(
    metric: str,
    n: int,
    quantity: Quantity,
    printed: NDArray[np.float64],
    found: tuple[float, float, float],
) -> dict[str, object]:
    spanned = printed[~np.isnan(printed)]
    if quantity == "lora":
        reading = _level(*found, spanned)
    else:
        none = _NO_CHANGE[quantity]
        value, low, high = found
        reading = _change(value - none, low - none, high - none, spanned - none)
    return dict(zip(COLUMNS, (metric, int(n), quantity, *found, *printed, reading), strict=True))


def _level(value: float, low: float, high: float, printed: NDArray[np.float64]) -> Reading:
    if np.isnan(value):
        return "no value"
    if (value if np.isnan(low) else low) > printed.max():
        return "above"
    return "below" if (value if np.isnan(high) else high) < printed.min() else "overlaps"


def _change(value: float, low: float, high: float, printed: NDArray[np.float64]) -> Reading:
    """All as distances from "no change"."""
    if np.isnan(value):
        return "no value"
    if printed.min() < 0 < printed.max():
        return "printed both ways"
    if value == 0:
        return "no change"
    way = np.sign(printed).sum()
    spread = not all_equal(np.array([low, high]))
    if spread and (low > 0 or high < 0):
        return "replicates" if value * way > 0 else "contradicts"
    return "same direction, unsure" if value * way > 0 else "other direction, unsure"
