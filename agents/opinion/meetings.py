"""The exponent of stochastic bounded confidence by maximum likelihood, where every agent is seen at every step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.errors import OpinionError
from agents.opinion.neighbours import distance_weights
from agents.opinion.protocol import Opinions
from agents.opinion.stochastic_bounded_confidence import Pull, StochasticBoundedConfidence

ROUNDING = 6e-5
"""Standard deviation of a change when opinions are given to four decimals: √2 · 10⁻⁴ / √12, rounded up."""

LEAST_CHANGES = 10
"""Fewer changes of opinion tell no rule."""

_BACKGROUND = 0.05  # share of changes that are no single meeting, such as two in one step
_WIDEST = 0.2  # of what those may be, spread evenly
_SEARCH = (1e-2, 2e-3, 4e-4, 1e-4)  # step of the search for the rate, coarse to fine


@dataclass(frozen=True, slots=True)
class MeetingFit:
    """What one-to-one meetings say about the rule behind them.

    Args:
        model: exponent, rate and pull.
        exponent_low: lower end of the 95% interval of the exponent (curvature of the likelihood).
        exponent_high: upper end.
        log_likelihood: mean per meeting, in nats; compare pulls with it.
        meetings: changes of opinion that were used.
        active: share of agents who change in a step, of those who are not at ±1.
    """

    model: StochasticBoundedConfidence
    exponent_low: float
    exponent_high: float
    log_likelihood: float
    meetings: int
    active: float


def fit_meetings(path: Opinions, rng: np.random.Generator, *, pull: Pull, most: int = 2000) -> MeetingFit:
    """Fit exponent and rate to who moved by how much.

    A change of agent i by δ has density Σ_j P(j | i) · N(δ; what meeting j would do, `ROUNDING`²), mixed with a
    flat background for steps in which i met twice.

    Args:
        path: [T + 1, N] opinions of everybody at every step.
        rng: chooses the changes that are used, and nothing else.
        pull: the rule; fit each and keep the likelier one.
        most: changes to use; their number times N decides the cost.

    Raises:
        OpinionError: fewer than `LEAST_CHANGES` usable changes.

    Source: ours; the model is Okawa & Iwata 2022's, whose own fit is by neural network.
    """
    from scipy.optimize import minimize

    change = np.diff(path, axis=0)
    step, agent = np.nonzero(usable_changes(path))
    if len(step) < LEAST_CHANGES:
        raise OpinionError(
            f"meetings: {len(step)} changes of opinion; expected at least {LEAST_CHANGES} to fit a rule to"
        )
    kept = np.sort(rng.permutation(len(step))[:most])
    step, agent = step[kept], agent[kept]
    seen = _Seen.of(path[step], agent, change[step, agent], pull)
    rate = _search_rate(seen)

    def cost(point: NDArray[np.float64]) -> float:
        return seen.cost(float(point[0]), float(point[1]), ROUNDING)

    simplex = np.array([[0.0, rate], [1.0, rate], [0.0, rate + _SEARCH[-1]]])
    options = {"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-7, "maxiter": 200}
    best = minimize(cost, simplex[0], method="Nelder-Mead", options=options)
    exponent, rate = float(np.clip(best.x[0], -4.0, 4.0)), float(np.clip(best.x[1], 0.0, 1.0))
    spread = 1.96 * _standard_error(seen, exponent, rate)
    return MeetingFit(
        StochasticBoundedConfidence(exponent, rate, pull),
        exponent - spread,
        exponent + spread,
        -float(best.fun),
        len(step),
        float((np.abs(change) > ROUNDING)[np.abs(path[:-1]) < 1.0 - ROUNDING].mean()),
    )


def usable_changes(path: Opinions) -> NDArray[np.bool_]:
    """[T, N]: whether an agent changed from a step to the next; not where that ends at ±1, as it may have been cut."""
    moved: NDArray[np.bool_] = np.abs(np.diff(path, axis=0)) > ROUNDING
    return moved & (np.abs(path[1:]) < 1.0 - ROUNDING)


@dataclass(frozen=True)
class _Seen:
    """Changes with what each meeting offers: change [E], pull of each meeting [E, N], log-distance [E, N]."""

    change: NDArray[np.float64]
    heard: Opinions
    log_distance: NDArray[np.float64]

    @classmethod
    def of(cls, crowd: Opinions, agent: NDArray[np.int64], change: NDArray[np.float64], pull: Pull) -> _Seen:
        own = np.take_along_axis(crowd, agent[:, None], axis=1)
        return cls(change, crowd - own if pull == "difference" else crowd, -distance_weights(own, crowd, 1.0))

    def every(self, nth: int) -> _Seen:
        return _Seen(self.change[::nth], self.heard[::nth], self.log_distance[::nth])

    def cost(self, exponent: float, rate: float, sigma: float) -> float:
        """Mean negative log-likelihood."""
        score = -exponent * self.log_distance
        effect = rate * self.heard
        # A meeting that would move less than the rounding was never counted as a change.
        chance = np.exp(score - score.max(axis=1, keepdims=True)) * (np.abs(effect) > ROUNDING)
        total = chance.sum(axis=1)
        density = (chance * np.exp(-0.5 * ((self.change[:, None] - effect) / sigma) ** 2)).sum(axis=1)
        density = np.divide(density, total, out=np.zeros_like(total), where=total > 0)
        density /= sigma * np.sqrt(2.0 * np.pi)
        return -float(np.log((1.0 - _BACKGROUND) * density + _BACKGROUND / _WIDEST).mean())


def _search_rate(seen: _Seen) -> float:
    """The likeliest rate at exponent 0: ever finer grids, each with an error as wide as its step."""
    few = seen.every(4)
    middle, reach = 0.5, 0.5
    for width in _SEARCH:
        rates = np.arange(max(middle - reach, 0.0), min(middle + reach, 1.0) + width / 2, width)
        costs = [few.cost(0.0, float(rate), max(width / 2, ROUNDING)) for rate in rates]
        middle, reach = float(rates[int(np.argmin(costs))]), width
    return middle


def _standard_error(seen: _Seen, exponent: float, rate: float, *, width: float = 0.05) -> float:
    low, here, high = (seen.cost(exponent + shift, rate, ROUNDING) for shift in (-width, 0.0, width))
    curvature = (low - 2.0 * here + high) / width**2 * len(seen.change)
    return float(1.0 / np.sqrt(curvature)) if curvature > 0 else float("inf")
