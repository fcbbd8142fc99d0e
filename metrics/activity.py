"""How much users did, and of what."""

from __future__ import annotations

import pandas as pd

from metrics.posts import POST, QUOTE, REPOST, post_kinds

ACTIONS = (
    "create_post",
    "create_comment",
    "like_post",
    "dislike_post",
    "repost",
    "quote_post",
    "follow",
)
"""Actions that leave a row on the platform, spelled as the platform spells them."""

_OF_POST = {POST: "create_post", REPOST: "repost", QUOTE: "quote_post"}
_SEED_STEP = 0


def acts_frame(
    posts: pd.DataFrame,
    comments: pd.DataFrame,
    likes: pd.DataFrame,
    dislikes: pd.DataFrame,
    follows: pd.DataFrame,
) -> pd.DataFrame:
    """Every action that left a row, seeds (step 0) left out: they were given, not done.

    Returns:
        Columns `user_id`, `step` (≥ 1), `action` (one of `ACTIONS`).
    """
    tables = [
        (posts["user_id"], posts["created_at"], post_kinds(posts).map(_OF_POST)),
        (comments["user_id"], comments["created_at"], "create_comment"),
        (likes["user_id"], likes["created_at"], "like_post"),
        (dislikes["user_id"], dislikes["created_at"], "dislike_post"),
        (follows["follower_id"], follows["created_at"], "follow"),
    ]
    parts = [
        pd.DataFrame({"user_id": user, "step": step, "action": action})
        for user, step, action in tables
        if len(user)
    ]
    if not parts:
        return pd.DataFrame(columns=["user_id", "step", "action"])
    acts = pd.concat(parts, ignore_index=True)
    return acts[acts["step"] > _SEED_STEP].reset_index(drop=True)


def action_counts(acts: pd.DataFrame) -> pd.Series[int]:
    """How often each of `ACTIONS` was done; 0 is a true zero, and no action at all gives zeros."""
    return acts["action"].value_counts().reindex(list(ACTIONS), fill_value=0).astype("int64").rename("count")


def active_share(acts: pd.DataFrame, n_users: int) -> float:
    """Share of users who did anything at all: 1 everybody, 0 nobody.

    Args:
        acts: rows of `acts_frame`.
        n_users: everybody, the silent ones included.

    Returns:
        In [0, 1]; NaN without users.
    """
    return acts["user_id"].nunique() / n_users if n_users else float("nan")


def posts_per_user(acts: pd.DataFrame, n_users: int) -> float:
    """Own posts written per user, quotes included and reposts not; 1 means one each on average.

    Args:
        acts: rows of `acts_frame`.
        n_users: everybody, the silent ones included.

    Returns:
        ≥ 0; NaN without users.
    """
    written = acts["action"].isin(["create_post", "quote_post"]).sum()
    return float(written) / n_users if n_users else float("nan")
