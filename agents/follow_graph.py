"""Who follows whom at the start: random graphs with a chosen degree and homophily.

Every function returns a frame of distinct pairs (`follower_id`, `followee_id`), without self-loops, sorted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.errors import PopulationError

_CELLS = 4_000_000  # entries of the adjacency matrix drawn at once: 32 MB of float64
_SLACK = 1e-9


def homophilous_blocks(
    sides: Sequence[str | None], rng: np.random.Generator, *, mean_degree: float, homophily: float
) -> pd.DataFrame:
    """Stochastic block model: every pair is drawn independently, with a chance set by the two sides.

    Agent i on a side of n agents follows each other of its n − 1 with chance h·d/(n − 1), and each of
    the N − n others with chance (1 − h)·d/(N − n): d followees are expected, and h of them on the own side.
    h = 1 parts the sides wholly, h = 0 has everybody follow the other side, and h = (n − 1)/(N − 1)
    ignores sides.

    Args:
        sides: label of agent 0..N-1; unknown ones (None) count as one side.
        rng: decides.
        mean_degree: d, expected number of followees of every agent, in (0, N − 1].
        homophily: h, expected share of same-side followees, in [0, 1].

    Raises:
        PopulationError: when the sides are too small for d and h.

    Source: Holland, Laskey & Leinhardt 1983; the parametrisation is ours.
    """
    codes = _codes(sides, mean_degree, homophily)
    size = len(codes)
    own = np.bincount(codes)[codes]
    same_chance = _chance(homophily * mean_degree, own - 1, mean_degree, "own")
    other_chance = _chance((1 - homophily) * mean_degree, size - own, mean_degree, "other")
    rows = max(1, _CELLS // size)
    pairs = []
    for begin in range(0, size, rows):
        block = np.arange(begin, min(begin + rows, size))
        same = codes[block, None] == codes[None, :]
        chance = np.where(same, same_chance[block, None], other_chance[block, None])
        chance[block - begin, block] = 0
        follower, followee = np.nonzero(rng.random(chance.shape) < chance)
        pairs.append(np.column_stack([block[follower], followee]))
    return _frame(np.concatenate(pairs))


def preferential_attachment(
    sides: Sequence[str | None], rng: np.random.Generator, *, mean_degree: float, homophily: float = 0.5
) -> pd.DataFrame:
    """Agents arrive in random order and follow those who are followed, by choice of their own side.

    A newcomer follows d agents among those already there, without replacement, each with weight
    (followers + 1)·w, where w = h for the own side and 1 − h for another. The first ⌈d⌉ + 1 arrivals
    choose among each other. A fractional d is met on average. h = 0.5 ignores sides; it is a weight, not
    the resulting share. At h = 0 or 1 an early arrival follows fewer when too few suitable ones are there.

    Args:
        sides: label of agent 0..N-1; unknown ones (None) count as one side.
        rng: decides.
        mean_degree: d, expected number of followees, in (0, N − 1].
        homophily: h in [0, 1].

    Raises:
        PopulationError: when d or h is out of range.

    Source: Price 1976 (directed, with the + 1); Karimi et al. 2018 for the weights h and 1 − h.
    """
    codes = _codes(sides, mean_degree, homophily)
    size = len(codes)
    arrivals = rng.permutation(size)
    founders = math.ceil(mean_degree) + 1
    degrees = math.floor(mean_degree) + (rng.random(size) < mean_degree % 1)
    followers = np.zeros(size)
    pairs = []
    for number, (newcomer, degree) in enumerate(zip(arrivals, degrees, strict=True)):
        there = arrivals[: max(number, founders)]
        there = there[there != newcomer]
        weights = (followers[there] + 1) * np.where(codes[there] == codes[newcomer], homophily, 1 - homophily)
        count = min(degree, np.count_nonzero(weights))
        if count:
            chosen = rng.choice(there, count, replace=False, p=weights / weights.sum())
            followers[chosen] += 1
            pairs.append(np.column_stack([np.full(count, newcomer), chosen]))
    return _frame(np.concatenate(pairs) if pairs else np.empty((0, 2), dtype=np.int64))


def _codes(sides: Sequence[str | None], mean_degree: float, homophily: float) -> NDArray[np.int64]:
    """Sides as numbers, with the arguments checked."""
    size = len(sides)
    if not 0 < mean_degree <= size - 1:
        raise PopulationError(
            f"follow_graph.mean_degree: got {mean_degree}; expected more than 0 and at most {size - 1}, "
            f"since there are {size} agents"
        )
    if not 0 <= homophily <= 1:
        raise PopulationError(f"follow_graph.homophily: got {homophily}; expected a number in [0, 1]")
    labels = ["" if side is None else side for side in sides]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _chance(
    degree: float, candidates: NDArray[np.int64], mean_degree: float, whose: str
) -> NDArray[np.float64]:
    """Chance per candidate that gives `degree` followees on average."""
    fewest = int(candidates.min())
    if degree > fewest + _SLACK:
        cure = (
            f"Set follow_graph.mean_degree to at most {fewest * mean_degree / degree:g}"
            if fewest
            else f"Set follow_graph.homophily to {0 if whose == 'own' else 1}"
        )
        raise PopulationError(
            f"follow_graph: {degree:g} followees of the {whose} side are expected of an agent that has only "
            f"{fewest} there. {cure}, or draw a larger population."
        )
    return np.minimum(1.0, degree / np.maximum(candidates, 1))


def _frame(pairs: NDArray[np.int64]) -> pd.DataFrame:
    ordered = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].astype(np.int64)
    return pd.DataFrame(ordered, columns=["follower_id", "followee_id"])
