from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path

import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import comb

from metrics.errors import MetricInputError
from metrics.networks import Network, find_partition, find_partitions, modularity, stability
from metrics.networks.partitions import ISOLATED
from metrics.networks.searches import METHODS, Method
from tests.metrics.networks.graphs import (
    from_networkx,
    groups,
    karate,
    make,
    networks,
    real,
    renumbered,
    to_networkx,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def planted(n_groups: int, size: int) -> Network:
    """Dense groups joined in a ring by single edges: the partition is beyond doubt."""
    return from_networkx(nx.ring_of_cliques(n_groups, size))


def one_way(network: Network) -> Network:
    """Every edge once, from the lower number to the higher, and back within steps of one."""
    source, target, _ = network.edges
    ends = np.concatenate([np.column_stack([source, target]), np.column_stack([target, source])])
    return make(network.n, ends, directed=True)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_planted_communities(method: Method) -> None:
    partition = find_partition(planted(6, 5), rng=rng(), method=method)
    assert sorted(partition.sizes.tolist()) == [5] * 6
    assert partition.modularity == pytest.approx(modularity(planted(6, 5), np.repeat(np.arange(6), 5)))


@pytest.mark.parametrize("method", [m for m in METHODS if m != "louvain"])
def test_directed_methods_find_planted_communities(method: Method) -> None:
    arcs = one_way(planted(6, 5))
    partition = find_partition(arcs, rng=rng(), method=method)
    assert sorted(partition.sizes.tolist()) == [5] * 6
    assert partition.modularity == pytest.approx(modularity(arcs, partition.labels))


def test_infomap_follows_the_arrows() -> None:
    """Two directed cycles joined by thin arcs: flow stays in a cycle."""
    ring = [(i, (i + 1) % 5) for i in range(5)]
    edges = [*ring, *((a + 5, b + 5) for a, b in ring), (0, 5), (5, 0)]
    arcs = make(10, edges, [10.0] * 10 + [1.0] * 2, directed=True)
    partition = find_partition(arcs, rng=rng(), method="infomap")
    assert groups(partition.labels) == [set(range(5)), set(range(5, 10))]


def test_surprise_sees_communities_that_modularity_merges() -> None:
    """Thirty cliques of five in a ring: the greatest Q joins neighbours (Fortunato and Barthélemy 2007)."""
    ring = planted(30, 5)
    assert len(find_partition(ring, rng=rng(), method="leiden").sizes) < 30
    assert len(find_partition(ring, rng=rng(), method="surprise").sizes) == 30


def test_labels_run_by_falling_size() -> None:
    triangle_and_square = make(7, [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (5, 6), (3, 6), (3, 5), (4, 6)])
    assert find_partition(triangle_and_square, rng=rng()).labels.tolist() == [1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("method", METHODS)
def test_nodes_without_edges_are_in_no_community(method: Method) -> None:
    ring = planted(3, 4).edges
    network = Network.from_edges(ring.source + 1, ring.target + 1, 14)
    partition = find_partition(network, rng=rng(), method=method)
    assert np.flatnonzero(partition.labels == ISOLATED).tolist() == [0, 13]
    assert partition.sizes.tolist() == [4, 4, 4]


def test_a_network_without_edges_has_neither_communities_nor_modularity() -> None:
    found = find_partitions(make(3, []), rng=rng())
    assert found.best.labels.tolist() == [ISOLATED] * 3
    assert not len(found.best.sizes)
    assert np.isnan([found.best.modularity, *found.stability]).all()


@settings(deadline=None, max_examples=30)
@given(networks(), st.integers(0, 100))
def test_leiden_is_at_least_as_good_as_networkx_louvain_on_small_networks(
    network: Network, seed: int
) -> None:
    partition = find_partition(network, rng=rng(seed), restarts=10)
    linked = to_networkx(network)
    linked.remove_nodes_from(list(nx.isolates(linked)))
    louvain = nx.community.modularity(linked, nx.community.louvain_communities(linked, seed=seed))
    assert partition.modularity >= louvain - 1e-9
    assert partition.modularity == pytest.approx(modularity(network, partition.labels))


@settings(deadline=None, max_examples=20)
@given(networks(directed=True, max_nodes=6), st.integers(0, 100))
def test_directed_leiden_is_never_far_from_the_best_of_all_partitions(network: Network, seed: int) -> None:
    """Against every partition of up to six nodes, one after another; a search may miss by a little."""
    best = max(modularity(network, labels) for labels in _all_partitions(network.n))
    found = find_partition(network, rng=rng(seed), restarts=10).modularity
    assert best - 0.1 <= found <= best + 1e-9


def _all_partitions(n: int) -> list[npt.NDArray[np.int64]]:
    """Restricted growth strings: every partition of n nodes once."""
    strings = [[0]]
    for _ in range(n - 1):
        strings = [[*s, c] for s in strings for c in range(max(s) + 2)]
    return [np.array(s) for s in strings]


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 6), st.sampled_from(METHODS), st.integers(0, 1000))
def test_order_of_nodes_does_not_matter_where_communities_are_clear(
    n_groups: int, method: Method, seed: int
) -> None:
    network = planted(n_groups, 4)
    order = rng(seed).permutation(network.n)
    found = find_partition(network, rng=rng(seed), method=method)
    moved = find_partition(renumbered(network, order), rng=rng(seed), method=method)
    assert moved.modularity == pytest.approx(found.modularity)
    assert {frozenset(order[list(group)]) for group in groups(moved.labels)} == {
        frozenset(group) for group in groups(found.labels)
    }


@pytest.mark.parametrize("method", METHODS)
def test_the_same_generator_state_gives_the_same_runs_and_leaves_global_chance_alone(method: Method) -> None:
    network = from_networkx(nx.gnm_random_graph(60, 200, seed=1))
    find_partitions(network, rng=rng(), method=method)  # libraries that it imports may draw
    random.seed(7)
    expected = random.random()
    random.seed(7)
    first, second = (find_partitions(network, rng=rng(3), method=method, restarts=3) for _ in range(2))
    assert random.random() == expected
    for one, other in zip(first.runs, second.runs, strict=True):
        assert np.array_equal(one.labels, other.labels)


def test_igraph_gets_its_generator_back() -> None:
    """After a partition igraph draws from Python's `random` again, its documented default."""
    import igraph

    find_partition(planted(3, 4), rng=rng())
    draws = []
    for _ in range(2):
        random.seed(5)
        draws.append(igraph.Graph.Erdos_Renyi(n=30, m=40).get_edgelist())
    assert draws[0] == draws[1]


def test_clear_communities_are_found_the_same_in_every_run_and_random_ones_are_not() -> None:
    clear = find_partitions(planted(6, 5), rng=rng()).stability
    assert clear == pytest.approx((1.0, 1.0))
    noise = find_partitions(from_networkx(nx.gnm_random_graph(100, 300, seed=1)), rng=rng()).stability
    assert noise.nmi < 0.8
    assert noise.ari < 0.6


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 30), st.integers(0, 1000))
def test_stability_is_the_mean_over_pairs_of_its_textbook_formulas(n: int, seed: int) -> None:
    runs = [rng(seed + i).integers(3, size=n) for i in range(3)]
    found = stability(runs)
    pairs = list(combinations(runs, 2))
    assert found.nmi == pytest.approx(np.mean([_nmi(a, b) for a, b in pairs]), abs=1e-9)
    assert found.ari == pytest.approx(np.mean([_ari(a, b) for a, b in pairs]), abs=1e-9)
    assert stability(runs[:1]) != stability(runs[:1])  # NaN


def _joint(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    joint = np.zeros((3, 3))
    np.add.at(joint, (a, b), 1.0)
    return joint


def _entropy(p: npt.NDArray[np.float64]) -> float:
    return float(-np.sum(p[p > 0] * np.log(p[p > 0])))


def _nmi(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> float:
    """2 I(a; b) / (H(a) + H(b)), with I = H(a) + H(b) − H(a, b); 1 for two partitions into one group."""
    p = _joint(a, b) / len(a)
    of_a, of_b = _entropy(p.sum(axis=1)), _entropy(p.sum(axis=0))
    return 1.0 if of_a + of_b == 0 else 2 * (of_a + of_b - _entropy(p.ravel())) / (of_a + of_b)


def _ari(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> float:
    """Pairs together in both, minus expected, over the mean of pairs together in each, minus expected."""
    joint = _joint(a, b)
    both, in_a, in_b = (comb(x, 2).sum() for x in (joint, joint.sum(axis=1), joint.sum(axis=0)))
    expected = in_a * in_b / comb(len(a), 2)
    return 1.0 if (in_a + in_b) / 2 == expected else (both - expected) / ((in_a + in_b) / 2 - expected)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(MetricInputError, match="at least 1"):
        find_partition(planted(2, 3), rng=rng(), restarts=0)
    with pytest.raises(MetricInputError, match="expected one of leiden, louvain, infomap, surprise"):
        find_partition(planted(2, 3), rng=rng(), method="kmeans")  # type: ignore[arg-type]
    with pytest.raises(MetricInputError, match=r"louvain knows no directions.*network.undirected\(\)"):
        find_partition(one_way(planted(2, 3)), rng=rng(), method="louvain")


def test_karate_club_reaches_its_known_optimum() -> None:
    """The modularity optimum of the unweighted club is 0.4198 with four communities (Brandes et al. 2008)."""
    partition = find_partition(karate().network, rng=rng(), restarts=10)
    assert partition.modularity == pytest.approx(0.4198, abs=1e-4)
    assert len(partition.sizes) == 4


@pytest.mark.parametrize("method", ["leiden", "louvain"])
@pytest.mark.parametrize("name", ["polblogs", "congress117"])
def test_real_networks_reach_the_modularity_of_louvain(shared_data: Path, name: str, method: Method) -> None:
    network, _, expected = real(shared_data, name)
    partition = find_partition(network, rng=rng(), method=method, restarts=10)
    assert partition.modularity >= expected["louvain_q"] - 5e-5  # printed to four places
