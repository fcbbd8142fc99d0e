"""Dynamic time warping of two series of numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError


class Warping(NamedTuple):
    """The best alignment.

    Args:
        cost: sum of |x_i − y_j| over its matched pairs; 0 when one series is the other at another pace.
        length: how many pairs; of alignments with equal cost, the shortest.
        mean_cost: cost / length, in the unit of the series.
    """

    cost: float
    length: int
    mean_cost: float


def dtw(x: NDArray[np.float64], y: NDArray[np.float64]) -> Warping:
    """Match every value of each series with at least one of the other, in order, at the least total cost.

    A step moves on in one series or in both; first matches first and last matches last; no window.

    Args:
        x: [n] finite numbers.
        y: [m] finite numbers.

    Raises:
        MetricInputError: an empty series, or a value that is not finite.

    Source: Sakoe & Chiba 1978, symmetric steps without weights. The mean over pairs is ours: a sum would grow
    with the length of the series. O(n·m).
    """
    for name, series in (("x", x), ("y", y)):
        if series.ndim != 1 or not len(series) or not np.isfinite(series).all():
            raise MetricInputError(
                f"dtw: {name} has shape {series.shape}; expected finite numbers, at least one"
            )
    gaps = np.abs(x[:, None] - y[None, :]).tolist()
    row = [(0.0, 0)] + [(float("inf"), 0)] * len(y)
    for costs in gaps:
        left = (float("inf"), 0)
        after = [left]
        for j, cost in enumerate(costs):
            best = min(left, row[j], row[j + 1])
            left = (best[0] + cost, best[1] + 1)
            after.append(left)
        row = after
    total, length = row[-1]
    return Warping(total, length, total / length)
