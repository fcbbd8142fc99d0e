"""How many seeds a contrast needs, and what so many would show, by Student's paired test."""

from __future__ import annotations

import math

from metrics.errors import MetricInputError

ALPHA = 0.05
POWER = 0.8
MOST_SEEDS = 10_000
"""Beyond so many the answer is infinity: no such experiment will be run."""


def paired_power(effect: float, seeds: int, *, alpha: float = ALPHA) -> float:
    """Chance that a two-sided paired t test over so many seeds finds an effect of this size.

    Args:
        effect: true mean change over the standard deviation of changes (d_z), finite, of either sign.
        seeds: pairs, at least 2.
        alpha: of the test, in (0, 1).

    Returns:
        In [alpha, 1]; alpha itself for no effect.

    Raises:
        MetricInputError: a value out of range.

    Source: Cohen 1988 §2.3.5; noncentral t with n − 1 degrees of freedom and noncentrality d_z·√n.
    """
    if not math.isfinite(effect):
        raise MetricInputError(f"effect: got {effect}; expected a finite number of standard deviations")
    if seeds < 2:
        raise MetricInputError(f"seeds: got {seeds}; expected at least 2, since one has no spread")
    _require_share("alpha", alpha)
    from scipy.special import nctdtr, stdtrit

    beyond = float(stdtrit(seeds - 1, 1 - alpha / 2))
    shift = abs(effect) * math.sqrt(seeds)
    missed = float(nctdtr(seeds - 1, shift, beyond))
    wrong_side = float(nctdtr(seeds - 1, shift, -beyond)) if shift < _FAR else 0.0
    return min(1.0, 1.0 - missed + wrong_side)


_FAR = 8.0  # from here on the wrong side of 0 holds less than Φ(−8) = 6e-16, and scipy may call it NaN


def seeds_needed(effect: float, *, power: float = POWER, alpha: float = ALPHA) -> float:
    """Fewest seeds with which the paired t test finds an effect of this size with the wanted chance.

    An effect that was estimated from a few seeds is itself uncertain, and one picked because it looked large
    is too large: read the number as an order of magnitude for planning the next run.

    Args:
        effect: mean change over the standard deviation of changes (d_z); NaN where unknown.
        power: wanted chance of finding it, in (0, 1).
        alpha: of the test, in (0, 1).

    Returns:
        A whole number of at least 2; infinity beyond `MOST_SEEDS` (an effect of 0 needs that); NaN for an
        unknown effect.

    Raises:
        MetricInputError: `power` or `alpha` outside (0, 1), or an infinite effect.

    Source: as `paired_power`, solved for n.
    """
    _require_share("power", power)
    if math.isnan(effect):
        return float("nan")
    low, high = 1, 2
    while paired_power(effect, high, alpha=alpha) < power:
        if high >= MOST_SEEDS:
            return math.inf
        low, high = high, min(2 * high, MOST_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        if paired_power(effect, middle, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return float(high)


def _require_share(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise MetricInputError(f"{name}: got {value}; expected a number between 0 and 1, such as 0.05")
