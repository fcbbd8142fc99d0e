from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from metrics.errors import MetricInputError
from metrics.graph import assortativity, modularity
from tests.metrics.graphs import from_networkx, groups, symmetric, to_networkx, weighted_graphs

TWO_TRIANGLES = symmetric(6, [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)])


def test_two_separate_triangles_have_modularity_one_half_and_assortativity_one() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    # All edges inside (1), each triangle holds half of the edge ends: Q = 1 − 2·(1/2)² = 1/2.
    assert modularity(TWO_TRIANGLES, labels) == pytest.approx(0.5)
    assert assortativity(TWO_TRIANGLES, labels) == pytest.approx(1.0)


def test_edges_that_avoid_their_own_label_give_negative_values() -> None:
    square = symmetric(4, [(0, 1), (1, 2), (2, 3), (3, 0)])
    labels = np.array(["a", "b", "a", "b"])
    # Nothing inside (0), ends half and half: Q = 0 − 1/2; r = (0 − 1/2)/(1 − 1/2) = −1.
    assert modularity(square, labels) == pytest.approx(-0.5)
    assert assortativity(square, labels) == pytest.approx(-1.0)


@settings(deadline=None, max_examples=50)
@given(weighted_graphs(), st.data())
def test_values_equal_those_of_networkx(weights: csr_matrix, data: st.DataObject) -> None:
    n = weights.shape[0]
    labels = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    graph = to_networkx(weights)
    assert modularity(weights, labels) == pytest.approx(nx.community.modularity(graph, groups(labels)))
    # networkx's coefficient counts edges without weights
    plain = symmetric(n, list(graph.edges()))
    nx.set_node_attributes(graph, dict(enumerate(labels.tolist())), "label")
    ends = {labels[node] for edge in graph.edges() for node in edge}
    if len(ends) == 1:
        assert np.isnan(assortativity(plain, labels))
    else:
        peer = nx.attribute_assortativity_coefficient(graph, "label")
        assert assortativity(plain, labels) == pytest.approx(peer)


@settings(deadline=None, max_examples=50)
@given(weighted_graphs(), st.integers(0, 1000), st.integers(1, 50))
def test_names_of_nodes_and_labels_and_the_unit_of_weights_do_not_matter(
    weights: csr_matrix, seed: int, factor: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=weights.shape[0])
    order = rng.permutation(weights.shape[0])
    renamed = np.array(["c", "a", "b"])[labels[order]]
    moved = csr_matrix(factor * weights[order][:, order])
    assert modularity(moved, renamed) == pytest.approx(modularity(weights, labels))
    assert assortativity(moved, renamed) == pytest.approx(assortativity(weights, labels), nan_ok=True)


@settings(deadline=None, max_examples=50)
@given(weighted_graphs(), st.integers(0, 1000))
def test_values_stay_in_range_and_one_label_has_no_modularity(weights: csr_matrix, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(4, size=weights.shape[0])
    assert -0.5 - 1e-12 <= modularity(weights, labels) < 1.0
    r = assortativity(weights, labels)
    assert np.isnan(r) or -1.0 - 1e-12 <= r <= 1.0 + 1e-12
    assert modularity(weights, np.zeros(weights.shape[0])) == pytest.approx(0.0)


def test_nodes_without_a_label_are_left_out_of_assortativity() -> None:
    labels = np.array(["a", "a", None, "b", "b", np.nan], dtype=object)
    assert assortativity(TWO_TRIANGLES, labels) == pytest.approx(1.0)
    assert np.isnan(assortativity(TWO_TRIANGLES, np.array([None] * 6, dtype=object)))


def test_a_graph_without_edges_has_no_value() -> None:
    nothing = symmetric(3, [])
    assert np.isnan(modularity(nothing, np.zeros(3)))
    assert np.isnan(assortativity(nothing, np.array([0, 1, 0])))


@pytest.mark.parametrize(
    ("weights", "labels", "message"),
    [
        (csr_matrix(np.ones((2, 3))), 2, "expected \\[n, n\\]"),
        (csr_matrix(np.eye(2)), 2, "self-loops"),
        (csr_matrix([[0.0, -1.0], [-1.0, 0.0]]), 2, "no negative weight"),
        (csr_matrix([[0.0, 1.0], [0.0, 0.0]]), 2, "not symmetric"),
        (TWO_TRIANGLES, 5, "got 5 for 6 nodes"),
    ],
)
def test_what_is_no_undirected_graph_is_refused(weights: csr_matrix, labels: int, message: str) -> None:
    with pytest.raises(MetricInputError, match=message):
        modularity(weights, np.zeros(labels))


def test_karate_club_has_its_published_values() -> None:
    """Zachary 1977, unweighted; the split of the club has Q 0.3582 and assortativity 0.7175."""
    graph = nx.karate_club_graph()
    club = np.array([graph.nodes[node]["club"] for node in graph])
    weights = from_networkx(graph)
    assert (graph.number_of_nodes(), weights.nnz // 2) == (34, 78)
    assert modularity(weights, club) == pytest.approx(0.3582, abs=1e-4)
    assert assortativity(weights, club) == pytest.approx(0.7175, abs=1e-4)


@pytest.mark.parametrize("name", ["polblogs", "congress117"])
def test_real_graphs_have_their_expected_values(shared_data: Path, name: str) -> None:
    expected = json.loads((shared_data / "graphs" / "EXPECTED.json").read_text())[name]
    edges = pd.read_csv(shared_data / "graphs" / name / "edges.csv")
    labels = pd.read_csv(shared_data / "graphs" / name / "labels.csv").set_index("node")["side"].sort_index()
    weights = symmetric(len(labels), edges[["src", "dst"]].to_numpy())
    assert (weights.shape[0], weights.nnz // 2) == (expected["n"], expected["m"])
    side = labels.to_numpy(dtype=object)
    assert modularity(weights, side) == pytest.approx(expected["q_label"], abs=1e-4)
    assert assortativity(weights, side) == pytest.approx(expected["assort"], abs=1e-4)
