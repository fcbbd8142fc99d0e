"""How widely opinions are spread, without regard to sides."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd


class Dispersion(NamedTuple):
    """Three views of one spread; population forms, since the users are all there are.

    Args:
        std: standard deviation, [0, 1]; 1 when half stand at either end.
        variance: its square, [0, 1]. HiSim's code calls this diversity, its text the standard deviation.
        mad: median absolute deviation from the median, [0, 1]; unmoved by a few extreme users. Unscaled: for a
            normal spread multiply by 1.4826 to compare it with `std`.
        n: users with a stance.
    """

    std: float
    variance: float
    mad: float
    n: int


def dispersion(stance: pd.Series[float]) -> Dispersion:
    """Spread of the stances of a population.

    0 everywhere: all alike; never negative. Moving every stance by the same amount changes nothing.

    Args:
        stance: per user, in [−1, 1]; NaN for users who showed none, who are left out.

    Returns:
        NaN in all three with fewer than two users, where spread has no meaning.

    Source: std as diversity, arXiv 2402.16333; median absolute deviation, Hampel 1974.
    """
    values = stance.dropna().to_numpy(dtype=np.float64)
    if len(values) < 2:
        return Dispersion(float("nan"), float("nan"), float("nan"), len(values))
    distance = np.abs(values - np.median(values))
    return Dispersion(float(values.std()), float(values.var()), float(np.median(distance)), len(values))
