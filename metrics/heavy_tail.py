"""Whether counts such as engagement per post have a power-law tail, asked the careful way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.errors import MetricInputError

FEWEST_IN_TAIL = 50
"""Values from which an exponent is estimated (Clauset, Shalizi and Newman 2009 §3.2, §3.4: n ≳ 50)."""
FEWEST_DIFFERENT = 3
"""Different values from which a shape can be told at all."""
RESAMPLES = 100
"""Synthetic samples behind the goodness-of-fit p: right to about 0.05 (the same paper, §4.1)."""
_STEEPEST = 12.0
_FLATTEST = 1.01

Counts = NDArray[np.int64]


class PowerLawFit(NamedTuple):
    """A discrete power law p(x) ∝ x^−alpha for x ≥ xmin, how well it fits, and whether a log-normal fits better.

    Args:
        n: values of at least 1.
        n_tail: values of at least `xmin`.
        alpha: exponent; smaller means a heavier tail (2 to 3 is usual).
        xmin: where the tail begins.
        distance: Kolmogorov–Smirnov distance of tail and fit: 0 equal.
        p_value: share of samples from the fitted law that lie further off (or allow no fit); at most 0.1
            rules the law out, above it the law is possible, not proven.
        ratio: log-likelihood ratio against a log-normal, in its own standard errors: above 0 the power law
            is the likelier, below 0 the log-normal.
        ratio_p: two-sided p of "both are as likely"; above 0.1 the data cannot tell.
        reason: why there is no fit; empty where there is. Without a fit all floats are NaN, `xmin` is 0.
    """

    n: int
    n_tail: int
    alpha: float
    xmin: int
    distance: float
    p_value: float
    ratio: float
    ratio_p: float
    reason: str


def fit_power_law(values: ArrayLike, *, rng: np.random.Generator, resamples: int = RESAMPLES) -> PowerLawFit:
    """Fit a discrete power law to the upper tail, and doubt it.

    Args:
        values: [n] whole numbers ≥ 0; zeros are left out (a power law has none).
        rng: draws the synthetic samples.
        resamples: at least 1.

    Returns:
        The fit; with `reason` instead when fewer than `FEWEST_IN_TAIL` values are at least 1, or fewer than
        `FEWEST_DIFFERENT` different ones are.

    Raises:
        MetricInputError: negative values or fractions.

    Source: Clauset, Shalizi and Newman 2009: exponent by maximum likelihood (eq. 3.5), xmin by least
    Kolmogorov–Smirnov distance (§3.3), p by semiparametric bootstrap (§4.1), Vuong's ratio against the
    log-normal (§5, appendix C). That xmin leaves `FEWEST_IN_TAIL` values is ours.
    """
    counts = _counts(values)
    n = len(counts)
    if n < FEWEST_IN_TAIL:
        return _no_fit(n, f"{n} values of at least 1; a fit needs {FEWEST_IN_TAIL}")
    found = _best_tail(counts)
    if found is None:
        return _no_fit(n, f"fewer than {FEWEST_DIFFERENT} different values in any tail of {FEWEST_IN_TAIL}")
    tail = counts[counts >= found.xmin]
    further = [
        (again := _best_tail(_resample(counts, found, rng))) is None or again.distance >= found.distance
        for _ in range(resamples)
    ]
    ratio, ratio_p = _against_log_normal(tail, found)
    return PowerLawFit(
        n=n,
        n_tail=len(tail),
        alpha=found.alpha,
        xmin=found.xmin,
        distance=found.distance,
        p_value=float(np.mean(further)),
        ratio=ratio,
        ratio_p=ratio_p,
        reason="",
    )


def power_law_sample(alpha: float, xmin: int, size: int, rng: np.random.Generator) -> Counts:
    """Draw from p(x) ∝ x^−alpha, x ≥ xmin, exactly.

    Args:
        alpha: above 1.
        xmin: at least 1.
        size: how many.
        rng: the source of chance.

    Returns:
        [size], capped at 2⁵³.

    Source: Clauset et al. 2009 appendix D (search by doubling, then by halving).
    """
    from scipy.special import zeta

    # the largest x with P(X ≥ x) ≥ u: survival falls, so double until it is below, then halve the gap
    wanted = (1.0 - rng.random(size)) * zeta(alpha, xmin)
    low = np.full(size, float(xmin))
    high = 2.0 * low
    while (short := (zeta(alpha, high) >= wanted) & (high < _LARGEST)).any():
        low = np.where(short, high, low)
        high = np.where(short, 2.0 * high, high)
    while (high - low > 1.0).any():
        middle = np.floor((low + high) / 2)
        within = zeta(alpha, middle) >= wanted
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return low.astype(np.int64)


_LARGEST = 2.0**53


class _Tail(NamedTuple):
    alpha: float
    xmin: int
    distance: float


def _counts(values: ArrayLike) -> Counts:
    numbers = np.asarray(values, dtype=np.float64).ravel()
    if len(numbers) and not ((numbers >= 0) & (numbers == np.floor(numbers))).all():
        raise MetricInputError("values: expected whole numbers ≥ 0, such as engagements per post")
    return np.sort(numbers[numbers >= 1]).astype(np.int64)


def _no_fit(n: int, reason: str) -> PowerLawFit:
    nan = float("nan")
    return PowerLawFit(n, 0, nan, 0, nan, nan, nan, nan, reason)


def _best_tail(counts: Counts) -> _Tail | None:
    """The tail that lies nearest to its own power law; of equally near ones the longest."""
    different, first = np.unique(counts, return_index=True)
    tails = [
        _fit_tail(different[place:], np.diff([*first[place:], len(counts)]))
        for place in range(len(different) - FEWEST_DIFFERENT + 1)
        if len(counts) - first[place] >= FEWEST_IN_TAIL
    ]
    return min(tails, key=lambda tail: tail.distance, default=None)


def _fit_tail(different: Counts, how_often: Counts) -> _Tail:
    """Maximum-likelihood exponent of a whole tail, and its distance from the law."""
    from scipy.optimize import minimize_scalar
    from scipy.special import zeta

    n, xmin = int(how_often.sum()), int(different[0])
    mean_log = float(how_often @ np.log(different)) / n
    best = minimize_scalar(
        lambda alpha: alpha * mean_log + np.log(zeta(alpha, xmin)),
        bounds=(_FLATTEST, _STEEPEST),
        method="bounded",
    )
    alpha = float(best.x)
    model = 1.0 - zeta(alpha, different + 1.0) / zeta(alpha, xmin)
    just_below = 1.0 - zeta(alpha, different.astype(np.float64)) / zeta(alpha, xmin)
    reached = np.cumsum(how_often) / n
    before = np.concatenate([[0.0], reached[:-1]])
    return _Tail(alpha, xmin, float(max(np.abs(reached - model).max(), np.abs(before - just_below).max())))


def _resample(counts: Counts, found: _Tail, rng: np.random.Generator) -> Counts:
    """As many values: below xmin from the data, above from the law, in the proportions of the data."""
    below = counts[counts < found.xmin]
    from_tail = int(rng.binomial(len(counts), 1.0 - len(below) / len(counts)))
    law = power_law_sample(found.alpha, found.xmin, from_tail, rng)
    body = rng.choice(below, len(counts) - from_tail) if len(below) else np.zeros(0, np.int64)
    return np.sort(np.concatenate([body, law]))


def _against_log_normal(tail: Counts, found: _Tail) -> tuple[float, float]:
    """Vuong's normalised log-likelihood ratio and its two-sided p."""
    from scipy.special import erfc, zeta

    different, how_often = np.unique(tail, return_counts=True)
    logs = np.log(different)
    mu, sigma = _fit_log_normal(different, how_often, found.xmin)
    power_law = -found.alpha * logs - np.log(zeta(found.alpha, found.xmin))
    each = power_law - _log_normal(different, found.xmin, mu, sigma)
    n = int(how_often.sum())
    total = float(how_often @ each)
    deviation = float(np.sqrt(max(how_often @ (each - total / n) ** 2 / n, 0.0)))
    if deviation == 0.0:
        return 0.0, 1.0
    ratio = total / (deviation * np.sqrt(n))
    return float(ratio), float(erfc(abs(ratio) / np.sqrt(2.0)))


def _fit_log_normal(different: Counts, how_often: Counts, xmin: int) -> tuple[float, float]:
    """μ and σ of the likeliest log-normal tail.

    The steepness at xmin, (ln xmin − μ)/σ², and ln σ are searched, not μ: where the data follow a power law, μ
    and σ run off together, and the power law is the limit.
    """
    from scipy.optimize import minimize

    start = float(np.log(xmin))

    def mu_sigma(at: NDArray[np.float64]) -> tuple[float, float]:
        sigma = float(np.exp(np.clip(at[1], -3.0, 5.0)))
        return start - float(at[0]) * sigma**2, sigma

    best = minimize(
        lambda at: -float(how_often @ _log_normal(different, xmin, *mu_sigma(at))),
        x0=[1.0, 0.0],
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-8, "maxiter": 2000},
    )
    return mu_sigma(best.x)


def _log_normal(x: Counts, xmin: int, mu: float, sigma: float) -> NDArray[np.float64]:
    """log p(x) of a log-normal rounded to whole numbers, given x ≥ xmin."""
    from scipy.special import log_ndtr

    low, high = (np.log(x - 0.5) - mu) / sigma, (np.log(x + 0.5) - mu) / sigma
    upper = low + high > 0  # looked at from the nearer end, where differences are not lost
    low, high = np.where(upper, -high, low), np.where(upper, -low, high)
    log_high = log_ndtr(high)
    log_whole = log_ndtr((mu - np.log(xmin - 0.5)) / sigma)
    within: NDArray[np.float64] = log_high + np.log1p(-np.exp(log_ndtr(low) - log_high)) - log_whole
    return within
