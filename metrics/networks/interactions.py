"""The networks of a run: who follows, answers and shares whom, and who meets whom at the same posts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from metrics.content import COMMENT
from metrics.errors import MetricInputError
from metrics.networks.network import Network
from metrics.posts import REPOST


def follow_network(follows: pd.DataFrame, users: pd.Index) -> Network:
    """Directed, from follower to followee, weight 1.

    Args:
        follows: `follower_id, followee_id`; a pair that occurs twice counts once, following oneself not at all.
        users: every user, in the order of the nodes.

    Raises:
        MetricInputError: a user who is not in `users`.
    """
    pairs = follows[["follower_id", "followee_id"]].drop_duplicates()
    return _arcs(pairs["follower_id"], pairs["followee_id"], users)


def reply_network(acts: pd.DataFrame, users: pd.Index) -> Network:
    """Directed, from who comments to the author of the words commented on; weight = number of comments.

    Args:
        acts: rows of `engagements`, of which the comments count.
        users: every user, in the order of the nodes.

    Raises:
        MetricInputError: a user who is not in `users`.

    Source: ours.
    """
    return _to_authors(acts, COMMENT, users)


def repost_network(acts: pd.DataFrame, users: pd.Index) -> Network:
    """Directed, from who reposts to the author of the words reposted; weight = number of reposts.

    Quotes are left out: a repost endorses, a quote may contradict.

    Args:
        acts: rows of `engagements`, of which the reposts count.
        users: every user, in the order of the nodes.

    Raises:
        MetricInputError: a user who is not in `users`.

    Source: the retweet graph of Conover et al. 2011.
    """
    return _to_authors(acts, REPOST, users)


def co_engagement_network(acts: pd.DataFrame, users: pd.Index) -> Network:
    """Undirected: who met at the same posts.

    Args:
        acts: rows of `engagements`.
        users: every user, in the order of the nodes; those without engagement are isolated.

    Returns:
        Weight = number of posts that both engaged with, however often and in whatever way each did.

    Raises:
        MetricInputError: a user who is not in `users`.

    Source: weight "number of posts both users engaged with" is ours; Newman 2001 calls it the unweighted
    one-mode projection of the bipartite user–post graph.
    """
    from scipy.sparse import csr_matrix

    pairs = acts[["user_id", "post_id"]].drop_duplicates()
    rows = _positions(pairs["user_id"], users)
    columns, posts = pd.factorize(pairs["post_id"])
    met = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(users), max(len(posts), 1)))
    shared = (met @ met.T).tocsr()
    shared.setdiag(0.0)
    shared.eliminate_zeros()
    shared.sort_indices()
    return Network(shared)


def _to_authors(acts: pd.DataFrame, kind: str, users: pd.Index) -> Network:
    counted = acts[acts["kind"] == kind]
    return _arcs(counted["user_id"], counted["author_id"], users)


def _arcs(source: pd.Series[int], target: pd.Series[int], users: pd.Index) -> Network:
    ends = _positions(source, users), _positions(target, users)
    apart = ends[0] != ends[1]
    return Network.from_edges(ends[0][apart], ends[1][apart], len(users), directed=True)


def _positions(user_ids: pd.Series[int], users: pd.Index) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    rows: np.ndarray[tuple[int], np.dtype[np.intp]] = users.get_indexer(pd.Index(user_ids))
    if (rows < 0).any():
        raise MetricInputError(
            f"{user_ids.name}: {user_ids.iloc[int(np.argmin(rows))]} is not among the users"
        )
    return rows
