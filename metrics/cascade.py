"""How unequally attention falls on posts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metrics.errors import MetricInputError
from metrics.posts import REPOST, post_kinds, root_ids


def likes_per_post(posts: pd.DataFrame, likes: pd.DataFrame) -> pd.Series[int]:
    """Likes of every post that can be liked, posts without any included.

    A repost has no likes of its own: the platform credits the original, and so do we; quotes count as
    posts. Counted from the like table, so that any earlier step can be looked at.

    Args:
        posts: `post_id, original_post_id, quote_content`.
        likes: `post_id`; every id must be in `posts`.

    Returns:
        Index `post_id`, counts ≥ 0; empty without posts.

    Raises:
        MetricInputError: a like of a post that is not in the table.
    """
    roots = root_ids(posts)
    credited = likes["post_id"].map(roots)
    if credited.isna().any():
        lost = likes.loc[credited.isna(), "post_id"].iloc[0]
        raise MetricInputError(f"likes.post_id: {lost} is not in posts; pass the whole post table")
    likeable = pd.Index(posts.loc[post_kinds(posts) != REPOST, "post_id"], name="post_id")
    return credited.value_counts().reindex(likeable, fill_value=0).astype("int64").rename("likes")


def gini(values: ArrayLike) -> float:
    """Gini coefficient: 0 when all have the same, (n−1)/n when one has everything; never negative.

    Args:
        values: [n], ≥ 0, finite.

    Returns:
        In [0, 1); NaN for fewer than two values or when all are 0, where there is nothing to share.

    Raises:
        MetricInputError: a negative or non-finite value.

    Source: Gini 1912, as (2 Σ i·x_i)/(n Σ x) − (n+1)/n over sorted x (Sen 1973).
    """
    held = np.sort(amounts(values))
    n, total = len(held), float(held.sum())
    if n < 2 or total == 0.0:
        return float("nan")
    ranked = float(np.dot(np.arange(1, n + 1), held))
    return max(0.0, 2.0 * ranked / (n * total) - (n + 1) / n)


def top_share(values: ArrayLike, share: float = 0.1) -> float:
    """Part of the whole that the top `share` of holders have: 1 all of it, about `share` when all are equal.

    Args:
        values: [n], ≥ 0, finite.
        share: of the holders, in (0, 1]; the number is rounded up, so that at least one is looked at.

    Returns:
        In (0, 1]; NaN when there is nothing to share.

    Raises:
        MetricInputError: a negative or non-finite value, or `share` outside (0, 1].

    Source: arXiv 2606.02437 table 6 (top-10% post like share); rounding up is ours.
    """
    if not 0.0 < share <= 1.0:
        raise MetricInputError(f"share: got {share}; expected a number in (0, 1]")
    held = np.sort(amounts(values))[::-1]
    total = float(held.sum())
    if total == 0.0:
        return float("nan")
    n_top = math.ceil(share * len(held) - 1e-9)
    return float(held[:n_top].sum()) / total


def amounts(values: ArrayLike) -> NDArray[np.float64]:
    """Values that can be shared out, [n].

    Raises:
        MetricInputError: a negative or non-finite value.
    """
    held = np.asarray(values, dtype=np.float64).ravel()
    if not np.isfinite(held).all() or (held < 0).any():
        raise MetricInputError("values: expected finite numbers ≥ 0; drop or fill missing ones first")
    return held
