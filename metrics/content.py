"""Everything that users said, as one table: posts, quotes, comments and reposts."""

from __future__ import annotations

import pandas as pd

from metrics.posts import own_words, post_kinds, root_ids

COMMENT = "comment"
CONTENT_COLUMNS = ["user_id", "step", "kind", "text", "post_id"]


def content_frame(posts: pd.DataFrame, comments: pd.DataFrame) -> pd.DataFrame:
    """One row for each thing said.

    A quote counts with the quoting user's own words only. A repost carries the original's words under the
    reposting user: an endorsement, so weigh it below own words (`StanceWeights.repost`). Rows without any
    text are left out: nothing was said.

    Args:
        posts: `post_id, user_id, original_post_id, content, quote_content, created_at`.
        comments: `post_id, user_id, content, created_at`.

    Returns:
        Columns `user_id`, `step` (0 is a seed), `kind` (`post`, `quote`, `repost`, `comment`), `text`,
        `post_id` (a comment's is the post commented on, a repost's the original); posts before comments,
        both in table order. Empty input gives an empty table.

    Source: ours.
    """
    roots = root_ids(posts)
    said = pd.DataFrame(
        {
            "user_id": posts["user_id"].to_numpy(),
            "step": posts["created_at"].to_numpy(),
            "kind": post_kinds(posts).to_numpy(),
            "text": own_words(posts).to_numpy(),
            "post_id": roots.to_numpy(),
        }
    )
    replies = pd.DataFrame(
        {
            "user_id": comments["user_id"].to_numpy(),
            "step": comments["created_at"].to_numpy(),
            "kind": COMMENT,
            "text": comments["content"].where(comments["content"].notna(), "").to_numpy(),
            "post_id": comments["post_id"].to_numpy(),
        }
    )
    parts = [part for part in (said, replies) if len(part)]
    if not parts:
        return pd.DataFrame(columns=CONTENT_COLUMNS)
    frame = pd.concat(parts, ignore_index=True)
    return frame[frame["text"].str.strip() != ""].reset_index(drop=True)
