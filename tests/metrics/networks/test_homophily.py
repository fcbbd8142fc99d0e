from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.networks import (
    Network,
    coleman_homophily,
    ei_index,
    same_side_pairs,
    within_community_homophily,
)
from metrics.networks.partitions import ISOLATED
from tests.metrics.networks.graphs import (
    draw_sides,
    karate,
    make,
    networks,
    renumbered,
    scaled,
    to_networkx,
)


def sides(*labels: str | None) -> np.ndarray[Any, Any]:
    return np.array(labels, dtype=object)


def test_ei_index_of_krackhardt_and_stern() -> None:
    # Krackhardt & Stern 1988: (E − I)/(E + I). Ties 0–1, 2–3 inside, 0–2 outside with weight 6: (6 − 2)/8.
    network = make(4, [(0, 1), (2, 3), (0, 2)], [1.0, 1.0, 6.0])
    assert ei_index(network, sides("a", "a", "b", "b")) == pytest.approx(0.5)


def test_ei_index_of_the_karate_club() -> None:
    # 11 of the 78 ties join the two clubs: (11 − 67)/78.
    network, club, _ = karate()
    assert ei_index(network, club) == pytest.approx((11 - 67) / 78)


@settings(deadline=None, max_examples=50)
@given(st.data(), st.booleans(), st.integers(0, 1000))
def test_ei_index_follows_from_the_mixing_matrix_of_networkx(
    data: st.DataObject, directed: bool, seed: int
) -> None:
    network = data.draw(networks(directed=directed, weighted=False))
    side = draw_sides(network, seed, kinds=3)
    graph = to_networkx(network)
    nx.set_node_attributes(graph, dict(enumerate(side)), "side")
    inside = np.trace(nx.attribute_mixing_matrix(graph, "side"))
    assert ei_index(network, side) == pytest.approx(1 - 2 * inside)


def test_coleman_compares_with_picking_at_random_among_the_others() -> None:
    # Four a, two b. Ends of a: 2·(0–1) + (2–4) + (3–5) = 4, of which 2 inside; chance 4·3/5 = 2.4;
    # below it: (2 − 2.4)/2.4 = −1/6. Ends of b: 2 + 2·(4–5) = 4, 2 inside; chance 4·1/5 = 0.8:
    # (2 − 0.8)/(4 − 0.8) = 3/8.
    network = make(6, [(0, 1), (2, 4), (3, 5), (4, 5)])
    found = coleman_homophily(network, sides("a", "a", "a", "a", "b", "b"))
    assert found.to_dict() == pytest.approx({"a": -1 / 6, "b": 3 / 8})


def test_coleman_of_directed_ties_counts_those_who_send() -> None:
    # a sends two ties, both inside: 1. b sends one, outside: −1. c sends none: no value.
    arcs = make(5, [(0, 1), (1, 0), (2, 0)], directed=True)
    found = coleman_homophily(arcs, sides("a", "a", "b", "b", "c"))
    assert found.to_dict() == pytest.approx({"a": 1.0, "b": -1.0, "c": np.nan}, nan_ok=True)


@settings(deadline=None, max_examples=50)
@given(st.data(), st.booleans(), st.integers(0, 1000), st.integers(1, 9))
def test_names_order_and_unit_do_not_matter_and_ranges_hold(
    data: st.DataObject, directed: bool, seed: int, factor: int
) -> None:
    network = data.draw(networks(directed=directed))
    side = draw_sides(network, seed, kinds=3)
    order = np.random.default_rng(seed).permutation(network.n)
    moved = scaled(renumbered(network, order), factor)
    assert -1.0 <= ei_index(network, side) <= 1.0
    assert ei_index(moved, side[order]) == pytest.approx(ei_index(network, side))
    coleman = coleman_homophily(network, side)
    assert coleman.dropna().between(-1.0, 1.0).all()
    assert coleman_homophily(moved, side[order]).to_dict() == pytest.approx(coleman.to_dict(), nan_ok=True)


def test_one_side_or_no_edges_give_no_value_where_there_is_none() -> None:
    network = make(3, [(0, 1)])
    assert ei_index(network, sides("a", "a", "a")) == -1.0
    assert coleman_homophily(network, sides("a", "a", "a")).isna().all()
    assert np.isnan(ei_index(network, sides("a", None, "b")))
    assert np.isnan(ei_index(make(3, []), sides("a", "a", "b")))


def test_homophily_weighs_communities_by_size() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, ISOLATED])
    # Community 0: 3 + 1 members, 3 of 6 pairs alike. Community 1: 1 of 1. (4 · ½ + 2 · 1) / 6 = 2/3.
    side = sides("a", "a", "a", "b", "b", "b", "a")
    assert within_community_homophily(labels, side) == pytest.approx(2 / 3)


def test_homophily_leaves_out_members_without_a_side() -> None:
    together = np.array([0, 0, 0])
    assert within_community_homophily(together, sides("a", "a", None)) == 1.0
    assert np.isnan(within_community_homophily(together, sides("a", None, None)))
    assert np.isnan(within_community_homophily(np.array([0, 1, 2]), sides("a", "a", "b")))
    assert np.isnan(within_community_homophily(np.full(2, ISOLATED), sides("a", "a")))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-1, 3), st.sampled_from(["a", "b", None])), min_size=1, max_size=30))
def test_homophily_is_a_share_and_equals_counting_pairs(people: list[tuple[int, str | None]]) -> None:
    labels = np.array([community for community, _ in people])
    side = sides(*(side for _, side in people))
    total = weight = 0.0
    for community in set(labels.tolist()) - {ISOLATED}:
        members = [side for c, side in people if c == community and side is not None]
        pairs = [(a == b) for i, a in enumerate(members) for b in members[i + 1 :]]
        if pairs:
            total += len(members) * sum(pairs) / len(pairs)
            weight += len(members)
    expected = total / weight if weight else float("nan")
    assert within_community_homophily(labels, side) == pytest.approx(expected, nan_ok=True)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=20))
def test_chance_is_one_community_of_all(people: list[str | None]) -> None:
    """With everybody in one community, homophily is the same-side share of all pairs."""
    side = sides(*people)
    everybody = within_community_homophily(np.zeros(len(people), dtype=np.int64), side)
    assert same_side_pairs(side) == pytest.approx(everybody, nan_ok=True)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(MetricInputError, match="one side a label"):
        within_community_homophily(np.array([0, 0]), sides("a"))
    for measure in (ei_index, coleman_homophily):
        with pytest.raises(MetricInputError, match="got 1 for 2 nodes"):
            measure(Network(make(2, [(0, 1)]).weights), sides("a"))
