"""How many communities there effectively are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError


def hill_number(sizes: NDArray[np.int64], order: float) -> float:
    """The effective number of communities: how many equal ones would be as diverse.

    Order 0 counts communities whatever their size; 1 is exp(Shannon entropy) and weighs them by size; 2 is
    1 / Σ share² (inverse Simpson) and counts large ones more. Never rising in the order. k equal communities
    give k at every order; one gives 1; never below 1.

    Args:
        sizes: members of each community, ≥ 1.
        order: q ≥ 0, infinity included (1 / the largest share).

    Returns:
        In [1, len(sizes)]; NaN without communities.

    Raises:
        MetricInputError: a community without members, or an order below 0.

    Source: Hill 1973; its use for communities is ours (order 1: arXiv 2606.02437 table 6).
    """
    if not order >= 0.0:
        raise MetricInputError(f"order: got {order}; expected a number of at least 0")
    counts = np.asarray(sizes, dtype=np.float64)
    if (counts < 1).any():
        raise MetricInputError(f"sizes: got {counts.min():g}; expected communities of at least 1 member")
    if not len(counts):
        return float("nan")
    shares = counts / counts.sum()
    if order == 1.0:
        return float(np.exp(-np.sum(shares * np.log(shares))))
    if np.isinf(order):
        return float(1.0 / shares.max())
    return float(np.sum(shares**order) ** (1.0 / (1.0 - order)))
