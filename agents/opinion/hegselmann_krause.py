"""Hegselmann–Krause: everybody near enough counts, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.opinion.neighbours import Neighbours
from agents.opinion.protocol import Opinions, Range, check_ranges


@dataclass(frozen=True, slots=True)
class HegselmannKrause:
    """Each active agent takes the mean of its own opinion and of its neighbours' within ε.

    Args:
        epsilon: ε, confidence bound on the scale of opinions, so 2 is no bound; exactly ε counts as near.
            For bounds written for opinions in [0, 1]: double them.

    Source: Hegselmann & Krause 2002, eq. 2 (symmetric confidence).
    """

    epsilon: float = 0.4

    RANGES: ClassVar[Mapping[str, Range]] = {"epsilon": Range(0.0, 2.0)}
    RANDOM: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_ranges(self)

    def step(
        self,
        opinions: Opinions,
        active: NDArray[np.bool_],
        neighbours: Neighbours,
        first: Opinions,  # noqa: ARG002 - of the protocol
        rng: np.random.Generator,  # noqa: ARG002 - nothing here is left to chance
    ) -> Opinions:
        """See `OpinionModel.step`."""
        mean = np.clip(neighbours.mean_within(opinions, self.epsilon), -1.0, 1.0)
        return np.where(active, mean, opinions)

    def expected(
        self,
        own: Opinions,
        values: Opinions,
        shares: Opinions,
        first: Opinions,  # noqa: ARG002 - of the protocol
    ) -> Opinions:
        """See `OpinionModel.expected`.

        In a large crowd, where one's own opinion weighs nothing beside those near; itself where nobody is.
        """
        near = shares * (np.abs(values[None, :] - own[:, None]) <= self.epsilon)
        mass = near.sum(axis=1)
        mean: Opinions = np.divide(near @ values, mass, out=own.copy(), where=mass > 0)
        return mean
