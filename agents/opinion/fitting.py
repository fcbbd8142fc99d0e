"""Parameters of an opinion model from the mean and spread of a group over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.errors import OpinionError
from agents.opinion.neighbours import Neighbours
from agents.opinion.protocol import OpinionModel, Opinions
from agents.opinion.trajectory import everybody, simulate

POPULATION = 8
"""Candidates of differential evolution for each parameter."""

GENERATIONS = 12
"""Most rounds of differential evolution."""

_TIE = 1e-6  # weight of a parameter's place in its range: of equal losses the smaller parameter wins


@dataclass(frozen=True, slots=True)
class SeriesFit:
    """A model with the parameters that came nearest.

    Args:
        model: as fitted.
        parameters: name → value of what was searched.
        loss: mean over steps of |mean − target| + |spread − target|; 0 is a perfect copy.
        evaluations: simulations that the search took.
    """

    model: OpinionModel
    parameters: dict[str, float]
    loss: float
    evaluations: int


def fit_series(
    kind: type[OpinionModel],
    start: Opinions,
    mean: Sequence[float] | NDArray[np.float64],
    spread: Sequence[float] | NDArray[np.float64],
    neighbours: Neighbours,
    rng: np.random.Generator,
    *,
    repeats: int = 1,
    generations: int = GENERATIONS,
) -> SeriesFit:
    """Search a model's ranges for the parameters whose simulation follows a group's mean and spread.

    One step of the model is one step of the series. Every candidate meets the same chance (common random
    numbers), so the search compares parameters and not luck.

    Args:
        kind: the model's class; its `RANGES` bound the search.
        start: [N] opinions at step 0.
        mean: [T + 1] target; row 0 belongs to the start and does not count. NaN steps do not count.
        spread: [T + 1] target, population standard deviation.
        neighbours: of N agents.
        rng: of search and simulation.
        repeats: simulations averaged for a random model; others need one.
        generations: most rounds of the search.

    Raises:
        OpinionError: no step with a target.

    Source: ours; differential evolution: Storn & Price 1997, by scipy.
    """
    wanted = np.column_stack([mean, spread]).astype(np.float64)
    told: NDArray[np.bool_] = np.isfinite(wanted).all(axis=1) & (np.arange(len(wanted)) > 0)
    if not told.any():
        raise OpinionError("fit: the series has no step after the first; expected at least one to fit to")
    seeds = rng.integers(2**63, size=repeats if kind.RANDOM else 1)
    schedule = everybody(len(wanted) - 1, len(start))

    def loss(point: NDArray[np.float64]) -> float:
        model = _with(kind, point)
        total = 0.0
        for seed in seeds:
            path = simulate(model, start, neighbours, schedule, np.random.default_rng(seed))
            got = np.column_stack([path.mean(axis=1), path.std(axis=1)])
            total += float(np.abs(got - wanted)[told].sum(axis=1).mean())
        return total / len(seeds)

    point, best, evaluations = search(kind, loss, rng, generations)
    return SeriesFit(_with(kind, point), _named(kind, point), best, evaluations)


def search(
    kind: type[OpinionModel],
    loss: Callable[[NDArray[np.float64]], float],
    rng: np.random.Generator,
    generations: int = GENERATIONS,
) -> tuple[NDArray[np.float64], float, int]:
    """Least loss over a model's ranges: point in the order of `RANGES`, its loss, evaluations taken.

    What the series cannot tell apart is settled for the smaller parameters: a bound of confidence that never
    comes into play is not taken for a wide one.
    """
    from scipy.optimize import differential_evolution

    bounds = list(kind.RANGES.values())
    low = np.array([bound.low for bound in bounds])
    width = np.array([bound.high for bound in bounds]) - low

    def cost(point: NDArray[np.float64]) -> float:
        return loss(point) + _TIE * float(((point - low) / width).mean())

    found = differential_evolution(
        cost, bounds, rng=rng, popsize=POPULATION, maxiter=generations, tol=1e-3, polish=False
    )
    return found.x, loss(found.x), int(found.nfev)


def _with(kind: type[OpinionModel], point: NDArray[np.float64]) -> OpinionModel:
    return kind(**_named(kind, point))


def _named(kind: type[OpinionModel], point: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(kind.RANGES, map(float, point), strict=True))
