"""Stochastic bounded confidence: the nearer, the likelier to be heard; nobody is out of bounds for certain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from agents.errors import OpinionError
from agents.opinion.neighbours import NOBODY, Neighbours, distance_weights
from agents.opinion.protocol import Opinions, Range, check_ranges

Pull = Literal["difference", "addition"]
PULLS: tuple[Pull, ...] = get_args(Pull)


@dataclass(frozen=True, slots=True)
class StochasticBoundedConfidence:
    """Each active agent i meets neighbour j with chance ∝ |a_i − a_j|^(−ρ), then moves.

    Args:
        exponent: ρ. Above 0 the like-minded meet, at 0 anybody meets anybody, below 0 opposites meet.
        rate: μ, how far one meeting moves an agent.
        pull: `difference` moves by μ(a_j − a_i), as the paper writes it. `addition` moves by μ·a_j, cut at ±1,
            and lets an agent meet itself: it is what generated the paper's published synthetic series (the
            likelihood of `agents.opinion.meetings` and the released generator agree). Like-minded agents then
            push each other, and each itself, outwards; `expected` leaves meetings with oneself out.

    Source: Okawa & Iwata, KDD 2022 (SINN), §3, after Liu et al. 2020's stochastic bounded confidence.
    """

    exponent: float = 0.5
    rate: float = 0.05
    pull: Pull = "difference"

    RANGES: ClassVar[Mapping[str, Range]] = {"exponent": Range(-4.0, 4.0), "rate": Range(0.0, 1.0)}
    RANDOM: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.pull not in PULLS:
            raise OpinionError(
                f"StochasticBoundedConfidence.pull: got {self.pull!r}; expected {' or '.join(PULLS)}"
            )

    def step(
        self,
        opinions: Opinions,
        active: NDArray[np.bool_],
        neighbours: Neighbours,
        first: Opinions,  # noqa: ARG002 - of the protocol
        rng: np.random.Generator,
    ) -> Opinions:
        """See `OpinionModel.step`."""
        partner = neighbours.draw_by_distance(opinions, self.exponent, rng, itself=self.pull == "addition")
        who = np.flatnonzero(active & (partner != NOBODY))
        after = opinions.copy()
        after[who] = self._moved(opinions[who], opinions[partner[who]])
        return after

    def expected(
        self,
        own: Opinions,
        values: Opinions,
        shares: Opinions,
        first: Opinions,  # noqa: ARG002 - of the protocol
    ) -> Opinions:
        """See `OpinionModel.expected`."""
        score = distance_weights(own[:, None], values[None, :], self.exponent)
        chance = shares * np.exp(score - score.max(axis=1, keepdims=True))
        total = chance.sum(axis=1, keepdims=True)
        chance = np.divide(chance, total, out=shares.copy(), where=total > 0)
        mean: Opinions = (chance * self._moved(own[:, None], values[None, :])).sum(axis=1)
        return mean

    def _moved(self, own: Opinions, heard: Opinions) -> Opinions:
        pull = heard - own if self.pull == "difference" else heard
        return np.clip(own + self.rate * pull, -1.0, 1.0)
