"""How large a paired change is, in units of its own spread and by ranks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.errors import MetricInputError
from metrics.rounding import all_equal

FEWEST = 3
"""Pairs from which an effect size is given: with two, the correction for few values leaves nothing."""


def cohen_dz(changes: ArrayLike) -> float:
    """Mean change over the standard deviation of changes.

    1: the mean change is as large as its usual deviation from seed to seed; 0: none on average; negative: a
    fall. It speaks about how regular a change is, not about how much it matters.

    Args:
        changes: [n] paired differences, finite.

    Returns:
        Any real number; NaN for fewer than two values, or when all are equal but for rounding (nothing varied: no
        unit).

    Source: Cohen 1988 §2.3.5 (d_z).
    """
    sample = _sample(changes)
    if all_equal(sample):
        return float("nan")
    return float(sample.mean() / sample.std(ddof=1))


def hedges_gz(changes: ArrayLike) -> float:
    """`cohen_dz` without its bias upwards for few values.

    Args:
        changes: [n] paired differences, finite.

    Returns:
        As `cohen_dz`, nearer to 0; NaN for fewer than `FEWEST` values, or when all are equal.

    Source: Hedges 1981 eq. 6e, J(m) = Γ(m/2) / (√(m/2) Γ((m − 1)/2)), with m = n − 1.
    """
    freedom = len(_sample(changes)) - 1
    if freedom + 1 < FEWEST:
        return float("nan")
    log_j = math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2) - 0.5 * math.log(freedom / 2)
    return math.exp(log_j) * cohen_dz(changes)


def rank_biserial(changes: ArrayLike) -> float:
    """Matched-pairs rank-biserial correlation: rank sum of the rises minus that of the falls, over both.

    1: every pair rose; 0: rises and falls weigh the same; −1: every pair fell. Only ranks of sizes enter, so
    one wild seed cannot make it.

    Args:
        changes: [n] paired differences, finite; those that are 0 are left out.

    Returns:
        In [−1, 1]; NaN without a change.

    Source: King, Rosopa and Minium 2000; Kerby 2014 (simple difference formula), on Wilcoxon's signed ranks.
    """
    sample = _sample(changes)
    sample = sample[sample != 0.0]
    if not len(sample):
        return float("nan")
    from scipy.stats import rankdata

    ranks = rankdata(np.abs(sample))
    return float(np.sum(np.sign(sample) * ranks) / ranks.sum())


def _sample(changes: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(changes, dtype=np.float64).ravel()
    if not np.isfinite(sample).all():
        raise MetricInputError("changes: expected finite numbers; drop and count missing pairs first")
    return sample
