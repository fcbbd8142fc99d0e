"""Who engaged with which post."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from metrics.content import COMMENT
from metrics.errors import MetricInputError
from metrics.posts import QUOTE, REPOST, post_kinds, root_ids

LIKE, DISLIKE = "like", "dislike"
ENGAGEMENT_KINDS = frozenset({LIKE, COMMENT, REPOST, QUOTE})
"""What counts as engaging by default: a dislike does not, since it says that the user turned away."""

_ALL_KINDS = ENGAGEMENT_KINDS | {DISLIKE}
_COLUMNS = ["user_id", "post_id", "author_id", "step", "kind"]


def engagements(
    posts: pd.DataFrame,
    comments: pd.DataFrame,
    likes: pd.DataFrame,
    dislikes: pd.DataFrame,
    kinds: Collection[str] = ENGAGEMENT_KINDS,
) -> pd.DataFrame:
    """One row for each time a user turned to somebody else's post.

    A repost or quote engages with the post shared; acting on a repost engages with its original. Writing a
    post, and anything done to one's own, is no engagement: it says nothing about whom a user meets.

    Args:
        posts: the whole post table (`post_id, user_id, original_post_id, quote_content, created_at`).
        comments: `post_id, user_id, created_at`.
        likes: the same columns.
        dislikes: the same columns; used only when `kinds` holds `dislike`.
        kinds: any of `like`, `comment`, `repost`, `quote`, `dislike`.

    Returns:
        Columns `user_id`, `post_id` (never a repost), `author_id` (of that post), `step`, `kind`.

    Raises:
        MetricInputError: an unknown kind, or an action on a post that is not in the table.

    Source: ours; the paper (arXiv 2606.02437 §5.2) names the graph and not the actions.
    """
    if unknown := set(kinds) - _ALL_KINDS:
        raise MetricInputError(f"kinds: got {sorted(unknown)}; expected some of {sorted(_ALL_KINDS)}")
    kind = post_kinds(posts)
    shares = pd.DataFrame(
        {
            "user_id": posts["user_id"],
            "post_id": posts["original_post_id"],
            "step": posts["created_at"],
            "kind": kind,
        }
    )[kind.isin([REPOST, QUOTE])]
    parts = [shares]
    for name, table in ((COMMENT, comments), (LIKE, likes), (DISLIKE, dislikes)):
        renamed = table[["user_id", "post_id", "created_at"]].rename(columns={"created_at": "step"})
        parts.append(renamed.assign(kind=name))
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=_COLUMNS)
    acts = pd.concat(filled, ignore_index=True)
    acts = acts[acts["kind"].isin(list(kinds))]
    root = acts["post_id"].map(root_ids(posts))
    if root.isna().any():
        lost = acts[root.isna()].iloc[0]
        raise MetricInputError(
            f"{lost['kind']}: user {lost['user_id']} acts on post {lost['post_id']}, which is not in posts; "
            "pass the whole post table"
        )
    author = root.map(posts.set_index("post_id")["user_id"])
    acts = acts.assign(post_id=root.astype("int64"), author_id=author.astype("int64"))
    return acts.loc[acts["user_id"] != acts["author_id"], _COLUMNS].reset_index(drop=True)
