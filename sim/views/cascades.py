"""What posts came to: the most engaging ones, how attention is shared out, and the trees of who passed on what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.attention import exceedance
from metrics.diffusion import NO_PARENT, cascade_nodes, cascade_shapes
from metrics.engagement import DISLIKE, ENGAGEMENT_KINDS, engagements
from metrics.posts import REPOST, own_words, post_kinds
from sim.errors import RunDirError
from sim.numbers import counted, number
from sim.opinion_cell import opinion_model
from sim.platform_tables import PlatformTables, read_tables
from sim.run_dir import CellDir, RunDir
from sim.views.plotted import Plotted

POST_COLUMNS = [
    "text", "engagements", "likes", "comments", "reposts", "quotes", "dislikes", "author", "side", "kind", "step",
    "post_id",
]  # fmt: skip
_COUNTED = {
    "like": "likes",
    "comment": "comments",
    "repost": "reposts",
    "quote": "quotes",
    DISLIKE: "dislikes",
}
SIZE_COLUMNS = ["condition", "size", "share"]
NODE_COLUMNS = ["node", "parent", "kind", "step", "depth", "row", "user_id", "author", "side", "text"]


def written_cells(run: RunDir, size: int) -> list[CellDir]:
    """Finished cells of a size in which anybody could write: those of opinion models have no platform."""
    return [cell for cell in _done(run, size) if opinion_model(cell.key.condition) is None]


def silent_conditions(run: RunDir, size: int) -> list[str]:
    """Conditions with finished cells in which nobody writes."""
    silent = [
        cell.key.condition for cell in _done(run, size) if opinion_model(cell.key.condition) is not None
    ]
    return list(dict.fromkeys(silent))


def _done(run: RunDir, size: int) -> list[CellDir]:
    return [cell for cell in run.cells() if cell.done and cell.key.size == size]


def top_posts(cell: CellDir, people: pd.DataFrame, step: int, most: int = 25) -> pd.DataFrame:
    """The posts that others engaged with most, of everything up to and including a step.

    Args:
        cell: with a platform.
        people: of `RunDir.read_population`.
        step: moment to look from.
        most: rows.

    Returns:
        `POST_COLUMNS`: `text` as written, `likes`, `comments`, `reposts`, `quotes` and `dislikes` by others,
        `engagements` (the first four together). Most engagements first, then the earlier post.
    """
    tables = _until(read_tables(cell.database), step)
    posts = tables.posts
    acts = engagements(
        posts, tables.comments, tables.likes, tables.dislikes, kinds=[*ENGAGEMENT_KINDS, DISLIKE]
    )
    kinds = post_kinds(posts)
    own = posts.loc[kinds != REPOST, ["post_id", "user_id", "created_at"]].assign(kind=kinds)
    counts = acts.groupby(["post_id", "kind"]).size().unstack(fill_value=0)  # noqa: PD010 - nothing to average
    counts = counts.reindex(index=own["post_id"], columns=list(_COUNTED), fill_value=0)
    counts = counts.rename(columns=_COUNTED).reset_index(drop=True)
    table = pd.concat([own.reset_index(drop=True), counts], axis=1).rename(columns={"created_at": "step"})
    table["engagements"] = counts[["likes", "comments", "reposts", "quotes"]].sum(axis=1)
    table = table.sort_values(["engagements", "post_id"], ascending=[False, True]).head(most)
    named = _named(table, people)
    return named.assign(text=table["post_id"].map(own_words(posts)).to_numpy())[POST_COLUMNS].reset_index(
        drop=True
    )


def cascade_sizes(cells: Sequence[CellDir]) -> Plotted:
    """How large cascades are: the share of posts whose cascade is at least so large, seeds together.

    Args:
        cells: of `written_cells`, all of one size; at least one.

    Returns:
        Columns `condition`, `size` (nodes, the post included) and `share` ∈ (0, 1] of original posts.
    """
    found: dict[str, list[NDArray[np.int64]]] = {}
    for cell in cells:
        tables = read_tables(cell.database)
        parent = cascade_nodes(tables.posts, tables.comments)["parent"].to_numpy(dtype=np.int64)
        found.setdefault(cell.key.condition, []).append(cascade_shapes(parent).size)
    parts, said = [], []
    for condition, of_seeds in found.items():
        sizes = np.concatenate(of_seeds)
        curve = exceedance(sizes)
        parts.append(pd.DataFrame({"condition": condition, "size": curve.value, "share": curve.share}))
        if not len(sizes):
            said.append(f"{condition}: nobody posted anything")
            continue
        said.append(
            f"{condition}: {counted(len(sizes), 'post')}, {np.mean(sizes > 1):.0%} of them answered or passed on, the "
            f"largest cascade has {counted(int(sizes.max()), 'node')}"
        )
    seeds = {cell.key.seed for cell in cells}
    which = f"{len(seeds)} seeds together" if len(seeds) > 1 else f"seed {seeds.pop()}"
    title = f"Share of posts whose cascade has at least so many nodes, N = {cells[0].key.size}, {which}"
    return Plotted(pd.concat(parts, ignore_index=True)[SIZE_COLUMNS], title, f"{'. '.join(said)}.")


def cascades(cell: CellDir, people: pd.DataFrame, most: int = 50) -> pd.DataFrame:
    """The largest cascades of a cell, as seen along the follow graph.

    Args:
        cell: with a platform.
        people: of `RunDir.read_population`.
        most: rows.

    Returns:
        Columns `post_id`, `step`, `author`, `side`, `size`, `depth`, `breadth`, `virality` (as
        `metrics.diffusion.Shape`) and `text`; largest first, then the earlier post. Posts that nobody passed on or
        answered are left out.
    """
    tables = read_tables(cell.database)
    nodes = cascade_nodes(tables.posts, tables.comments, tables.follows)
    shape = cascade_shapes(nodes["parent"].to_numpy(dtype=np.int64))
    posts = tables.posts.iloc[nodes["place"].to_numpy()[shape.root]]
    table = pd.DataFrame(
        {
            "post_id": posts["post_id"].to_numpy(), "step": posts["created_at"].to_numpy(),
            "user_id": posts["user_id"].to_numpy(), "size": shape.size, "depth": shape.depth,
            "breadth": shape.breadth, "virality": shape.virality, "text": posts["content"].to_numpy(),
        }
    )  # fmt: skip
    table = table[table["size"] > 1].sort_values(["size", "post_id"], ascending=[False, True]).head(most)
    columns = ["post_id", "step", "author", "side", "size", "depth", "breadth", "virality", "text"]
    return _named(table, people)[columns].reset_index(drop=True)


def cascade_tree(cell: CellDir, people: pd.DataFrame, post_id: int, *, inferred: bool = True) -> Plotted:
    """One cascade as a tree, ready to draw: steps to the right, every leaf on a row of its own.

    Args:
        cell: with a platform.
        people: of `RunDir.read_population`.
        post_id: an original post.
        inferred: along the follow graph; False takes the platform's record, in which all shares hang on the post.

    Returns:
        `NODE_COLUMNS`, parents before children: `node` (0 is the post), `parent` (`NO_PARENT` for it), `kind`,
        `step`, `depth` in hops, `row` (leaves 0, 1, …; others amid their children), `user_id`, `author`, `side`,
        `text`.

    Raises:
        RunDirError: when the cell has no such original post.
    """
    tables = read_tables(cell.database)
    nodes = cascade_nodes(tables.posts, tables.comments, tables.follows if inferred else None)
    posted = nodes["kind"] == "post"
    at = posted & (tables.posts["post_id"].to_numpy()[nodes["place"].where(posted, 0)] == post_id)
    if not at.any():
        raise RunDirError(f"{cell.path}: no original post {post_id}. Choose one of the table of cascades.")
    root = int(np.flatnonzero(at)[0])
    part = nodes[nodes["root"] == root]
    node_of = pd.Series(range(len(part)), index=part.index)
    parent = np.asarray(part["parent"].map(node_of).fillna(NO_PARENT), dtype=np.int64)
    depth = _depths(parent)
    frame = _named(part, people).assign(
        node=range(len(part)), parent=parent, depth=depth, row=_rows(parent), text=_texts(part, tables)
    )[NODE_COLUMNS]
    (shape_of,) = zip(*cascade_shapes(parent), strict=True)
    size, deepest, breadth, virality = shape_of[1:]
    title = f"Cascade of post {post_id} under {cell.key.condition}, seed {cell.key.seed}"
    alt = (
        f"{cell.key.condition}, seed {cell.key.seed}: post {post_id} by {frame['author'].iloc[0]} at step "
        f"{frame['step'].iloc[0]}; {_kinds_said(frame)}; {counted(int(size), 'node')}, depth {deepest}, breadth "
        f"{breadth}, structural virality {number(virality)}, last at step {frame['step'].max()}."
    )
    return Plotted(frame.reset_index(drop=True), title, alt)


def same_post_trees(
    cells: Sequence[CellDir], people: pd.DataFrame, chosen: CellDir, post_id: int, *, inferred: bool = True
) -> dict[str, Plotted]:
    """The cascade of a post, and of the same post in the other conditions where it is a seed post of them all.

    Conditions of a seed share the posts of step 0 with their ids; what is written later is each one's own.

    Args:
        cells: of `written_cells`.
        people: of `RunDir.read_population`.
        chosen: the cell that the post is of.
        post_id: an original post.
        inferred: as in `cascade_tree`.

    Returns:
        Id of the cell → as `cascade_tree`, one for each condition, in the order of `cells`.
    """
    tree = cascade_tree(chosen, people, post_id, inferred=inferred)
    if tree.frame["step"].iloc[0] > 0:
        return {chosen.key.id: tree}
    paired = [cell for cell in cells if cell.key.seed == chosen.key.seed]
    return {
        cell.key.id: tree
        if cell.key == chosen.key
        else cascade_tree(cell, people, post_id, inferred=inferred)
        for cell in paired
    }


def _kinds_said(frame: pd.DataFrame) -> str:
    counts = frame["kind"].iloc[1:].value_counts()
    return ", ".join(counted(int(n), str(kind)) for kind, n in counts.items()) or "nobody passed it on"


def _depths(parent: NDArray[np.int64]) -> NDArray[Any]:
    depth = np.zeros(len(parent), dtype=np.int64)
    for node in range(1, len(parent)):
        depth[node] = depth[parent[node]] + 1
    return depth


def _rows(parent: NDArray[np.int64]) -> NDArray[Any]:
    """Place of every node across the tree: leaves in the order of a walk, others amid their children."""
    children: list[list[int]] = [[] for _ in parent]
    for node in range(1, len(parent)):
        children[parent[node]].append(node)
    row, leaves, stack = np.zeros(len(parent)), 0, [0]
    while stack:
        node = stack.pop()
        if children[node]:
            stack.extend(reversed(children[node]))
        else:
            row[node] = leaves
            leaves += 1
    for node in range(len(parent) - 1, -1, -1):
        if children[node]:
            row[node] = float(np.mean(row[children[node]]))
    return row


def _texts(part: pd.DataFrame, tables: PlatformTables) -> list[str]:
    """Words of each node; a repost shows those that it passes on."""
    words = own_words(tables.posts).to_numpy()
    comments = tables.comments["content"].to_numpy()
    return [
        str(comments[place] if kind == "comment" else words[place])
        for kind, place in part[["kind", "place"]].itertuples(index=False)
    ]


def _until(tables: PlatformTables, step: int) -> PlatformTables:
    """What was there at a step; users as they are."""
    return tables._replace(
        **{
            name: table[table["created_at"] <= step].reset_index(drop=True)
            for name, table in tables._asdict().items()
            if name != "users"
        }
    )


def _named(table: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """With the handle and side of the user in `user_id`."""
    known = people.set_index("agent_id")
    return table.assign(
        author=table["user_id"].map(known["handle"]), side=table["user_id"].map(known["side"])
    )
