"""A network that is too large to draw agent by agent: one node for each community."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from metrics.networks import Network
from metrics.networks.partitions import ISOLATED
from sim.numbers import counted
from sim.run_dir import CellDir
from sim.views.networks import NetworkMoment, force_layout, network_at

MOST_NODES = 2_000
"""Agents up to which a network is drawn one by one."""


class CommunityMap(NamedTuple):
    """Communities, and what runs between them.

    Args:
        nodes: community, agents, side (the most frequent one), side_share (its share among members with a side),
            stance (mean; NaN without any), x, y in [−1, 1].
        edges: source and target (communities), weight (of all ties between them), the heaviest first.
        alt: the picture in words.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame
    alt: str


def community_map(cell: CellDir, relation: str, step: int, moment: NetworkMoment) -> CommunityMap:
    """Draw a network together by its communities; agents without ties are in none.

    Args:
        cell: of the network.
        relation: as that of the moment.
        step: as that of the moment.
        moment: of `network_moment`.
    """
    members = moment.nodes[moment.nodes["community"] != ISOLATED]
    communities = members.groupby("community")
    known = members.dropna(subset="side").groupby("community")["side"]
    nodes = pd.DataFrame(
        {
            "agents": communities.size(),
            "side": known.agg(lambda side: side.value_counts().index[0]),
            "side_share": known.agg(lambda side: side.value_counts(normalize=True).iloc[0]),
            "stance": communities["stance"].mean(),
        }
    ).reset_index()
    between = _between(network_at(cell, relation, len(moment.nodes), step), moment.nodes["community"])
    places = force_layout(between, cell.key.seed)
    edges = pd.DataFrame(between.edges._asdict()).sort_values("weight", ascending=False, kind="stable")
    alt = (
        f"{moment.alt} Drawn by community, since {counted(len(moment.nodes), 'agent')} are too many to tell apart: "
        f"{len(nodes)} nodes, as large as they have members."
    )
    return CommunityMap(nodes.assign(x=places[:, 0], y=places[:, 1]), edges.reset_index(drop=True), alt)


def members(moment: NetworkMoment, community: int) -> pd.DataFrame:
    """Who is in a community, the best tied first: agent_id, handle, side, stance, degree."""
    inside = moment.nodes[moment.nodes["community"] == community]
    columns = ["agent_id", "handle", "side", "stance", "degree"]
    return inside[columns].sort_values(["degree", "agent_id"], ascending=[False, True], ignore_index=True)


def _between(network: Network, community: pd.Series[int]) -> Network:
    """The undirected network of communities; isolated agents have no ties to bring along."""
    labels = community.to_numpy()
    source, target, weight = network.edges
    across = labels[source] != labels[target]
    return Network.from_edges(
        labels[source[across]], labels[target[across]], int(np.max(labels, initial=-1)) + 1, weight[across]
    )
