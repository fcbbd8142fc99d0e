"""Parameters of an opinion model, searched for within their ranges."""

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
class Fit:
    """A model with the parameters that came nearest.

    Args:
        model: as fitted.
        loss: what the search made least, at these parameters; 0 is a perfect copy.
    """

    model: OpinionModel
    loss: float

    @property
    def parameters(self) -> dict[str, float]:
        """Name → value of what was searched."""
        return {name: getattr(self.model, name) for name in self.model.RANGES}


def fit_series(
    kind: type[OpinionModel],
    start: Opinions,
    mean: Sequence[float] | NDArray[np.float64],
    spread: Sequence[float] | NDArray[np.float64],
    neighbours: Neighbours,
    rng: np.random.Generator,
) -> Fit:
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

    Returns:
        The fit; its loss is the mean over steps of |mean − target| + |spread − target|.

    Raises:
        OpinionError: no step with a target.

    Source: ours.
    """
    wanted = np.column_stack([mean, spread]).astype(np.float64)
    told: NDArray[np.bool_] = np.isfinite(wanted).all(axis=1) & (np.arange(len(wanted)) > 0)
    if not told.any():
        raise OpinionError("fit: the series has no step after the first; expected at least one to fit to")
    chance = rng.integers(2**63)
    schedule = everybody(len(wanted) - 1, len(start))

    def loss(model: OpinionModel) -> float:
        path = simulate(model, start, neighbours, schedule, np.random.default_rng(chance))
        got = np.column_stack([path.mean(axis=1), path.std(axis=1)])
        return float(np.abs(got - wanted)[told].sum(axis=1).mean())

    return search(kind, loss, rng)


def search(kind: type[OpinionModel], loss: Callable[[OpinionModel], float], rng: np.random.Generator) -> Fit:
    """The model of a kind with the least loss over its ranges.

    What the data cannot tell apart is settled for the smaller parameters: a bound of confidence that never
    comes into play is not taken for a wide one.

    Source: differential evolution (Storn & Price 1997), by scipy.
    """
    from scipy.optimize import differential_evolution

    bounds = list(kind.RANGES.values())
    low = np.array([bound.low for bound in bounds])
    width = np.array([bound.high for bound in bounds]) - low

    def at(point: NDArray[np.float64]) -> OpinionModel:
        return kind(**dict(zip(kind.RANGES, map(float, point), strict=True)))

    def cost(point: NDArray[np.float64]) -> float:
        return loss(at(point)) + _TIE * float(((point - low) / width).mean())

    found = differential_evolution(
        cost, bounds, rng=rng, popsize=POPULATION, maxiter=GENERATIONS, tol=1e-3, polish=False
    )
    model = at(found.x)
    return Fit(model, loss(model))
