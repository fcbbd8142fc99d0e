"""How near a simulated group opinion comes to a real one: bias and diversity, step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.series.warping import dtw

Series = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GroupSeries:
    """Mean and spread of a group's attitudes at each step.

    Args:
        bias: [T] mean attitude in [−1, 1]; 0 is balanced or neutral. NaN where nobody has one.
        diversity: [T] population standard deviation in [0, 1]; 0 all alike, 1 half at each end.

    Source: EvoBot (arXiv 2508.17711) and HiSim (arXiv 2402.16333). Diversity is the standard deviation, as the
    texts say; HiSim's code takes the variance.
    """

    bias: Series
    diversity: Series

    def __post_init__(self) -> None:
        if self.bias.ndim != 1 or self.bias.shape != self.diversity.shape:
            raise MetricInputError(
                f"series: bias has shape {self.bias.shape} and diversity {self.diversity.shape}; "
                "expected one number a step in each"
            )

    def __len__(self) -> int:
        return len(self.bias)


def group_series(attitudes: NDArray[np.float64]) -> GroupSeries:
    """Mean and spread over the people of each step.

    Args:
        attitudes: [T, N]; NaN for a person without an attitude at a step, who is left out of it.
    """
    known = np.isfinite(attitudes)
    count = known.sum(axis=1)
    filled = np.where(known, attitudes, 0.0)
    mean = np.divide(filled.sum(axis=1), count, out=np.full(len(count), np.nan), where=count > 0)
    squares = np.where(known, (attitudes - mean[:, None]) ** 2, 0.0).sum(axis=1)
    variance = np.divide(squares, count, out=np.full(len(count), np.nan), where=count > 0)
    return GroupSeries(mean, np.sqrt(variance))


def shares_series(approve: Series, disapprove: Series) -> GroupSeries:
    """Mean and spread of a ±1 opinion from two shares; whoever does neither counts as 0.

    With a and d the shares: mean = a − d, variance = a + d − (a − d)².

    Args:
        approve: [T] shares in [0, 1].
        disapprove: [T] shares in [0, 1]; the two add up to at most 1.

    Raises:
        MetricInputError: for shares out of range.

    Source: ours, for the moments of a variable that is 1, −1 or 0.
    """
    total = approve + disapprove
    if not (np.all(approve >= 0) and np.all(disapprove >= 0) and np.all(total <= 1 + 1e-9)):
        raise MetricInputError("shares: expected numbers of at least 0 that add up to at most 1")
    mean = approve - disapprove
    return GroupSeries(mean, np.sqrt(np.maximum(total - mean**2, 0.0)))


@dataclass(frozen=True, slots=True)
class SeriesAgreement:
    """How near a simulated series comes to a real one, over the steps that both have.

    Args:
        steps: steps compared.
        bias: mean simulated bias over them.
        diversity: mean simulated diversity.
        delta_bias: mean |simulated − real| of the bias, in [0, 2]; 0 is a perfect copy.
        delta_diversity: the same of the diversity, in [0, 1].
        dtw_bias: dynamic time warping of the bias series, mean cost of a matched pair: forgives a shift in
            time, so at most delta_bias.
        dtw_diversity: the same of the diversity.
        pearson_bias: correlation of the two bias series in [−1, 1]: 1 they move together, 0 unrelated,
            negative against each other, whatever their level; NaN when either does not move.
        pearson_diversity: the same of the diversity.
    """

    steps: int
    bias: float
    diversity: float
    delta_bias: float
    delta_diversity: float
    dtw_bias: float
    dtw_diversity: float
    pearson_bias: float
    pearson_diversity: float


def agreement(simulated: GroupSeries, real: GroupSeries) -> SeriesAgreement:
    """Compare two series of equal length; steps at which either is NaN are left out.

    Raises:
        MetricInputError: for unequal lengths, or no step that both have.

    Source: bias, diversity and their Δ: EvoBot table 5; Pearson and dynamic time warping: HiSim.
    """
    if len(simulated) != len(real):
        raise MetricInputError(f"series: {len(simulated)} steps against {len(real)}; expected as many")
    parts = np.column_stack([simulated.bias, simulated.diversity, real.bias, real.diversity])
    parts = parts[np.isfinite(parts).all(axis=1)]
    if not len(parts):
        raise MetricInputError("series: no step at which both have a value")
    bias, diversity, real_bias, real_diversity = parts.T
    return SeriesAgreement(
        steps=len(parts),
        bias=float(bias.mean()),
        diversity=float(diversity.mean()),
        delta_bias=float(np.abs(bias - real_bias).mean()),
        delta_diversity=float(np.abs(diversity - real_diversity).mean()),
        dtw_bias=dtw(bias, real_bias).mean_cost,
        dtw_diversity=dtw(diversity, real_diversity).mean_cost,
        pearson_bias=pearson(bias, real_bias),
        pearson_diversity=pearson(diversity, real_diversity),
    )


def pearson(x: Series, y: Series) -> float:
    """Pearson's correlation: 1 together, 0 unrelated, −1 against each other.

    Returns:
        In [−1, 1]; NaN with fewer than two values or when either is constant (to 12 digits), where it is
        not defined.
    """
    if len(x) < 2:
        return float("nan")
    a, b = x - x.mean(), y - y.mean()
    if np.abs(a).max() <= 1e-12 or np.abs(b).max() <= 1e-12:
        return float("nan")
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    return float(np.clip((a @ b) / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))
