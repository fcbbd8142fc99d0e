"""Lorenz et al.'s model: assimilation and reinforcement, weaker for strange messages and extreme minds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.opinion.neighbours import NOBODY, Neighbours
from agents.opinion.protocol import Opinions, Range, check_ranges


@dataclass(frozen=True, slots=True)
class Lorenz:
    """Each active agent hears one random neighbour, m = a_j, and moves by α · pol · sim · [ρ(m − a) + (1 − ρ)m].

    With d = |m − a|: sim = λ^k / (λ^k + d^k) is 1 for one's own opinion and ½ at d = λ, and
    pol = M² − a² over M² is 1 in the middle and 0 at the ends, M = 1. Results are cut at ±1 (ours; it
    happens for α above ½ only).

    Args:
        alpha: α, strength of change.
        latitude: λ, the distance at which a message counts half.
        sharpness: k, how sharply it falls off there; large k is a confidence bound.
        assimilation: ρ. 1: towards the message (assimilation); 0: by the message itself, so agreeing voices
            drive outwards (reinforcement).

    Source: Lorenz, Neumann & Schröder 2021 (Psychological Review 128), as in REFERENCE §2 and with HiSim's defaults
    (arXiv 2402.16333).
    """

    alpha: float = 0.5
    latitude: float = 1.0
    sharpness: float = 1.0
    assimilation: float = 0.5

    RANGES: ClassVar[Mapping[str, Range]] = {
        "alpha": Range(0.0, 1.0),
        "latitude": Range(0.01, 4.0),
        "sharpness": Range(0.1, 50.0),
        "assimilation": Range(0.0, 1.0),
    }
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
        mean: Opinions = (shares * self._moved(own[:, None], values[None, :])).sum(axis=1)
        return mean

    def _moved(self, own: Opinions, message: Opinions) -> Opinions:
        distance = np.abs(message - own)
        similarity = 1.0 / (1.0 + (distance / self.latitude) ** self.sharpness)
        moderation = 1.0 - own**2
        towards = self.assimilation * (message - own) + (1.0 - self.assimilation) * message
        return np.clip(own + self.alpha * moderation * similarity * towards, -1.0, 1.0)
