from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.networks import Network, assortativity, modularity, numeric_assortativity
from tests.metrics.networks.graphs import (
    draw_sides,
    groups,
    karate,
    make,
    networks,
    real,
    renumbered,
    scaled,
    to_networkx,
)

TWO_TRIANGLES = make(6, [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)])


def test_two_separate_triangles_have_modularity_one_half_and_assortativity_one() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    # All edges inside (1), each triangle holds half of the edge ends: Q = 1 − 2·(1/2)² = 1/2.
    assert modularity(TWO_TRIANGLES, labels) == pytest.approx(0.5)
    assert assortativity(TWO_TRIANGLES, labels) == pytest.approx(1.0)


def test_edges_that_avoid_their_own_label_give_negative_values() -> None:
    square = make(4, [(0, 1), (1, 2), (2, 3), (3, 0)])
    labels = np.array(["a", "b", "a", "b"])
    # Nothing inside (0), ends half and half: Q = 0 − 1/2; r = (0 − 1/2)/(1 − 1/2) = −1.
    assert modularity(square, labels) == pytest.approx(-0.5)
    assert assortativity(square, labels) == pytest.approx(-1.0)


def test_directed_modularity_looks_at_who_sends_and_who_receives() -> None:
    # Arcs a→a (inside), a→b, b→a of three: inside 1/3; a sends 2/3 and receives 2/3, b 1/3 and 1/3:
    # Q = 1/3 − (4/9 + 1/9) = −2/9; r = (1/3 − 5/9)/(1 − 5/9) = −1/2.
    arcs = make(4, [(0, 1), (1, 2), (3, 0)], directed=True)
    labels = np.array(["a", "a", "b", "b"])
    assert modularity(arcs, labels) == pytest.approx(-2 / 9)
    assert assortativity(arcs, labels) == pytest.approx(-1 / 2)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.booleans())
def test_values_equal_those_of_networkx(data: st.DataObject, directed: bool) -> None:
    network = data.draw(networks(directed=directed))
    n = network.n
    labels = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    graph = to_networkx(network)
    assert modularity(network, labels) == pytest.approx(nx.community.modularity(graph, groups(labels)))
    plain = network.unweighted()  # networkx's coefficients count edges without weights
    nx.set_node_attributes(graph, dict(enumerate(labels.tolist())), "label")
    ends = {labels[node] for edge in graph.edges() for node in edge}
    if len(ends) == 1:
        assert np.isnan(assortativity(plain, labels))
    else:
        peer = nx.attribute_assortativity_coefficient(graph, "label")
        assert assortativity(plain, labels) == pytest.approx(peer)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.booleans())
def test_numeric_assortativity_is_the_correlation_over_edges(data: st.DataObject, directed: bool) -> None:
    """Against numpy's correlation with every edge repeated by its weight."""
    network = data.draw(networks(directed=directed))
    values = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=network.n, max_size=network.n)), float)
    arcs = network.weights.tocoo()
    times = arcs.data.astype(int)
    x, y = np.repeat(values[arcs.row], times), np.repeat(values[arcs.col], times)
    found = numeric_assortativity(network, values)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_numeric_assortativity_of_karate_degrees_equals_that_of_networkx() -> None:
    """Degree correlation of the club: −0.47561 (Newman's r, networkx)."""
    network = karate().network
    peer = nx.degree_pearson_correlation_coefficient(to_networkx(network))
    assert numeric_assortativity(network, network.out_strength) == pytest.approx(peer)
    assert peer == pytest.approx(-0.47561, abs=1e-5)


@settings(deadline=None, max_examples=50)
@given(networks(), st.integers(0, 1000), st.integers(1, 50))
def test_names_of_nodes_and_labels_and_the_unit_of_weights_do_not_matter(
    network: Network, seed: int, factor: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=network.n)
    order = rng.permutation(network.n)
    moved = scaled(renumbered(network, order), factor)
    renamed = np.array(["c", "a", "b"])[labels[order]]
    assert modularity(moved, renamed) == pytest.approx(modularity(network, labels))
    assert assortativity(moved, renamed) == pytest.approx(assortativity(network, labels), nan_ok=True)
    numbers = rng.normal(size=network.n)
    shifted = 3.0 * numbers[order] - 1.0  # another zero and unit of the numbers
    assert numeric_assortativity(moved, shifted) == pytest.approx(
        numeric_assortativity(network, numbers), nan_ok=True
    )


@settings(deadline=None, max_examples=50)
@given(st.data(), st.booleans(), st.integers(0, 1000))
def test_values_stay_in_range_and_one_label_has_no_modularity(
    data: st.DataObject, directed: bool, seed: int
) -> None:
    network = data.draw(networks(directed=directed))
    labels = draw_sides(network, seed, kinds=4)
    assert -0.5 - 1e-12 <= modularity(network, labels) < 1.0
    r = assortativity(network, labels)
    assert np.isnan(r) or -1.0 - 1e-12 <= r <= 1.0 + 1e-12
    assert modularity(network, np.zeros(network.n)) == pytest.approx(0.0)


def test_nodes_without_a_label_are_left_out() -> None:
    labels = np.array(["a", "a", None, "b", "b", np.nan], dtype=object)
    assert assortativity(TWO_TRIANGLES, labels) == pytest.approx(1.0)
    # Left are the edges 0–1 and 3–4, one for each label: Q = 1 − 2·(1/2)².
    assert modularity(TWO_TRIANGLES, labels) == pytest.approx(0.5)
    assert np.isnan(assortativity(TWO_TRIANGLES, np.array([None] * 6, dtype=object)))
    numbers = np.array([1.0, 2.0, np.nan, 5.0, 6.0, np.nan])
    # Edges 1–2 and 5–6 both ways: x = 1, 5, 2, 6; y = 2, 6, 1, 5.
    expected = np.corrcoef([1, 5, 2, 6], [2, 6, 1, 5])[0, 1]
    assert numeric_assortativity(TWO_TRIANGLES, numbers) == pytest.approx(expected)


def test_numbers_that_differ_by_rounding_only_have_no_correlation() -> None:
    arcs = make(4, [(0, 2), (1, 3)], directed=True)
    assert np.isnan(numeric_assortativity(arcs, np.array([1.0, 2.0, 0.3, 0.1 + 0.2])))


def test_a_network_without_edges_has_no_value() -> None:
    nothing = make(3, [])
    assert np.isnan(modularity(nothing, np.zeros(3)))
    assert np.isnan(assortativity(nothing, np.array([0, 1, 0])))
    assert np.isnan(numeric_assortativity(nothing, np.array([0.0, 1.0, 0.0])))


def test_labels_that_do_not_fit_are_refused() -> None:
    for measure in (modularity, assortativity, numeric_assortativity):
        with pytest.raises(MetricInputError, match="got 5 for 6 nodes"):
            measure(TWO_TRIANGLES, np.zeros(5))


def test_karate_club_has_its_published_values() -> None:
    network, club, expected = karate()
    assert (network.n, network.m) == (expected["n"], expected["m"])
    assert modularity(network, club) == pytest.approx(expected["q_label"], abs=1e-4)
    assert assortativity(network, club) == pytest.approx(expected["assort"], abs=1e-4)


@pytest.mark.parametrize("name", ["polblogs", "congress117"])
def test_real_networks_have_their_expected_values(shared_data: Path, name: str) -> None:
    network, side, expected = real(shared_data, name)
    assert (network.n, network.m) == (expected["n"], expected["m"])
    assert modularity(network, side) == pytest.approx(expected["q_label"], abs=1e-4)
    assert assortativity(network, side) == pytest.approx(expected["assort"], abs=1e-4)
