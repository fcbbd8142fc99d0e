"""Averaging without bounds: DeGroot, and Friedkin–Johnsen's agents who never quite let go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.opinion.neighbours import Neighbours
from agents.opinion.protocol import Opinions, Range, check_ranges


@dataclass(frozen=True, slots=True)
class DeGroot:
    """Each active agent takes the weighted mean of its own opinion and its neighbours': x ← W x.

    W has `self_weight` on the diagonal and shares the rest equally among those whom an agent follows; one who
    follows nobody keeps its opinion. On a strongly connected graph with `self_weight` above 0 all reach
    π·x(0), with π the left eigenvector of W for eigenvalue 1.

    Args:
        self_weight: weight of one's own opinion; 1 never moves.

    Source: DeGroot 1974; equal weights on the follow graph are ours.
    """

    self_weight: float = 0.5

    RANGES: ClassVar[Mapping[str, Range]] = {"self_weight": Range(0.0, 1.0)}
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
        mixed = self.self_weight * opinions + (1.0 - self.self_weight) * neighbours.mean(opinions)
        return np.where(active, np.clip(mixed, -1.0, 1.0), opinions)

    def expected(
        self,
        own: Opinions,
        values: Opinions,
        shares: Opinions,
        first: Opinions,  # noqa: ARG002 - of the protocol
    ) -> Opinions:
        """See `OpinionModel.expected`."""
        mixed: Opinions = self.self_weight * own + (1.0 - self.self_weight) * (shares @ values)
        return np.clip(mixed, -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class FriedkinJohnsen:
    """Each active agent mixes its neighbours' mean with its own first opinion: x ← λ W x + (1 − λ) x(0).

    W shares weight equally among those whom an agent follows (itself where it follows nobody). For λ < 1 the
    opinions settle at (I − λW)⁻¹ (1 − λ) x(0).

    Args:
        susceptibility: λ, weight of others. 0: nobody ever moves from the first opinion; 1: DeGroot.

    Source: Friedkin & Johnsen 1990, with one susceptibility for all (ours).
    """

    susceptibility: float = 0.5

    RANGES: ClassVar[Mapping[str, Range]] = {"susceptibility": Range(0.0, 1.0)}
    RANDOM: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_ranges(self)

    def step(
        self,
        opinions: Opinions,
        active: NDArray[np.bool_],
        neighbours: Neighbours,
        first: Opinions,
        rng: np.random.Generator,  # noqa: ARG002 - nothing here is left to chance
    ) -> Opinions:
        """See `OpinionModel.step`."""
        mixed = self.susceptibility * neighbours.mean(opinions) + (1.0 - self.susceptibility) * first
        return np.where(active, np.clip(mixed, -1.0, 1.0), opinions)

    def expected(
        self,
        own: Opinions,  # noqa: ARG002 - of the protocol
        values: Opinions,
        shares: Opinions,
        first: Opinions,
    ) -> Opinions:
        """See `OpinionModel.expected`."""
        mixed: Opinions = self.susceptibility * (shares @ values) + (1.0 - self.susceptibility) * first
        return np.clip(mixed, -1.0, 1.0)
