"""Whether opinions stand in two camps: bimodality, and Esteban and Ray's polarization."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.rounding import all_equal
from metrics.stance_bands import band_of

ALPHA = 1.3
"""In the middle of the range [1, 1.6] that Esteban and Ray's axioms leave."""


def bimodality_coefficient(stance: pd.Series[float], form: Literal["sas", "sarle"] = "sas") -> float:
    """Sarle's coefficient: (skewness² + 1) / kurtosis.

    1: two points, however uneven (in the `sas` form only as n grows); 5/9: uniform; 1/3: normal; near 0: heavy
    tails. Never negative. A hint and no test: one skewed hill scores high, too.

    Args:
        stance: per user; NaN for users who showed none, who are left out. The unit does not matter.
        form: `sas` corrects both moments for small samples, as SAS does; `sarle` takes the moments as they are.

    Returns:
        In (0, 1]; NaN with fewer than four users or when all stand at one point.

    Source: SAS/STAT User's Guide, PROC CLUSTER (`sas`); Pfister et al. 2013, Front. Psychol. 4:700.
    """
    values = stance.dropna().to_numpy(dtype=np.float64)
    n = len(values)
    if n < 4 or all_equal(values):
        return float("nan")
    z = (values - values.mean()) / values.std()
    skewness, kurtosis = float(np.mean(z**3)), float(np.mean(z**4))
    if form == "sarle":
        return (skewness**2 + 1.0) / kurtosis
    skewness *= np.sqrt(n * (n - 1)) / (n - 2)
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (kurtosis - 3.0) + 6.0)
    return float((skewness**2 + 1.0) / (excess + 3.0 * (n - 1) ** 2 / ((n - 2) * (n - 3))))


def esteban_ray(masses: NDArray[np.float64], positions: NDArray[np.float64], alpha: float = ALPHA) -> float:
    """Polarization of given groups: K Σᵢ Σⱼ πᵢ^(1+α) πⱼ |yᵢ − yⱼ|, with K = 2^α.

    1: two halves at −1 and 1; 0: a single group, or all at one point; never negative. It grows with the
    likeness inside groups as well as with the distance between them, where a variance knows only the latter.

    Args:
        masses: [groups], sizes ≥ 0 of which one at least is > 0; only their shares π count.
        positions: [groups], y in [−1, 1]: a group's mean stance.
        alpha: α in (0, 1.6], how much belonging to a large group counts; at 0 it would be twice the Gini.

    Returns:
        In [0, 1].

    Raises:
        MetricInputError: an α out of range, or masses and positions that do not fit together.

    Source: Esteban & Ray 1994, Econometrica 62(4), theorem 1; the scale K is ours.
    """
    if not 0.0 < alpha <= 1.6:
        raise MetricInputError(f"alpha: got {alpha}; expected a number in (0, 1.6]")
    if masses.shape != positions.shape or masses.ndim != 1:
        raise MetricInputError(
            f"masses {masses.shape} and positions {positions.shape}: expected one of each a group"
        )
    if not (masses >= 0).all() or masses.sum() <= 0:
        raise MetricInputError("masses: expected sizes of at least 0, with some group above 0")
    if not (np.abs(positions) <= 1).all():
        raise MetricInputError("positions: expected numbers in [−1, 1]")
    share = masses / masses.sum()
    apart = np.abs(positions[:, None] - positions[None, :])
    return float(2.0**alpha * (share ** (1.0 + alpha)) @ apart @ share)


def esteban_ray_polarization(
    stance: pd.Series[float], alpha: float = ALPHA, *, groups: int | pd.Series[Any] = 5
) -> float:
    """Esteban and Ray's polarization of a population.

    Args:
        stance: per user, in [−1, 1]; NaN for users who showed none, who are left out.
        alpha: as `esteban_ray`.
        groups: number of equal parts into which [−1, 1] is cut, at least 2, users of a part being one group
            (an odd number keeps the neutral together); or a label for every user, such as their side. Either
            way a group stands at its members' mean stance.

    Returns:
        In [0, 1]; NaN with fewer than two users with a stance (and a label).

    Raises:
        MetricInputError: as `esteban_ray`, fewer than two parts, or a stance beyond [−1, 1].

    Source: Esteban & Ray 1994; cutting [−1, 1] into five parts is ours.
    """
    known = stance.dropna()
    if len(known) and not known.between(-1.0, 1.0).all():
        raise MetricInputError("stance: expected numbers in [−1, 1]")
    if isinstance(groups, int):
        if groups < 2:
            raise MetricInputError(f"groups: got {groups}; expected at least 2 parts of [−1, 1]")
        labels = band_of(known, groups)
    else:
        labels = groups.reindex(known.index).dropna()
        known = known[labels.index]
    if len(known) < 2:
        return float("nan")
    of = known.groupby(labels.to_numpy())
    masses, positions = of.size().to_numpy(dtype=np.float64), of.mean().to_numpy(dtype=np.float64)
    return esteban_ray(np.asarray(masses), np.asarray(positions), alpha)
