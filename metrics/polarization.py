"""How far apart two sides stand, and how much their members differ among themselves."""

from __future__ import annotations

from typing import Any

import pandas as pd


def polarization_distance(
    stance: pd.Series[float], side: pd.Series[Any], *, positive: str, negative: str
) -> float:
    """Mean stance of the positive side minus mean stance of the negative side, signed.

    2: the sides stand at opposite ends, each at its own; 1: half of that (a score near 0.5 each way);
    0: no difference of means (which one shared extreme gives too); negative: the sides have crossed over.

    Args:
        stance: per user, in [−1, 1]; NaN for users who showed none, who are left out.
        side: per user, aligned by index; other labels and missing ones are left out.
        positive: label whose stance counts up, such as `supportive`.
        negative: the other, such as `skeptical`.

    Returns:
        In [−2, 2]; NaN when either side has nobody with a stance.

    Source: arXiv 2606.02437 tables 6–7 (final polarization distance); the formula is ours.
    """
    return mean_stance(stance, side, positive) - mean_stance(stance, side, negative)


def mean_stance(stance: pd.Series[float], side: pd.Series[Any], which: str) -> float:
    """Mean stance of one side: 1 all at the positive end, 0 balanced, negative towards the other end.

    Returns:
        In [−1, 1]; NaN when nobody on that side has a stance.

    Source: attitude bias of a group, as in HiSim (arXiv 2402.16333).
    """
    return float(_of_side(stance, side, which).mean())


def within_side_std(stance: pd.Series[float], side: pd.Series[Any], which: str) -> float:
    """Standard deviation of stance within one side: how unlike its members are.

    1: members split evenly between both ends; 0: all alike; never negative. Population form (divided by n),
    since the users are all there are: doubling the population leaves it as it is.

    Returns:
        In [0, 1]; NaN with fewer than two users with a stance, where difference has no meaning.

    Source: arXiv 2606.02437 tables 6–7 (supportive and skeptical stance std); the form is ours.
    """
    values = _of_side(stance, side, which)
    return float(values.std(ddof=0)) if len(values) >= 2 else float("nan")


def _of_side(stance: pd.Series[float], side: pd.Series[Any], which: str) -> pd.Series[float]:
    return stance[(side == which).reindex(stance.index, fill_value=False)].dropna()
