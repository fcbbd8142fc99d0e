from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from metrics.errors import MetricInputError
from metrics.networks import Network
from tests.metrics.networks.graphs import make, networks, to_networkx


def test_parallel_edges_and_both_directions_add_up_where_directions_do_not_count() -> None:
    edges = [(0, 1), (1, 0), (0, 1), (1, 2)]
    assert make(3, edges).weights.toarray().tolist() == [[0, 3, 0], [3, 0, 1], [0, 1, 0]]
    assert make(3, edges, directed=True).weights.toarray().tolist() == [[0, 2, 0], [1, 0, 1], [0, 0, 0]]


def test_edges_come_once_each_and_strengths_are_their_sums() -> None:
    network = make(4, [(2, 0), (1, 2)], [5.0, 2.0])
    assert [end.tolist() for end in network.edges] == [[0, 1], [2, 2], [5.0, 2.0]]
    assert network.out_strength.tolist() == network.in_strength.tolist() == [5.0, 2.0, 7.0, 0.0]
    assert (network.n, network.m, network.total) == (4, 2, 7.0)
    assert network.linked.tolist() == [True, True, True, False]


@settings(deadline=None, max_examples=30)
@given(st.data(), st.booleans())
def test_counts_equal_those_of_networkx(data: st.DataObject, directed: bool) -> None:
    network = data.draw(networks(directed=directed))
    graph = to_networkx(network)
    assert (network.n, network.m) == (graph.number_of_nodes(), graph.number_of_edges())
    assert network.total == graph.size(weight="weight")
    degree = graph.out_degree(weight="weight") if directed else graph.degree(weight="weight")
    assert network.out_strength.tolist() == [degree[node] for node in range(network.n)]
    components = nx.weakly_connected_components(graph) if directed else nx.connected_components(graph)
    largest = network.largest_component().tolist()
    assert len(largest) == max(map(len, components))
    assert nx.is_connected(nx.Graph(graph).subgraph(largest))


def test_dropping_directions_adds_both_weights() -> None:
    arcs = make(3, [(0, 1), (1, 0), (1, 2)], [2.0, 3.0, 4.0], directed=True)
    assert arcs.undirected().weights.toarray().tolist() == [[0, 5, 0], [5, 0, 4], [0, 4, 0]]
    assert arcs.unweighted().weights.toarray().tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]


def test_the_matrix_given_is_not_changed() -> None:
    given_matrix = csr_matrix((np.array([0.0, 1.0, 1.0]), ([0, 0, 1], [0, 1, 0])), shape=(2, 2))
    before = given_matrix.data.copy()
    assert Network(given_matrix).m == 1
    assert np.array_equal(given_matrix.data, before)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (csr_matrix(np.ones((2, 3))), "expected \\[n, n\\]"),
        (csr_matrix(np.eye(2)), "self-loops"),
        (csr_matrix([[0.0, -1.0], [-1.0, 0.0]]), "got -1.0; expected finite numbers ≥ 0"),
        (csr_matrix([[0.0, np.inf], [np.inf, 0.0]]), "got inf"),
        (csr_matrix([[0.0, 1.0], [0.0, 0.0]]), "not symmetric"),
    ],
)
def test_what_is_no_undirected_network_is_refused(weights: csr_matrix, message: str) -> None:
    with pytest.raises(MetricInputError, match=message):
        Network(weights)


def test_edges_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MetricInputError, match="outside 0 … 1"):
        Network.from_edges([0], [2], 2)
    with pytest.raises(MetricInputError, match="2 sources, 1 targets"):
        Network.from_edges([0, 1], [1], 2)
