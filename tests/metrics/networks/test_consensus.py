from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.networks import Network, consensus_partition, find_partitions, modularity
from metrics.networks.consensus import _together
from metrics.networks.partitions import ISOLATED
from tests.metrics.networks.graphs import from_networkx, karate, make, networks


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_shares_of_being_together_are_counted_and_weak_ones_cut() -> None:
    labels = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1]])
    # Of four partitions: 0–1 three times, 2–3 twice; 0–2 and 1–2 once and twice; 1–3 once.
    assert _together(labels, 0.0).toarray().tolist() == [
        [0, 0.75, 0.25, 0],
        [0.75, 0, 0.5, 0.25],
        [0.25, 0.5, 0, 0.75],
        [0, 0.25, 0.75, 0],
    ]
    assert _together(labels, 0.6).toarray().tolist() == [
        [0, 0.75, 0, 0],
        [0.75, 0, 0, 0],
        [0, 0, 0, 0.75],
        [0, 0, 0.75, 0],
    ]


def test_a_node_that_would_lose_all_ties_keeps_its_strongest() -> None:
    labels = np.array([[0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1]])
    # 0–1 three of four, 1–2 one of four: below the threshold, but all that node 2 has.
    assert _together(labels, 0.5).toarray().tolist() == [[0, 0.75, 0], [0.75, 0, 0.25], [0, 0.25, 0]]


@settings(deadline=None, max_examples=20)
@given(networks(), st.integers(0, 100))
def test_the_result_is_a_partition_with_its_own_modularity(network: Network, seed: int) -> None:
    found = consensus_partition(network, rng=rng(seed), runs=5)
    assert ((found.labels == ISOLATED) == ~network.linked).all()
    assert found.sizes.sum() == network.linked.sum()
    assert found.modularity == pytest.approx(modularity(network, found.labels))


def test_consensus_is_steadier_than_single_searches() -> None:
    """On a network with weak communities, consensus partitions agree more than single runs do."""
    network = from_networkx(nx.planted_partition_graph(4, 30, 0.25, 0.08, seed=2))
    singles = find_partitions(network, rng=rng(), method="louvain", restarts=8).stability
    from metrics.networks import stability

    agreed = stability([consensus_partition(network, rng=rng(i), method="louvain").labels for i in range(4)])
    assert agreed.nmi > singles.nmi
    assert agreed.ari > singles.ari


def test_planted_communities_come_back_and_the_same_seed_gives_the_same() -> None:
    network = from_networkx(nx.planted_partition_graph(4, 30, 0.5, 0.02, seed=1))
    first, second = (consensus_partition(network, rng=rng(3)) for _ in range(2))
    assert first.sizes.tolist() == [30] * 4
    assert np.array_equal(first.labels, second.labels)


@pytest.mark.parametrize("method", ["leiden", "infomap", "surprise"])
def test_directed_networks_have_a_consensus_too(method: str) -> None:
    ring = nx.ring_of_cliques(5, 5).to_directed()
    found = consensus_partition(from_networkx(ring), rng=rng(), method=method, runs=5)
    assert found.sizes.tolist() == [5] * 5


def test_no_edges_and_wrong_input() -> None:
    assert consensus_partition(make(2, []), rng=rng()).labels.tolist() == [ISOLATED] * 2
    with pytest.raises(MetricInputError, match="runs: got 1"):
        consensus_partition(karate().network, rng=rng(), runs=1)
    with pytest.raises(MetricInputError, match=r"threshold: got 1.0"):
        consensus_partition(karate().network, rng=rng(), threshold=1.0)


def test_karate_consensus_is_within_a_hundredth_of_the_optimum() -> None:
    found = consensus_partition(karate().network, rng=rng())
    assert len(found.sizes) in (3, 4)
    assert found.modularity > 0.4198 - 0.02
