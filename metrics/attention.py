"""How attention is shared out among posts, and how long it lasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metrics.cascade import amounts
from metrics.errors import MetricInputError

FEWEST_ENGAGEMENTS = 4
"""A post with fewer has no half-life of its own: its first half is one engagement, or none."""


class Lorenz(NamedTuple):
    """A Lorenz curve, from (0, 0) to (1, 1).

    Args:
        holders: share of holders, from those with least, rising.
        held: share of the whole that they hold together; on the diagonal when all have the same.
    """

    holders: NDArray[np.float64]
    held: NDArray[np.float64]


def lorenz_curve(values: ArrayLike, points: int | None = None) -> Lorenz:
    """The curve whose distance from the diagonal the Gini coefficient measures.

    Twice the area between the diagonal and the curve is `gini(values)`.

    Args:
        values: [n], ≥ 0, finite.
        points: at most so many, for drawing, evenly spread over the holders; None for all n + 1.

    Returns:
        The curve; without anything to share both arrays are empty.

    Raises:
        MetricInputError: a negative or non-finite value, or fewer than two points.

    Source: Lorenz 1905.
    """
    if points is not None and points < 2:
        raise MetricInputError(f"points: got {points}; expected at least 2, the two ends")
    held = np.sort(amounts(values))
    total = float(held.sum())
    if total == 0.0:
        return Lorenz(np.zeros(0), np.zeros(0))
    shares = np.concatenate([[0.0], np.cumsum(held) / total])
    n = len(held)
    kept = np.arange(n + 1)
    if points is not None and points <= n:
        kept = np.unique(np.linspace(0, n, points).round().astype(np.int64))
    return Lorenz(kept / n, np.minimum(shares[kept], 1.0))


class Exceedance(NamedTuple):
    """How often values are at least as large as each that occurs.

    Args:
        value: different values, rising.
        share: of all values that are at least so large, falling from 1; never 0.
    """

    value: NDArray[np.float64]
    share: NDArray[np.float64]


def exceedance(values: ArrayLike) -> Exceedance:
    """The complementary cumulative distribution: P(X ≥ x) at every x that occurs.

    On two logarithmic axes a power law is a straight line.

    Args:
        values: [n], ≥ 0, finite.

    Returns:
        Both arrays empty without values.

    Raises:
        MetricInputError: a negative or non-finite value.

    Source: Clauset, Shalizi and Newman 2009 §2.1 (P(x) = Pr(X ≥ x)).
    """
    different, counts = np.unique(amounts(values), return_counts=True)
    at_least = np.cumsum(counts[::-1])[::-1]
    return Exceedance(different, at_least / max(int(counts.sum()), 1))


def half_lives(acts: pd.DataFrame, posts: pd.DataFrame, steps: Sequence[int]) -> pd.DataFrame:
    """Steps from a post's publication until half of the engagement that it has had so far.

    0: half of it came in the very step of publication; h: it took h steps. Posts still gather engagement, so
    values of young posts are too short; compare conditions at the same step.

    Args:
        acts: rows of `metrics.engagement.engagements`.
        posts: the whole post table (`post_id, created_at`).
        steps: moments to look from.

    Returns:
        Columns `step` (of looking), `post_id`, `engagements` (until then, at least `FEWEST_ENGAGEMENTS`),
        `half_life` (steps, ≥ 0: when engagement ⌈m/2⌉ of m came). Posts with fewer are left out.

    Raises:
        MetricInputError: an engagement with a post that is not in `posts`.

    Source: ours; the half-life of a post as time to half of its engagement is a platform analyst's term.
    """
    ordered = acts[["post_id", "step"]].sort_values(["post_id", "step"], kind="stable")
    created = ordered["post_id"].map(posts.set_index("post_id")["created_at"])
    if created.isna().any():
        lost = ordered.loc[created.isna(), "post_id"].iloc[0]
        raise MetricInputError(f"acts.post_id: {lost} is not in posts; pass the whole post table")
    age = (ordered["step"] - created).to_numpy(dtype=np.float64)
    when = ordered["step"].to_numpy()
    post, ids = pd.factorize(ordered["post_id"])
    first = np.searchsorted(post, np.arange(len(ids)))
    parts = []
    for step in steps:
        count = np.bincount(post[when <= step], minlength=len(ids))
        told = np.flatnonzero(count >= FEWEST_ENGAGEMENTS)
        middle = first[told] + (count[told] + 1) // 2 - 1
        parts.append(
            pd.DataFrame(
                {
                    "step": step,
                    "post_id": np.asarray(ids)[told],
                    "engagements": count[told],
                    "half_life": age[middle],
                }
            )
        )
    filled = [part for part in parts if len(part)]
    columns = ["step", "post_id", "engagements", "half_life"]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)
