"""Numbers that floating point tells apart although they are equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RELATIVE = 1e-12
"""Numbers nearer than this part of the largest are taken as equal: far above rounding, far below any effect."""


def all_equal(values: NDArray[np.floating[Any]]) -> bool:
    """Whether numbers differ by rounding at most, so that their spread is none.

    Without this, 0.3 − 0.2 and 0.4 − 0.3 would be two differences with a spread of 10⁻¹⁷, and anything divided
    by it a huge effect or a perfect correlation.

    Args:
        values: [n], finite; of fewer than two all are equal.
    """
    return len(values) < 2 or float(np.ptp(values)) <= RELATIVE * float(np.abs(values).max())


def differences(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """a − b, exactly 0 where they differ by rounding only.

    Args:
        a: [n], finite.
        b: [n], finite.
    """
    change = a - b
    return np.where(np.abs(change) <= RELATIVE * np.maximum(np.abs(a), np.abs(b)), 0.0, change)
