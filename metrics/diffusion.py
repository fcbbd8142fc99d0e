"""Cascades: who passed a post on from whom, and the shape of the trees that this makes.

The platform credits every repost and quote to the original, so its own records know stars only. Given the
follow graph, the tree that people see is inferred instead: somebody who shares a post had it from the followed
user who shared or wrote it last before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.content import COMMENT
from metrics.errors import MetricInputError
from metrics.posts import POST, post_kinds

NO_PARENT = -1
FEWEST_FOR_SHAPE = 3
"""Nodes from which structural virality says anything: two can only be joined in one way."""


def cascade_nodes(
    posts: pd.DataFrame, comments: pd.DataFrame, follows: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Every post, repost, quote and comment as a node of the cascade that it belongs to.

    Args:
        posts: `post_id, user_id, original_post_id, quote_content, created_at`.
        comments: `post_id, user_id, created_at`.
        follows: `follower_id, followee_id, created_at`; a follow counts for what is shared at later steps.
            With it, a repost or quote hangs on the latest earlier sharer (or author) whom its user followed,
            and where there is none on the post itself. None keeps the platform's record.

    Returns:
        One row a node, parents before children: `kind` (`post`, `repost`, `quote`, `comment`), `place` (row
        of `comments` for a comment, else of `posts`), `user_id`, `step`, `root` and `parent` (row numbers; a
        post is its own root and has parent `NO_PARENT`). Comments hang on the post or quote commented on: they
        are not passed on.

    Raises:
        MetricInputError: a share or comment of a post that is not in the table, or that is not earlier.

    Source: Goel, Anderson, Hofman and Watts 2016 §3 (parent = most recent of the followed who shared
    before); comments as leaves are ours.
    """
    nodes = _nodes(posts, comments)
    parent = nodes["parent"].to_numpy()
    late = np.flatnonzero(parent >= np.arange(len(nodes)))
    if len(late):
        first = nodes.iloc[late[0]]
        raise MetricInputError(
            f"posts: a {first['kind']} of user {first['user_id']} at step {first['step']} comes before what it "
            "is about; order rows by time"
        )
    nodes = nodes.assign(root=_levels(parent)[1])
    return nodes if follows is None else nodes.assign(parent=_seen_from(nodes, follows))


class Shape(NamedTuple):
    """The shape of each cascade, one entry a root in row order.

    Args:
        root: row number of the post.
        size: nodes, the post included.
        depth: longest way from the post, in passings on; 0 for a post that nobody passed on.
        breadth: most nodes at the same distance.
        virality: mean distance between two nodes; NaN for one alone. 1 for two; near 2 for a large star;
            about n/3 for a chain of n.
    """

    root: NDArray[np.int64]
    size: NDArray[np.int64]
    depth: NDArray[np.int64]
    breadth: NDArray[np.int64]
    virality: NDArray[np.float64]


def cascade_shapes(parent: NDArray[np.int64]) -> Shape:
    """Size, depth, breadth and structural virality of every tree of a forest.

    Args:
        parent: [n] row number of each node's parent, which must be smaller; `NO_PARENT` for roots.

    Returns:
        One entry a root; none for an empty forest.

    Raises:
        MetricInputError: a parent that does not come before its child.

    Source: structural virality is Goel et al. 2016 eq. 1 (Wiener index over pairs of nodes), computed from
    subtree sizes: an edge that parts s of n nodes lies on s·(n − s) of the ways between two.
    """
    n = len(parent)
    if n and not ((parent >= NO_PARENT) & (parent < np.arange(n))).all():
        raise MetricInputError("parent: expected every parent before its child, and -1 for roots")
    level, root = _levels(parent)
    below = np.ones(n, dtype=np.int64)
    for depth in range(int(level.max(initial=0)), 0, -1):
        at = np.flatnonzero(level == depth)
        np.add.at(below, parent[at], below[at])
    roots = np.flatnonzero(parent == NO_PARENT)
    place = np.searchsorted(roots, root)
    size = below[roots]
    ways = below * (size[place] - below) * (parent != NO_PARENT)
    wiener = np.bincount(place, weights=ways, minlength=len(roots))
    depth_of, breadth = np.zeros(len(roots), np.int64), np.ones(len(roots), np.int64)
    np.maximum.at(depth_of, place, level)
    rings, width = np.unique(np.column_stack([place, level]), axis=0, return_counts=True)
    np.maximum.at(breadth, rings[:, 0], width)
    pairs = size * (size - 1) / 2
    virality = np.divide(wiener, pairs, out=np.full(len(roots), np.nan), where=pairs > 0)
    return Shape(roots, size, depth_of, breadth, virality)


def _nodes(posts: pd.DataFrame, comments: pd.DataFrame) -> pd.DataFrame:
    """Posts and comments by time, posts first within a step; `parent` as the platform recorded it."""
    kind = post_kinds(posts)
    about = posts["original_post_id"].where(kind != POST)
    said = pd.DataFrame(
        {
            "kind": kind.to_numpy(),
            "place": np.arange(len(posts)),
            "user_id": posts["user_id"].to_numpy(),
            "step": posts["created_at"].to_numpy(),
            "about": about.astype("float64").to_numpy(),
            "post_id": posts["post_id"].to_numpy(dtype=np.float64),
        }
    )
    replies = pd.DataFrame(
        {
            "kind": COMMENT,
            "place": np.arange(len(comments)),
            "user_id": comments["user_id"].to_numpy(),
            "step": comments["created_at"].to_numpy(),
            "about": comments["post_id"].to_numpy(dtype=np.float64),
            "post_id": np.nan,
        }
    )
    parts = [part for part in (said, replies) if len(part)]
    nodes = pd.concat(parts, ignore_index=True) if parts else said
    nodes = nodes.sort_values("step", kind="stable", ignore_index=True)
    row_of = pd.Series(nodes.index, index=nodes["post_id"])[lambda s: s.index.notna()]
    parent = nodes["about"].map(row_of)
    lost = nodes["about"].notna() & parent.isna()
    if lost.any():
        first = nodes[lost].iloc[0]
        raise MetricInputError(
            f"{first['kind']}: user {first['user_id']} passes on post {first['about']:.0f}, which is not in "
            "posts; pass the whole post table"
        )
    nodes["parent"] = parent.fillna(NO_PARENT).astype("int64")
    return nodes[["kind", "place", "user_id", "step", "parent"]]


def _seen_from(nodes: pd.DataFrame, follows: pd.DataFrame) -> NDArray[np.int64]:
    """The parent of each share under the follow graph; other nodes keep theirs."""
    parent = nodes["parent"].to_numpy().copy()
    passes_on = nodes[nodes["kind"] != COMMENT]
    source = passes_on.rename_axis("source").reset_index()[["source", "root", "user_id", "step"]]
    sharing = source[passes_on["parent"].to_numpy() != NO_PARENT].rename(columns={"source": "node"})
    seen = sharing.merge(follows, left_on="user_id", right_on="follower_id")  # shares × followed, not shares²
    seen = seen[seen["created_at"] < seen["step"]]
    earlier = seen.merge(
        source, left_on=["root", "followee_id"], right_on=["root", "user_id"], suffixes=("", "_of_source")
    )
    latest = earlier[earlier["step_of_source"] < earlier["step"]].groupby("node")["source"].max()
    parent[latest.index.to_numpy(dtype=np.int64)] = latest.to_numpy(dtype=np.int64)
    return parent


def _levels(parent: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distance from the root, and the root, of every node."""
    n = len(parent)
    level, root = np.zeros(n, np.int64), np.arange(n, dtype=np.int64)
    at = parent.copy()
    while (climbing := at != NO_PARENT).any():
        level[climbing] += 1
        root[climbing] = at[climbing]
        at[climbing] = parent[at[climbing]]
    return level, root
