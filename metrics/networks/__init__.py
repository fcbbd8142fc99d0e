"""Networks and what can be measured on them; for igraph, leidenalg and scipy, imported when first used."""

from __future__ import annotations

from metrics.networks.boundary import betweenness_controversy, boundary_polarization, edge_betweenness
from metrics.networks.consensus import consensus_partition
from metrics.networks.controversy import random_walk_controversy
from metrics.networks.diversity import hill_number
from metrics.networks.exposure import cross_side_following, echo_chamber, neighbourhood_leaning
from metrics.networks.homophily import (
    coleman_homophily,
    ei_index,
    same_side_pairs,
    within_community_homophily,
)
from metrics.networks.interactions import (
    co_engagement_network,
    follow_network,
    reply_network,
    repost_network,
)
from metrics.networks.mixing import assortativity, modularity, numeric_assortativity
from metrics.networks.network import Network
from metrics.networks.null_models import NullTest, configuration_test, permutation_test, rewired
from metrics.networks.partitions import (
    Partition,
    Stability,
    find_partition,
    find_partitions,
    stability,
)

__all__ = [
    "Network",
    "NullTest",
    "Partition",
    "Stability",
    "assortativity",
    "betweenness_controversy",
    "boundary_polarization",
    "co_engagement_network",
    "coleman_homophily",
    "configuration_test",
    "consensus_partition",
    "cross_side_following",
    "echo_chamber",
    "edge_betweenness",
    "ei_index",
    "find_partition",
    "find_partitions",
    "follow_network",
    "hill_number",
    "modularity",
    "neighbourhood_leaning",
    "numeric_assortativity",
    "permutation_test",
    "random_walk_controversy",
    "reply_network",
    "repost_network",
    "rewired",
    "same_side_pairs",
    "stability",
    "within_community_homophily",
]
