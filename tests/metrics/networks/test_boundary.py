from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gaussian_kde

from metrics.errors import MetricInputError
from metrics.networks import Network, betweenness_controversy, boundary_polarization, edge_betweenness
from tests.metrics.networks.graphs import (
    draw_sides,
    from_networkx,
    karate,
    make,
    networks,
    renumbered,
    scaled,
    to_networkx,
)


def sides(text: str) -> npt.NDArray[Any]:
    return np.array([None if c == "-" else c for c in text], dtype=object)


@settings(deadline=None, max_examples=30)
@given(st.data(), st.booleans())
def test_betweenness_of_edges_equals_that_of_networkx(data: st.DataObject, directed: bool) -> None:
    network = data.draw(networks(directed=directed))
    peer = nx.edge_betweenness_centrality(to_networkx(network), normalized=False)
    expected = [peer.get((a, b), peer.get((b, a))) for a, b in zip(*network.edges[:2], strict=True)]
    assert edge_betweenness(network) == pytest.approx(expected)


def test_betweenness_controversy_is_the_divergence_of_the_two_densities() -> None:
    """The karate club, against a sum over a wider and finer grid with networkx's betweenness."""
    network, club, _ = karate()
    peer = nx.edge_betweenness_centrality(to_networkx(network), normalized=False)
    cut = np.array([value for (a, b), value in peer.items() if club[a] != club[b]])
    rest = np.array([value for (a, b), value in peer.items() if club[a] == club[b]])
    assert (len(cut), len(rest)) == (11, 67)
    of_cut, of_rest = gaussian_kde(cut), gaussian_kde(rest)
    x = np.linspace(-300, 400, 20_001)
    divergence = np.sum(of_cut(x) * (of_cut.logpdf(x) - of_rest.logpdf(x))) * (x[1] - x[0])
    assert betweenness_controversy(network, club) == pytest.approx(1 - np.exp(-divergence), abs=1e-4)


def test_normal_densities_give_their_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    # KL(N(m1, s1²) || N(m2, s2²)) = ln(s2/s1) + (s1² + (m1 − m2)²)/(2 s2²) − ½. Here both samples are normal
    # scores, so that kernel densities are close to normal with the sample's own mean and spread, widened.
    from scipy.stats import norm

    scores = norm.ppf((np.arange(400) + 0.5) / 400)
    ladder = from_networkx(nx.complete_bipartite_graph(400, 2))  # 800 edges, in order of source
    side = np.array(["a"] * 400 + ["a", "b"], dtype=object)
    through = np.empty(800)
    through[0::2], through[1::2] = 50 + 1.5 * scores, 52 + scores  # within a; to the only b
    monkeypatch.setattr("metrics.networks.boundary.edge_betweenness", lambda _network: through)
    found = betweenness_controversy(ladder, side)
    s1, s2 = (np.sqrt(v.var(ddof=1) * (1 + 400 ** (-2 / 5))) for v in (scores, 1.5 * scores))
    divergence = np.log(s2 / s1) + (s1**2 + 4.0) / (2 * s2**2) - 0.5
    assert found == pytest.approx(1 - np.exp(-divergence), abs=0.01)


def test_one_bridge_that_carries_everything_gives_a_value_near_one() -> None:
    """Two cliques of ten and two bridges: all paths between the sides use them."""
    graph = nx.disjoint_union(nx.complete_graph(10), nx.complete_graph(10))
    graph.add_edges_from([(0, 10), (1, 11), (0, 11)])
    network = from_networkx(graph)
    assert betweenness_controversy(network, sides("a" * 10 + "b" * 10)) > 0.99
    mixed = betweenness_controversy(network, sides("ab" * 10))
    assert mixed < 0.5


@settings(deadline=None, max_examples=30)
@given(networks(min_nodes=5), st.integers(0, 1000))
def test_betweenness_controversy_is_a_share_whatever_names_and_order(network: Network, seed: int) -> None:
    side = draw_sides(network, seed)
    order = np.random.default_rng(seed).permutation(network.n)
    found = betweenness_controversy(network, side)
    assert np.isnan(found) or 0.0 <= found <= 1.0
    moved = betweenness_controversy(scaled(renumbered(network, order), 3.0), side[order])
    assert moved == pytest.approx(found, abs=1e-6, nan_ok=True)


def test_betweenness_controversy_needs_both_kinds_of_edges() -> None:
    network = karate().network
    assert np.isnan(betweenness_controversy(network, np.full(34, "a", dtype=object)))
    cycle = from_networkx(nx.cycle_graph(6))  # all edges alike: no density
    assert np.isnan(betweenness_controversy(cycle, sides("aaabbb")))
    with pytest.raises(MetricInputError, match="expected two"):
        betweenness_controversy(network, np.arange(34).astype(object))


def test_boundary_polarization_by_hand() -> None:
    # a: 0, 1 inner, 2, 3 at the boundary; b: 4 at the boundary with inner 5; 6 of b has no inner friend.
    # 2: ties to inner 0 and 1, across to 4: 2/3. 3: inner 1, across 4 and 6: 1/3. 4: inner 5, across 2, 3: 1/3.
    # Mean 4/9 − 1/2 = −1/18. 6 is not at the boundary: its only tie is across.
    network = make(7, [(0, 2), (1, 2), (2, 4), (1, 3), (3, 4), (3, 6), (4, 5)])
    assert boundary_polarization(network, sides("aaaabbb")) == pytest.approx(-1 / 18)


def test_boundary_polarization_of_the_karate_club() -> None:
    # Ties inwards and across of the eight at the boundary, counted on the drawing (members from 1):
    # 1: 10, 1; 2: 4, 1; 3: 2, 4; 14: 1, 1; 28: 2, 1; 32: 2, 1; 33: 7, 2; 34: 8, 3. Members 9, 10, 20, 29 and
    # 31 have ties across and none to an inner member.
    shares = [10 / 11, 4 / 5, 2 / 6, 1 / 2, 2 / 3, 2 / 3, 7 / 9, 8 / 11]
    network, club, _ = karate()
    assert boundary_polarization(network, club) == pytest.approx(np.mean(shares) - 0.5)


@settings(deadline=None, max_examples=50)
@given(networks(min_nodes=4), st.integers(0, 1000), st.integers(2, 3))
def test_boundary_polarization_equals_counting_node_by_node(network: Network, seed: int, kinds: int) -> None:
    side = draw_sides(network, seed, kinds)
    graph = to_networkx(network)

    def tied(node: int, *, to: set[int]) -> float:
        return sum(graph[node][other]["weight"] for other in graph[node] if other in to)

    members = {s: {v for v in graph if side[v] == s} for s in set(side)}
    others = {s: set(graph) - members[s] for s in members}
    inner = {v for v in graph if not tied(v, to=others[side[v]])}
    shares = []
    for v in set(graph) - inner:
        inwards = tied(v, to=inner & members[side[v]])
        if inwards:
            shares.append(inwards / (inwards + tied(v, to=others[side[v]])) - 0.5)
    found = boundary_polarization(network, side)
    assert found == pytest.approx(np.mean(shares) if shares else np.nan, nan_ok=True)
    assert np.isnan(found) or -0.5 < found < 0.5
    order = np.random.default_rng(seed).permutation(network.n)
    moved = boundary_polarization(scaled(renumbered(network, order), 5.0), side[order])
    assert moved == pytest.approx(found, nan_ok=True)


def test_there_is_no_boundary_polarization_without_a_boundary() -> None:
    assert np.isnan(boundary_polarization(make(4, [(0, 1), (2, 3)]), sides("aabb")))
    assert np.isnan(boundary_polarization(make(2, [(0, 1)]), sides("ab")))
    assert np.isnan(boundary_polarization(make(3, []), sides("aab")))
