"""The tables of one finished or running cell, checked once so that measures can trust them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from metrics.errors import MetricInputError
from metrics.stance.scorer import TextScorer
from metrics.stance.users import StanceWeights

COLUMNS: dict[str, tuple[str, ...]] = {
    "posts": ("post_id", "user_id", "original_post_id", "content", "quote_content", "created_at"),
    "likes": ("user_id", "post_id", "created_at"),
    "dislikes": ("user_id", "post_id", "created_at"),
    "comments": ("comment_id", "post_id", "user_id", "content", "created_at"),
    "follows": ("follower_id", "followee_id", "created_at"),
    "exposures": ("step", "user_id", "post_id"),
}
"""What each table must have; further columns are welcome and unread."""

_USER_COLUMNS = ("user_id", "follower_id", "followee_id")


@dataclass(frozen=True, eq=False)
class CellTables:
    """Everything that the measures of one cell need.

    Args:
        posts: every post, repost and quote, seeds included; `created_at` is the step, 0 for seeds.
        likes: as on the platform.
        dislikes: as on the platform.
        comments: as on the platform.
        follows: as on the platform; step 0 is the graph that was given.
        exposures: one row for each post shown in a prompt.
        side: group label of every user by user id, missing where unknown; its index is the population.
        scorer: stance of texts; None where the corpus knows no two sides, and every stance measure is NaN.
        weights: what posts, likes and so on count in a user's stance.

    Raises:
        MetricInputError: a missing column, a repeated user, or a table that names a user outside `side`.
    """

    posts: pd.DataFrame
    likes: pd.DataFrame
    dislikes: pd.DataFrame
    comments: pd.DataFrame
    follows: pd.DataFrame
    exposures: pd.DataFrame
    side: pd.Series[Any]
    scorer: TextScorer | None = None
    weights: StanceWeights = field(default_factory=StanceWeights)

    def __post_init__(self) -> None:
        if self.side.index.has_duplicates:
            twice = self.side.index[self.side.index.duplicated()][0]
            raise MetricInputError(f"side: user {twice} occurs more than once; expected one side a user")
        for name, columns in COLUMNS.items():
            table: pd.DataFrame = getattr(self, name)
            if missing := [c for c in columns if c not in table.columns]:
                raise MetricInputError(
                    f"{name}: no column {', '.join(missing)}; expected {', '.join(columns)}"
                )
            for column in (c for c in columns if c in _USER_COLUMNS):
                strangers = table.loc[~table[column].isin(self.side.index), column]
                if len(strangers):
                    raise MetricInputError(
                        f"{name}.{column}: user {strangers.iloc[0]} is not in side; give every user an entry "
                        "(missing where the side is unknown)"
                    )

    @property
    def users(self) -> pd.Index:
        """Everybody, in the order of `side`."""
        return self.side.index

    @property
    def last_step(self) -> int:
        """The latest step that left any row; 0 when nothing happened."""
        moments = [
            t["created_at"] for t in (self.posts, self.likes, self.dislikes, self.comments, self.follows)
        ]
        moments.append(self.exposures["step"])
        return max((int(m.max()) for m in moments if len(m)), default=0)
