"""Whom each agent listens to: those it follows, or everybody else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.errors import OpinionError

NOBODY = -1
_CLOSEST = 1e-6  # distance below which two opinions count as equal, so that a negative power stays finite


@dataclass(frozen=True, eq=False)
class Neighbours:
    """A directed follow graph, sparse; or complete mixing, where no edges are kept.

    Args:
        size: N, the number of agents, ids 0 to N−1.
        followers: [E] sorted, the agents who listen; None for complete mixing.
        followees: [E], whom they listen to.
    """

    size: int
    followers: NDArray[np.int64] | None = None
    followees: NDArray[np.int64] | None = None

    @classmethod
    def complete(cls, size: int) -> Neighbours:
        """Everybody listens to everybody else."""
        return cls(size)

    @classmethod
    def from_follows(cls, follows: pd.DataFrame, size: int) -> Neighbours:
        """A follow graph as `agents.follow_graph` makes it.

        Args:
            follows: columns follower_id and followee_id, distinct pairs.
            size: N.

        Raises:
            OpinionError: for an id outside 0 … N−1 or an agent who follows itself.
        """
        pairs = follows[["follower_id", "followee_id"]].to_numpy(dtype=np.int64)
        if len(pairs) and (pairs.min() < 0 or pairs.max() >= size):
            raise OpinionError(f"follows: ids from {pairs.min()} to {pairs.max()}; expected 0 to {size - 1}")
        if (pairs[:, 0] == pairs[:, 1]).any():
            raise OpinionError("follows: somebody follows itself; expected edges between two agents")
        ordered = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        return cls(size, ordered[:, 0], ordered[:, 1])

    @property
    def degrees(self) -> NDArray[np.int64]:
        """[N] how many each agent listens to."""
        if self.followers is None:
            return np.full(self.size, self.size - 1)
        return np.bincount(self.followers, minlength=self.size)

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """[N] one neighbour of each agent, uniformly; `NOBODY` where there is none."""
        degrees = self.degrees
        place = np.floor(rng.random(self.size) * degrees).astype(np.int64)
        if self.followees is None:
            own = np.arange(self.size)
            return np.where(degrees > 0, place + (place >= own), NOBODY)
        if not len(self.followees):
            return np.full(self.size, NOBODY)
        starts = np.cumsum(degrees) - degrees
        chosen = self.followees[np.minimum(starts + place, len(self.followees) - 1)]
        return np.where(degrees > 0, chosen, NOBODY)

    def draw_by_distance(
        self,
        opinions: NDArray[np.float64],
        exponent: float,
        rng: np.random.Generator,
        *,
        itself: bool = False,
    ) -> NDArray[np.int64]:
        """[N] one neighbour of each agent, with chance ∝ |difference of opinions|^(−exponent).

        By the Gumbel maximum: argmax of log-weight plus Gumbel noise is a draw from the weights. With `itself`
        an agent may meet itself too, at a distance of 10⁻⁶, as may two who agree.
        """
        if self.followees is None or self.followers is None:
            score = distance_weights(opinions[:, None], opinions[None, :], exponent)
            score += rng.gumbel(size=score.shape)
            if not itself:
                np.fill_diagonal(score, -np.inf)
            return score.argmax(axis=1) if itself or self.size > 1 else np.full(self.size, NOBODY)
        own = np.arange(self.size if itself else 0)
        who, whom = np.concatenate([self.followers, own]), np.concatenate([self.followees, own])
        score = distance_weights(opinions[who], opinions[whom], exponent) + rng.gumbel(size=len(who))
        order = np.lexsort((score, who))
        chosen = np.full(self.size, NOBODY)
        chosen[who[order]] = whom[order]  # the last of each agent wins: its greatest
        return chosen

    def mean(self, opinions: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N] mean opinion of those whom each agent listens to; its own where there is nobody."""
        degrees = self.degrees
        if self.followers is None or self.followees is None:
            total = opinions.sum() - opinions
        else:
            total = np.bincount(self.followers, opinions[self.followees], minlength=self.size)
        return np.where(degrees > 0, total / np.maximum(degrees, 1), opinions)

    def mean_within(self, opinions: NDArray[np.float64], epsilon: float) -> NDArray[np.float64]:
        """[N] mean opinion of the agent itself and of those it listens to at a distance of at most epsilon."""
        if self.followers is None or self.followees is None:
            return _mean_of_band(opinions, epsilon)
        near = np.abs(opinions[self.followers] - opinions[self.followees]) <= epsilon
        who, whom = self.followers[near], self.followees[near]
        total = opinions + np.bincount(who, opinions[whom], minlength=self.size)
        return total / (1 + np.bincount(who, minlength=self.size))


def distance_weights(
    own: NDArray[np.float64], other: NDArray[np.float64], exponent: float
) -> NDArray[np.float64]:
    """Logarithm of the unnormalised chance that one meets the other: −exponent · log(distance)."""
    return -exponent * np.log(np.abs(own - other) + _CLOSEST)


def _mean_of_band(opinions: NDArray[np.float64], epsilon: float) -> NDArray[np.float64]:
    """Mean over everybody within epsilon, by sorting: N log N instead of N²."""
    order = np.argsort(opinions, kind="stable")
    ordered = opinions[order]
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    low = np.searchsorted(ordered, ordered - epsilon, side="left")
    high = np.searchsorted(ordered, ordered + epsilon, side="right")
    means = np.empty_like(opinions)
    means[order] = (sums[high] - sums[low]) / (high - low)
    return means
