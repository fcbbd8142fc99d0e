"""Tables for tests, written as tuples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.tables import CellTables

Rows = Sequence[tuple[object, ...]]


class NumberScorer:
    """Reads the stance off the text itself: "0.5 whatever" scores 0.5; anything else scores 0."""

    positive_side = "supportive"
    negative_side = "skeptical"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        self.asked += texts
        return np.array([_leading_number(text) for text in texts])


def _leading_number(text: str) -> float:
    try:
        return float(text.split()[0])
    except ValueError:
        return 0.0


def posts(rows: Rows) -> pd.DataFrame:
    """Rows of (post_id, user_id, original_post_id, content, quote_content, created_at)."""
    names = ["post_id", "user_id", "original_post_id", "content", "quote_content", "created_at"]
    frame = pd.DataFrame(rows, columns=names)
    whole = {"post_id": "int64", "user_id": "int64", "created_at": "int64", "original_post_id": "Int64"}
    return frame.astype(whole | {"content": object, "quote_content": object})


def marks(rows: Rows = ()) -> pd.DataFrame:
    """Likes or dislikes: rows of (user_id, post_id, created_at)."""
    return pd.DataFrame(rows, columns=["user_id", "post_id", "created_at"]).astype("int64")


def comments(rows: Rows = ()) -> pd.DataFrame:
    """Rows of (comment_id, post_id, user_id, content, created_at)."""
    frame = pd.DataFrame(rows, columns=["comment_id", "post_id", "user_id", "content", "created_at"])
    return frame.astype(
        {"comment_id": "int64", "post_id": "int64", "user_id": "int64", "created_at": "int64"}
    )


def follows(rows: Rows = ()) -> pd.DataFrame:
    """Rows of (follower_id, followee_id, created_at)."""
    return pd.DataFrame(rows, columns=["follower_id", "followee_id", "created_at"]).astype("int64")


def exposures(rows: Rows = ()) -> pd.DataFrame:
    """Rows of (step, user_id, post_id)."""
    return pd.DataFrame(rows, columns=["step", "user_id", "post_id"]).astype("int64")


def sides(*labels: str | None) -> pd.Series:
    """One label for each of users 0, 1, …; None where unknown."""
    return pd.Series(labels, index=pd.RangeIndex(len(labels), name="user_id"), dtype=object)


def empty_cell(n_users: int = 4) -> CellTables:
    """A cell in which nothing ever happened."""
    half = n_users // 2
    side = sides(*["supportive"] * half, *["skeptical"] * (n_users - half))
    return CellTables(
        posts([]), marks(), marks(), comments(), follows(), exposures(), side, scorer=NumberScorer()
    )


def random_cell(rng: np.random.Generator, n_users: int, n_steps: int, activity: float = 0.5) -> CellTables:
    """A cell of users who act at random on ten shown posts, the newest more often."""
    side = sides(*(["supportive", "skeptical"] * n_users)[:n_users])
    lean = np.where(side == "supportive", 0.4, -0.4)

    def words(user: int) -> str:
        return f"{np.clip(lean[user] + rng.normal(0, 0.3), -1, 1):.3f} words"

    post_rows: list[tuple[object, ...]] = [(u + 1, u, None, words(u), None, 0) for u in range(n_users)]
    like_rows, comment_rows, follow_rows, shown = [], [], [], []
    for step in range(1, n_steps + 1):
        available = len(post_rows)
        for user in np.flatnonzero(rng.random(n_users) < activity):
            newest_first = np.minimum(rng.geometric(10 / available, size=10), available)
            feed = [post_rows[available - k] for k in newest_first]
            shown += [(step, user, post[0]) for post in feed]
            target = feed[0]
            root = target[2] if target[2] is not None and target[4] is None else target[0]
            match rng.choice(6, p=[0.25, 0.2, 0.4, 0.05, 0.05, 0.05]):
                case 0:
                    post_rows.append((len(post_rows) + 1, user, None, words(user), None, step))
                case 1:
                    comment_rows.append((len(comment_rows) + 1, root, user, words(user), step))
                case 2:
                    like_rows.append((user, root, step))
                case 3:
                    post_rows.append((len(post_rows) + 1, user, root, "", None, step))
                case 4:
                    post_rows.append((len(post_rows) + 1, user, root, "copy", words(user), step))
                case _:
                    follow_rows.append((user, target[1], step))
    likes = marks(like_rows).drop_duplicates(["user_id", "post_id"])
    return CellTables(
        posts(post_rows), likes, marks(), comments(comment_rows), follows(follow_rows), exposures(shown), side,
        scorer=NumberScorer(),
    )  # fmt: skip
