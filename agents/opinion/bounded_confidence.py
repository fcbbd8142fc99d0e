"""Bounded confidence: a random neighbour counts if it is near enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.opinion.neighbours import NOBODY, Neighbours
from agents.opinion.protocol import Opinions, Range, check_ranges


@dataclass(frozen=True, slots=True)
class BoundedConfidence:
    """Each active agent i meets one random neighbour j; if |a_i − a_j| < ε then a_i += α(a_j − a_i).

    Args:
        epsilon: ε, confidence bound on the scale of opinions, so 2 is no bound. Deffuant et al. write it
            for opinions in [0, 1]: double theirs.
        alpha: α, the part of the difference that is closed; 1 adopts the neighbour's opinion.
        mutual: both move, as in the original model, which keeps the mean of all opinions. Meetings are then
            disjoint: of those drawn, the first of each agent takes place, and the neighbour need not be
            active. Otherwise only the listener moves, as on a follow graph.

    Source: Deffuant, Neau, Amblard & Weisbuch 2000 (mutual, complete mixing); one-sided as in REFERENCE §2 and
    HiSim (arXiv 2402.16333). The bound is strict in both.
    """

    epsilon: float = 0.4
    alpha: float = 0.5
    mutual: bool = False

    RANGES: ClassVar[Mapping[str, Range]] = {"epsilon": Range(0.0, 2.0), "alpha": Range(0.0, 1.0)}
    RANDOM: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_ranges(self)

    def step(
        self,
        opinions: Opinions,
        active: NDArray[np.bool_],
        neighbours: Neighbours,
        first: Opinions,  # noqa: ARG002 - of the protocol
        rng: np.random.Generator,
    ) -> Opinions:
        """See `OpinionModel.step`."""
        partner = neighbours.draw(rng)
        order = rng.permutation(len(opinions)) if self.mutual else np.arange(len(opinions))
        who = order[active[order] & (partner[order] != NOBODY)]
        whom = partner[who]
        if self.mutual:
            kept = _disjoint(who, whom, len(opinions))
            who, whom = who[kept], whom[kept]
        near = np.abs(opinions[who] - opinions[whom]) < self.epsilon
        who, whom = who[near], whom[near]
        change = self.alpha * (opinions[whom] - opinions[who])
        after = opinions.copy()
        after[who] += change
        if self.mutual:
            after[whom] -= change
        return after

    def expected(
        self,
        own: Opinions,
        values: Opinions,
        shares: Opinions,
        first: Opinions,  # noqa: ARG002 - of the protocol
    ) -> Opinions:
        """See `OpinionModel.expected`."""
        gap = values[None, :] - own[:, None]
        pulled: Opinions = (shares * gap * (np.abs(gap) < self.epsilon)).sum(axis=1)
        return own + self.alpha * pulled


def _disjoint(who: NDArray[np.int64], whom: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Which meetings take place when each agent can be in one only: those that are the first of both."""
    turn = np.arange(len(who))
    earliest = np.full(size, len(who))
    np.minimum.at(earliest, who, turn)
    np.minimum.at(earliest, whom, turn)
    disjoint: NDArray[np.bool_] = (earliest[who] == turn) & (earliest[whom] == turn)
    return disjoint
