from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.networks import Network, random_walk_controversy
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


STARS = make(10, [*((0, leaf) for leaf in range(1, 5)), *((5, leaf) for leaf in range(6, 10))])
"""Two stars, hubs 0 and 5."""


def test_sides_without_contact_are_fully_controversial() -> None:
    assert random_walk_controversy(STARS, sides("aaaaabbbbb")) == pytest.approx(1.0, abs=1e-6)


def test_sides_that_are_spread_over_both_stars_are_not() -> None:
    # Each side has one hub and two leaves at either star; a walk from a hub goes to a leaf and back.
    # Started at a: hub 0 → 0, leaves: two end at 0, two at 5: P(end 0 | a) = 3/5; b likewise ends at 5 with
    # 3/5. So P(aa) = 3/5, P(ba) = 2/5, and RWC = 9/25 − 4/25 = 1/5.
    assert random_walk_controversy(STARS, sides("aaabbbbbaa")) == pytest.approx(0.2)


def test_walks_that_end_on_the_other_side_give_negative_values() -> None:
    # The leaves of each star are of the other side, and so is a walk's end, but for the hub's own: a hub
    # walks to a leaf and comes back. P(end 0 | a) = 1/5, P(end 0 | b) = 4/5: 1/25 − 16/25 = −3/5.
    assert random_walk_controversy(STARS, sides("abbbbbaaaa")) == pytest.approx(-0.6)


def test_a_short_path_worked_out_by_hand() -> None:
    # a: 0 (hub) and 1; b: 2 and 3 (hub), a path 1–2 between them with doubled ends: strengths 4, 3, 3, 4,
    # edges 0–1 of 2, 1–2 of 1, 2–3 of 2, and each hub has a leaf (4, 5) of weight 2 of its side.
    # h(x) = probability to end at hub 3: h1 = (2·0 + h2)/3, h2 = (h1 + 2·1)/3 → h1 = 1/4, h2 = 3/4.
    # Starts: a = {0, 1, 4}: hub 0 steps to 1 or 4: (1/4 + 0)/2 = 1/8; so (1/8 + 1/4 + 0)/3 = 1/8 end at 3.
    # By symmetry b: 7/8. P(aa) = P(bb) = 7/8: RWC = 49/64 − 1/64 = 3/4.
    path = make(6, [(0, 1), (1, 2), (2, 3), (0, 4), (3, 5)], [2.0, 1.0, 2.0, 2.0, 2.0])
    assert random_walk_controversy(path, sides("aabbab")) == pytest.approx(0.75)


@settings(deadline=None, max_examples=40)
@given(networks(max_nodes=9, min_nodes=4), st.integers(0, 1000), st.integers(1, 2))
def test_it_equals_the_fundamental_matrix_of_the_absorbing_chain(
    network: Network, seed: int, hubs: int
) -> None:
    """Against a dense solve with numpy over transition probabilities of networkx's graph."""
    side = draw_sides(network, seed)
    found = random_walk_controversy(network, side, hubs=hubs)
    if not np.isnan(found):
        assert found == pytest.approx(_dense(network, side), abs=1e-6)
        assert -1.0 - 1e-9 <= found <= 1.0 + 1e-9


def _dense(network: Network, side: npt.NDArray[Any]) -> float:
    """Small networks have one hub a side (a tenth, rounded up), or several that are as strong."""
    graph = to_networkx(network)
    strength = dict(graph.degree(weight="weight"))
    hubs = set()
    for which in set(side):
        strongest = max(strength[v] for v in graph if side[v] == which)
        hubs |= {v for v in graph if side[v] == which and strength[v] == strongest}
    alive = sorted(set().union(*(c for c in nx.connected_components(graph) if c & hubs)))
    rows = nx.to_numpy_array(graph, nodelist=alive)
    steps = rows / rows.sum(axis=1, keepdims=True)
    absorbing = np.array([v in hubs for v in alive])
    free = ~absorbing
    into = np.linalg.solve(np.eye(free.sum()) - steps[free][:, free], steps[free][:, absorbing])
    at_hub = np.zeros((len(alive), absorbing.sum()))
    at_hub[free], at_hub[absorbing] = into, np.eye(absorbing.sum())
    ends = dict(zip(alive, steps @ at_hub, strict=True))
    hub_side = np.array([side[v] for v in alive if v in hubs])
    names = sorted(set(side))
    reach = np.array(
        [
            [np.mean([ends[v][hub_side == b].sum() for v in ends if side[v] == a]) for b in names]
            for a in names
        ]
    )
    p = reach / reach.sum(axis=0)
    return float(p[0, 0] * p[1, 1] - p[0, 1] * p[1, 0])


def test_it_is_what_many_walks_come_to() -> None:
    """The karate club against 20,000 walks step by step, as in the paper; two hubs a side."""
    network, club, _ = karate()
    graph, rng = to_networkx(network), np.random.default_rng(0)
    hubs = {0, 2, 33, 32}  # degrees 16 and 10; 17 and 12
    counts = dict.fromkeys([(a, b) for a in set(club) for b in set(club)], 0)
    neighbours = [list(graph[node]) for node in graph]
    for walk in range(20_000):
        members = np.flatnonzero(club == ("Mr. Hi", "Officer")[walk % 2])
        node = start = int(rng.choice(members))
        while True:
            node = neighbours[node][int(rng.integers(len(neighbours[node])))]
            if node in hubs:
                break
        counts[club[start], club[node]] += 1
    share = {(a, b): n / sum(counts[c, b] for c in ("Mr. Hi", "Officer")) for (a, b), n in counts.items()}
    hi, officer = "Mr. Hi", "Officer"
    walked = share[hi, hi] * share[officer, officer] - share[hi, officer] * share[officer, hi]
    assert random_walk_controversy(network, club, hubs=2) == pytest.approx(walked, abs=0.02)


@settings(deadline=None, max_examples=40)
@given(networks(min_nodes=4), st.integers(0, 1000), st.integers(1, 9))
def test_names_order_and_unit_do_not_matter(network: Network, seed: int, factor: int) -> None:
    side = draw_sides(network, seed)
    order = np.random.default_rng(seed).permutation(network.n)
    moved = scaled(renumbered(network, order), factor)
    renamed = np.where(side[order] == "a", 7, 3)
    found = random_walk_controversy(network, side)
    assert random_walk_controversy(moved, renamed) == pytest.approx(found, abs=1e-6, nan_ok=True)


def test_planted_sides_are_more_controversial_the_less_they_mix() -> None:
    values = []
    for across in (0.005, 0.02, 0.1):
        graph = from_networkx(nx.planted_partition_graph(2, 150, 0.1, across, seed=1))
        values.append(random_walk_controversy(graph, np.repeat(["a", "b"], 150).astype(object)))
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.3 > values[1]
    assert abs(values[-1]) < 0.1


def test_directions_are_dropped_and_unknown_sides_left_out() -> None:
    arcs = make(11, [*zip(*STARS.edges[:2], strict=True), (10, 0), (10, 5)])
    assert random_walk_controversy(arcs, sides("aaaaabbbbb-")) == pytest.approx(1.0, abs=1e-6)
    one_way = make(10, list(zip(*STARS.edges[:2], strict=True)), directed=True)
    assert random_walk_controversy(one_way, sides("aaabbbbbaa")) == pytest.approx(0.2)


@settings(deadline=None, max_examples=40)
@given(networks(max_nodes=9, min_nodes=4), st.integers(0, 1000), st.integers(1, 40))
def test_people_without_ties_start_no_walk_and_change_nothing(
    network: Network, seed: int, strangers: int
) -> None:
    side = draw_sides(network, seed)
    wider = Network.from_edges(*network.edges[:2], network.n + strangers, network.edges.weight)
    padded = np.concatenate([side, np.full(strangers, side[0], dtype=object)])
    found = random_walk_controversy(network, side)
    assert random_walk_controversy(wider, padded) == pytest.approx(found, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("network", "side"),
    [
        (STARS, "aaaaaaaaaa"),  # one side
        (make(10, []), "aaaaabbbbb"),  # no edges
        (from_networkx(nx.cycle_graph(6)), "aaabbb"),  # all as strong: everybody would be a hub
        (STARS, "aaaaa-----"),  # one side known
    ],
)
def test_there_is_no_value_without_two_sides_and_somebody_who_stands_out(network: Network, side: str) -> None:
    assert np.isnan(random_walk_controversy(network, sides(side)))


def test_wrong_input_is_refused() -> None:
    with pytest.raises(MetricInputError, match=r"got 3 .*expected two"):
        random_walk_controversy(STARS, sides("aaaaabbbbc"))
    with pytest.raises(MetricInputError, match="hubs: got 0"):
        random_walk_controversy(STARS, sides("aaaaabbbbb"), hubs=0)
