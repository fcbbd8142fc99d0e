from __future__ import annotations

import json
import random
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from metrics.communities import (
    ISOLATED,
    effective_communities,
    inverse_simpson,
    leiden_partition,
    side_homophily,
)
from metrics.errors import MetricInputError
from metrics.graph import modularity
from tests.metrics.frames import sides
from tests.metrics.graphs import from_networkx, groups, symmetric, to_networkx, weighted_graphs


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def planted(n_groups: int, size: int) -> csr_matrix:
    """Dense groups joined in a ring by single edges: the partition is beyond doubt."""
    return from_networkx(nx.ring_of_cliques(n_groups, size))


def test_planted_communities_are_found_and_counted() -> None:
    partition = leiden_partition(planted(6, 5), rng=rng())
    assert sorted(partition.sizes.tolist()) == [5] * 6
    assert effective_communities(partition.sizes) == pytest.approx(6.0)


def test_labels_run_by_falling_size() -> None:
    triangle_and_square = symmetric(
        7, [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (5, 6), (3, 6), (3, 5), (4, 6)]
    )
    assert leiden_partition(triangle_and_square, rng=rng()).labels.tolist() == [1, 1, 1, 0, 0, 0, 0]


def test_users_who_met_nobody_are_in_no_community() -> None:
    partition = leiden_partition(symmetric(4, [(1, 2)]), rng=rng())
    assert partition.labels.tolist() == [ISOLATED, 0, 0, ISOLATED]
    assert partition.sizes.tolist() == [2]


def test_a_graph_without_edges_has_neither_communities_nor_modularity() -> None:
    partition = leiden_partition(symmetric(3, []), rng=rng())
    assert partition.labels.tolist() == [ISOLATED] * 3
    assert np.isnan(partition.modularity)
    assert np.isnan(effective_communities(partition.sizes))
    assert np.isnan(inverse_simpson(partition.sizes))
    assert np.isnan(side_homophily(partition.labels, sides("a", "a", "b")))


@settings(deadline=None, max_examples=30)
@given(weighted_graphs(), st.integers(0, 100))
def test_leiden_is_at_least_as_good_as_networkx_louvain_on_small_graphs(
    weights: csr_matrix, seed: int
) -> None:
    partition = leiden_partition(weights, rng=rng(seed), restarts=10)
    linked = to_networkx(weights)
    linked.remove_nodes_from(list(nx.isolates(linked)))
    louvain = nx.community.modularity(linked, nx.community.louvain_communities(linked, seed=seed))
    assert partition.modularity >= louvain - 1e-9
    assert partition.modularity == pytest.approx(modularity(weights, partition.labels))


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 6), st.integers(0, 1000))
def test_order_of_users_does_not_matter_where_communities_are_clear(n_groups: int, seed: int) -> None:
    weights = planted(n_groups, 4)
    order = rng(seed).permutation(weights.shape[0])
    found = leiden_partition(weights, rng=rng(seed))
    moved = leiden_partition(csr_matrix(weights[order][:, order]), rng=rng(seed))
    assert moved.modularity == pytest.approx(found.modularity)
    assert {frozenset(order[list(group)]) for group in groups(moved.labels)} == {
        frozenset(group) for group in groups(found.labels)
    }


def test_the_same_generator_state_gives_the_same_partition_and_leaves_global_chance_alone() -> None:
    weights = from_networkx(nx.gnm_random_graph(60, 200, seed=1))
    random.seed(7)
    expected = random.random()
    random.seed(7)
    first, second = (leiden_partition(weights, rng=rng(3)) for _ in range(2))
    assert random.random() == expected
    assert first.modularity == second.modularity
    assert np.array_equal(first.labels, second.labels)


def test_igraph_gets_its_generator_back() -> None:
    """After a partition igraph draws from Python's `random` again, its documented default."""
    import igraph

    leiden_partition(planted(3, 4), rng=rng())
    draws = []
    for _ in range(2):
        random.seed(5)
        draws.append(igraph.Graph.Erdos_Renyi(n=30, m=40).get_edgelist())
    assert draws[0] == draws[1]


@pytest.mark.parametrize(
    ("sizes", "shannon", "simpson"),
    [
        ([5], 1.0, 1.0),
        ([3, 3, 3, 3], 4.0, 4.0),
        # shares ½, ¼, ¼: entropy ½ ln 2 + ½ ln 4 = 1.5 ln 2, so 2^1.5; 1/(¼ + 1/16 + 1/16) = 8/3
        ([2, 1, 1], 2.0**1.5, 8.0 / 3.0),
    ],
)
def test_effective_numbers(sizes: list[int], shannon: float, simpson: float) -> None:
    assert effective_communities(np.array(sizes)) == pytest.approx(shannon)
    assert inverse_simpson(np.array(sizes)) == pytest.approx(simpson)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.integers(2, 5))
def test_effective_numbers_are_ordered_bounded_and_unmoved_by_scale(sizes: list[int], factor: int) -> None:
    small, large = np.array(sizes), factor * np.array(sizes)
    shannon, simpson = effective_communities(small), inverse_simpson(small)
    assert 1.0 - 1e-9 <= simpson <= shannon + 1e-9 <= len(sizes) + 2e-9
    assert effective_communities(large) == pytest.approx(shannon)
    # Splitting the population into `factor` copies multiplies the number of communities (Hill's doubling).
    assert inverse_simpson(np.tile(small, factor)) == pytest.approx(factor * simpson)


def test_homophily_weighs_communities_by_size() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, ISOLATED])
    # Community 0: 3 + 1 members, 3 of 6 pairs alike. Community 1: 1 of 1. (4 · ½ + 2 · 1) / 6 = 2/3.
    assert side_homophily(labels, sides("a", "a", "a", "b", "b", "b", "a")) == pytest.approx(2 / 3)


def test_homophily_leaves_out_members_without_a_side() -> None:
    assert side_homophily(np.array([0, 0, 0]), sides("a", "a", None)) == 1.0
    assert np.isnan(side_homophily(np.array([0, 0, 0]), sides("a", None, None)))
    assert np.isnan(side_homophily(np.array([0, 1, 2]), sides("a", "a", "b")))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-1, 3), st.sampled_from(["a", "b", None])), min_size=1, max_size=30))
def test_homophily_is_a_share_and_equals_counting_pairs(people: list[tuple[int, str | None]]) -> None:
    labels = np.array([community for community, _ in people])
    value = side_homophily(labels, sides(*(side for _, side in people)))
    total = weight = 0.0
    for community in set(labels.tolist()) - {ISOLATED}:
        members = [side for c, side in people if c == community and side is not None]
        pairs = [(a == b) for i, a in enumerate(members) for b in members[i + 1 :]]
        if pairs:
            total += len(members) * sum(pairs) / len(pairs)
            weight += len(members)
    assert value == pytest.approx(total / weight if weight else float("nan"), nan_ok=True)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(MetricInputError, match="at least 1"):
        leiden_partition(planted(2, 3), rng=rng(), restarts=0)
    with pytest.raises(MetricInputError, match="at least 1 member"):
        effective_communities(np.array([2, 0]))
    with pytest.raises(MetricInputError, match="one side a label"):
        side_homophily(np.array([0, 0]), sides("a"))


def test_karate_club_reaches_its_known_optimum() -> None:
    """The modularity optimum of the unweighted club is 0.4198 with four communities (Brandes et al. 2008)."""
    partition = leiden_partition(from_networkx(nx.karate_club_graph()), rng=rng(), restarts=10)
    assert partition.modularity == pytest.approx(0.4198, abs=1e-4)
    assert len(partition.sizes) == 4


@pytest.mark.parametrize("name", ["polblogs", "congress117"])
def test_real_graphs_reach_the_modularity_of_louvain(shared_data: Path, name: str) -> None:
    expected = json.loads((shared_data / "graphs" / "EXPECTED.json").read_text())[name]
    edges = pd.read_csv(shared_data / "graphs" / name / "edges.csv")[["src", "dst"]].to_numpy()
    partition = leiden_partition(symmetric(expected["n"], edges), rng=rng(), restarts=10)
    assert partition.modularity >= expected["louvain_q"] - 5e-5  # printed to four places
