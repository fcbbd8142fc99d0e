"""What feeds are computed from: the platform at the start of a step, as arrays."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FeedState:
    """P candidate posts and N users at the start of a step. Matrices are scipy CSR arrays.

    Candidates are the originals and quotes that were written or reposted within the window, by ascending id.
    """

    n_users: int
    post_ids: Ints
    """[P]"""
    authors: Ints
    """[P], user ids"""
    created_at: Ints
    """[P], the step of writing"""
    seen_at: Ints
    """[P], the step of the newest row that shows the post: its writing, or a repost"""
    likes: Ints
    """[P]"""
    dislikes: Ints
    """[P]"""
    follows: Any
    """[N, N], 1 where the row's user follows the column's"""
    voices: Any
    """[N, P], 1 where the user wrote the post, or reposted it within the window"""
    engagement: Any
    """[N, N], how often the row's user liked, commented on, reposted or quoted the column's user, ever"""
    audience: Any
    """[P, N], 1 where the user liked, commented on, reposted or quoted the post, ever"""


_CANDIDATES = """
SELECT shown.post_id, shown.user_id, shown.created_at, max(recent.created_at),
       shown.num_likes, shown.num_dislikes
FROM post AS recent
JOIN post AS shown ON shown.post_id = iif(recent.quote_content IS NULL,
                                          coalesce(recent.original_post_id, recent.post_id), recent.post_id)
WHERE recent.created_at > :after
GROUP BY shown.post_id
ORDER BY shown.post_id
"""
_VOICES = """
SELECT user_id, iif(quote_content IS NULL, coalesce(original_post_id, post_id), post_id)
FROM post WHERE created_at > :after
"""
_FOLLOWS = "SELECT follower_id, followee_id FROM follow"
_ENGAGEMENT = """
SELECT mark.user_id, mark.post_id, post.user_id FROM (
    SELECT user_id, post_id FROM "like"
    UNION ALL SELECT user_id, post_id FROM comment
    UNION ALL SELECT user_id, original_post_id FROM post WHERE original_post_id IS NOT NULL
) AS mark JOIN post ON post.post_id = mark.post_id
"""


def read_feed_state(database: sqlite3.Connection, *, n_users: int, after: int) -> FeedState:
    """Read the state.

    Args:
        database: the platform's.
        n_users: N; user ids are 0 to N-1.
        after: posts that were neither written nor reposted later than this step are no candidates.
    """
    post_ids, writers, created_at, seen_at, likes, dislikes = _columns(database, _CANDIDATES, 6, after)
    speakers, said = _columns(database, _VOICES, 2, after)
    followers, followees = _columns(database, _FOLLOWS, 2)
    users, posts, authors = _columns(database, _ENGAGEMENT, 3)
    places = np.searchsorted(post_ids, posts)
    recent = places < len(post_ids)
    recent[recent] = post_ids[places[recent]] == posts[recent]
    return FeedState(
        n_users=n_users,
        post_ids=post_ids,
        authors=writers,
        created_at=created_at,
        seen_at=seen_at,
        likes=likes,
        dislikes=dislikes,
        follows=_counts(followers, followees, (n_users, n_users), once=True),
        voices=_counts(speakers, np.searchsorted(post_ids, said), (n_users, len(post_ids)), once=True),
        engagement=_counts(users, authors, (n_users, n_users)),
        audience=_counts(places[recent], users[recent], (len(post_ids), n_users), once=True),
    )


def _columns(database: sqlite3.Connection, query: str, width: int, after: int = 0) -> tuple[Ints, ...]:
    rows = database.execute(query, {"after": after}).fetchall()
    return tuple(np.array(rows, np.int64).reshape(-1, width).T)


def _counts(rows: Ints, columns: Ints, shape: tuple[int, int], *, once: bool = False) -> Any:
    """Count the pairs; with `once`, a pair that occurs repeatedly counts 1."""
    from scipy.sparse import csr_array

    counts = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    counts.sum_duplicates()
    if once:
        counts.data[:] = 1.0
    return counts
