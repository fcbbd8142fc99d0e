"""p-values of many measures at once, so that looking at many does not find what is not there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.errors import MetricInputError


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values that bound the chance of even one false finding in the family.

    Below 0.05: at most one family in twenty without any true change would show this. Holds under any
    dependence between the measures.

    Args:
        p_values: [m], in [0, 1]; NaN for measures without a test, which count for nothing.

    Returns:
        [m], never below the p-values; NaN stays NaN.

    Raises:
        MetricInputError: a value outside [0, 1].

    Source: Holm 1979.
    """
    adjusted, tested = _family(p_values)
    order = tested[np.argsort(adjusted[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * adjusted[order]), 1.0)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values (q) that bound the expected share of false findings among those called findings.

    Calling everything below 0.05 a finding, one in twenty of them is expected to be none. Less strict than
    `holm`; holds for independent or positively dependent measures.

    Args:
        p_values: as `holm`.

    Returns:
        As `holm`.

    Raises:
        MetricInputError: as `holm`.

    Source: Benjamini and Hochberg 1995; scipy's `false_discovery_control`.
    """
    adjusted, tested = _family(p_values)
    if len(tested):
        from scipy.stats import false_discovery_control

        adjusted[tested] = false_discovery_control(adjusted[tested], method="bh")
    return adjusted


def _family(p_values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """A copy of the values, and the places of those that are tests."""
    values = np.array(p_values, dtype=np.float64).ravel()
    tested = np.flatnonzero(~np.isnan(values))
    if len(tested) and not (values[tested].min() >= 0.0 and values[tested].max() <= 1.0):
        raise MetricInputError("p_values: expected numbers from 0 to 1, or NaN where there is no test")
    return values, tested
