"""Means over seeds with their intervals, for many groups at once: the bands of plots over steps, sizes or seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from metrics.errors import MetricInputError

BAND_COLUMNS = ["n_seeds", "mean", "low", "high", "least", "most"]


def seed_bands(values: pd.DataFrame, by: Sequence[str], confidence: float = 0.95) -> pd.DataFrame:
    """Mean over seeds of each group, with Student's interval and the range.

    The interval is that of `metrics.intervals.t_interval`, group by group. It speaks about one condition alone:
    whether two conditions differ is told by the interval of their paired differences, since seeds that shift
    both alike widen these bands and not that one.

    Args:
        values: a column `value` (NaN is left out) and those of `by`; the rows of a group are its seeds.
        by: columns that make a group.
        confidence: in (0, 1).

    Returns:
        One row a group that has a value, sorted by group: `by`, `n_seeds`, `mean`, `low` and `high` (NaN for
        one seed, from which no spread can be known), `least` and `most` of any seed.

    Raises:
        MetricInputError: a missing column, or a confidence out of range.

    Source: Student 1908; df = n − 1.
    """
    if missing := [c for c in (*by, "value") if c not in values.columns]:
        raise MetricInputError(
            f"values: no column {', '.join(missing)}; expected {', '.join([*by, 'value'])}"
        )
    if not 0.0 < confidence < 1.0:
        raise MetricInputError(
            f"confidence: got {confidence}; expected a number between 0 and 1, such as 0.95"
        )
    known = values.dropna(subset="value").astype({"value": "float64"})
    if known.empty:
        return pd.DataFrame(columns=[*by, *BAND_COLUMNS])
    from scipy.stats import t

    bands = (
        known.groupby(list(by), observed=True)["value"]
        .agg(n_seeds="size", mean="mean", std="std", least="min", most="max")
        .reset_index()
    )
    n = bands["n_seeds"].to_numpy()
    half = t.ppf(0.5 + confidence / 2, np.maximum(n - 1, 1)) * bands["std"] / np.sqrt(n)
    return bands.assign(low=bands["mean"] - half, high=bands["mean"] + half)[[*by, *BAND_COLUMNS]]
