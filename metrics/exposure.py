"""What users were shown, before any of them acted on it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from metrics.errors import MetricInputError
from metrics.posts import root_ids


def cross_side(exposures: pd.DataFrame, posts: pd.DataFrame, side: pd.Series[Any]) -> pd.DataFrame:
    """Mark each showing in a prompt as from the reader's own side or the other.

    A repost counts with the author of the words. Showings of a reader's own words, and those where either
    side is unknown, are left out.

    Args:
        exposures: `step, user_id, post_id`; a post shown twice counts twice.
        posts: the whole post table.
        side: by user id.

    Returns:
        Columns `step`, `user_id`, `crossed` (bool), one row for each showing kept.

    Raises:
        MetricInputError: a shown post that is not in the table.
    """
    words = exposures["post_id"].map(root_ids(posts))
    if words.isna().any():
        lost = exposures.loc[words.isna(), "post_id"].iloc[0]
        raise MetricInputError(f"exposures.post_id: {lost} is not in posts; pass the whole post table")
    author = words.map(posts.set_index("post_id")["user_id"])
    reader_side, author_side = exposures["user_id"].map(side), author.map(side)
    kept = (author != exposures["user_id"]) & reader_side.notna() & author_side.notna()
    marked = exposures.loc[kept, ["step", "user_id"]]
    return marked.assign(crossed=(reader_side != author_side)[kept].astype(bool))


def cross_side_exposure(exposures: pd.DataFrame, posts: pd.DataFrame, side: pd.Series[Any]) -> float:
    """Share of shown posts whose author is of the other side.

    1: readers see only the other side; 0: only their own; never negative. Equal sides and a blind feed give
    about 0.5.

    Args:
        exposures: as `cross_side`.
        posts: as `cross_side`.
        side: as `cross_side`.

    Returns:
        In [0, 1]; NaN when nothing with two known sides was shown.

    Raises:
        MetricInputError: as `cross_side`.

    Source: arXiv 2606.02437 §5.2 (prompt-level cross-side exposure, 0.16–0.18 in every published cell).
    """
    crossed = cross_side(exposures, posts, side)["crossed"]
    return float(crossed.mean()) if len(crossed) else float("nan")
