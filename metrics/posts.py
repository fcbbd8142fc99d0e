"""What a row of the post table is: somebody's own words, a repost, or a quote.

The platform's convention: an original post has no `original_post_id`; a repost has one and no
`quote_content`; a quote has both, its own words stand in `quote_content` and `content` repeats the original.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from metrics.errors import MetricInputError

POST, REPOST, QUOTE = "post", "repost", "quote"


def post_kinds(posts: pd.DataFrame) -> pd.Series[str]:
    """`post`, `repost` or `quote` for every row, on the index of `posts`.

    Args:
        posts: columns `original_post_id` and `quote_content`, missing where they do not apply.
    """
    shared = posts["original_post_id"].notna().to_numpy()
    silent = posts["quote_content"].isna().to_numpy()
    kinds = np.select([~shared, silent], [POST, REPOST], QUOTE)
    return pd.Series(kinds, index=posts.index, dtype=object, name="kind")


def root_ids(posts: pd.DataFrame) -> pd.Series[int]:
    """The post that carries the words and the likes of each post: a repost's original, else the post itself.

    Args:
        posts: columns `post_id` (unique), `original_post_id`, `quote_content`.

    Returns:
        Index `post_id`, value `post_id`; chains of reposts are followed to their end.

    Raises:
        MetricInputError: a repeated id, a repost whose original is not in the table, or a circle of reposts.
    """
    if posts["post_id"].duplicated().any():
        twice = posts.loc[posts["post_id"].duplicated(), "post_id"].iloc[0]
        raise MetricInputError(f"posts.post_id: {twice} occurs more than once; expected one row a post")
    ids = pd.Index(posts["post_id"], name="post_id")
    is_repost = (post_kinds(posts) == REPOST).to_numpy()
    parent = np.arange(len(ids))  # by position
    parent[is_repost] = ids.get_indexer(pd.Index(posts.loc[is_repost, "original_post_id"].astype("int64")))
    if (parent < 0).any():
        lost = posts[parent < 0].iloc[0]
        raise MetricInputError(
            f"posts: {lost['post_id']} reposts {lost['original_post_id']}, which is not in the table; "
            "pass the whole post table"
        )
    root = parent
    for _ in range(len(ids) + 1):
        further = parent[root]
        if (further == root).all():
            return pd.Series(ids.to_numpy()[root], index=ids, name="root_id")
        root = further
    raise MetricInputError("posts.original_post_id: reposts form a circle; expected every repost to be later")


def own_words(posts: pd.DataFrame) -> pd.Series[str]:
    """The words of each post by its id: the quote's own for a quote, the original's for a repost.

    Missing text becomes the empty string.

    Raises:
        MetricInputError: as `root_ids`.
    """
    words = posts["content"].where(post_kinds(posts) != QUOTE, posts["quote_content"])
    words = words.where(words.notna(), "").astype(object)
    words.index = pd.Index(posts["post_id"], name="post_id")
    roots = root_ids(posts)
    return pd.Series(words.reindex(roots.to_numpy()).to_numpy(), index=roots.index, dtype=object, name="text")
