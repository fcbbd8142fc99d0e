"""What every opinion model is: parameters with ranges, one step, and what that step is expected to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.errors import OpinionError
from agents.opinion.neighbours import Neighbours

Opinions = NDArray[np.float64]
"""Opinions in [−1, 1]: −1 and 1 are the two ends, 0 is neutral."""


class Range(NamedTuple):
    """Least and greatest value of a parameter, both allowed; a fit searches between them."""

    low: float
    high: float


class OpinionModel(Protocol):
    """A rule of opinion change; implementations are frozen dataclasses whose fields are the parameters."""

    RANGES: ClassVar[Mapping[str, Range]]
    """Every parameter that is a number, with its range."""

    RANDOM: ClassVar[bool]
    """Whether a step draws chance; a model without it settles once a step changes nothing."""

    def step(
        self,
        opinions: Opinions,
        active: NDArray[np.bool_],
        neighbours: Neighbours,
        first: Opinions,
        rng: np.random.Generator,
    ) -> Opinions:
        """One synchronous step: every active agent moves, all reading the opinions before the step.

        Args:
            opinions: [N] before the step.
            active: [N], who moves.
            neighbours: whom each agent listens to.
            first: [N] opinions before the very first step.
            rng: draws as many numbers whoever is active, so that schedules do not shift its stream.

        Returns:
            [N] after the step, a new array.
        """
        ...

    def expected(self, own: Opinions, values: Opinions, shares: Opinions, first: Opinions) -> Opinions:
        """Expected opinion after one step of agents who may meet anybody of a known crowd.

        Args:
            own: [E] opinions of the agents.
            values: [K] opinions in the crowd.
            shares: [E, K] share of each value in the crowd that each agent meets; rows sum to 1.
            first: [E] the agents' opinions at their very beginning.

        Returns:
            [E], each in [−1, 1].
        """
        ...


def check_ranges(model: Any) -> None:
    """Refuse parameters outside their ranges.

    Raises:
        OpinionError: naming model, parameter, value and range.
    """
    for name, (low, high) in model.RANGES.items():
        value = getattr(model, name)
        if not low <= value <= high:
            raise OpinionError(
                f"{type(model).__name__}.{name}: got {value}; expected a number in [{low:g}, {high:g}]"
            )


def check_opinions(opinions: Opinions, what: str = "opinions") -> Opinions:
    """A float array of opinions.

    Raises:
        OpinionError: for another shape than [N], NaN, or values outside [−1, 1].
    """
    array = np.asarray(opinions, dtype=np.float64)
    if array.ndim != 1:
        raise OpinionError(f"{what}: got shape {array.shape}; expected one opinion an agent, [N]")
    wrong = np.flatnonzero(~((array >= -1) & (array <= 1)))
    if len(wrong):
        raise OpinionError(f"{what}[{wrong[0]}]: got {array[wrong[0]]}; expected a number in [-1, 1]")
    return array
