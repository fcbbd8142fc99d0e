from __future__ import annotations

from itertools import permutations
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.networks import (
    Network,
    NullTest,
    configuration_test,
    modularity,
    numeric_assortativity,
    permutation_test,
    rewired,
)
from tests.metrics.networks.graphs import from_networkx, karate, make, networks, real


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_p_values_count_the_observed_among_the_draws() -> None:
    test = NullTest(2.0, np.array([1.0, 2.0, 3.0, 0.0, np.nan]))
    # Of four draws with a value, two are ≥ 2 and three ≤ 2: (1 + 2)/5 and (1 + 3)/5.
    assert (test.p_greater, test.p_less) == pytest.approx((0.6, 0.8))
    assert test.p_two_sided == 1.0
    assert (test.mean, test.std) == pytest.approx((1.5, np.std([0, 1, 2, 3], ddof=1)))


def test_draws_that_are_equal_but_for_rounding_count_as_equal() -> None:
    assert NullTest(0.3, np.array([0.1 + 0.2])).p_less == 1.0
    assert NullTest(0.1 + 0.2, np.array([0.3])).p_greater == 1.0


def test_without_a_value_there_is_no_p() -> None:
    for test in (NullTest(np.nan, np.array([1.0])), NullTest(1.0, np.array([np.nan]))):
        assert np.isnan([test.p_greater, test.p_less, test.p_two_sided]).all()
    assert np.isnan([NullTest(1.0, np.array([np.nan])).mean, NullTest(1.0, np.array([1.0])).std]).all()


def test_permutations_of_a_small_network_come_with_their_exact_frequencies() -> None:
    """All 24 orders of four labels: the p-value of many draws comes near the exact one."""
    network = make(4, [(0, 1), (2, 3), (0, 2)])
    labels = np.array(["a", "a", "b", "b"], dtype=object)
    observed = modularity(network, labels)
    every = [modularity(network, np.array(order, dtype=object)) for order in permutations(labels)]
    exact = np.mean([value >= observed - 1e-12 for value in every])
    test = permutation_test(network, labels, modularity, draws=3000, rng=rng())
    assert test.p_greater == pytest.approx(exact, abs=0.03)
    assert test.mean == pytest.approx(np.mean(every), abs=0.02)


def test_labels_that_are_missing_stay_where_they_are() -> None:
    network = make(4, [(0, 1), (1, 2), (2, 3)])
    labels = np.array(["a", None, "b", "b"], dtype=object)
    seen = []

    def spy(_network: Network, dealt: np.ndarray) -> float:
        seen.append(dealt.tolist())
        return 0.0

    permutation_test(network, labels, spy, draws=20, rng=rng())
    assert all(dealt[1] is None and sorted(dealt[::2] + dealt[3:]) == ["a", "b", "b"] for dealt in seen)
    assert labels.tolist() == ["a", None, "b", "b"]
    numbers = np.array([1.0, np.nan, 2.0, 3.0])
    test = permutation_test(network, numbers, numeric_assortativity, draws=5, rng=rng())
    assert np.isfinite(test.observed)


@settings(deadline=None, max_examples=30)
@given(st.data(), st.booleans(), st.integers(0, 100))
def test_rewiring_keeps_degrees_and_weights_and_makes_no_loops_or_double_edges(
    data: st.DataObject, directed: bool, seed: int
) -> None:
    network = data.draw(networks(directed=directed))
    other = rewired(network, rng(seed))
    plain, plain_other = network.unweighted(), other.unweighted()
    assert other.m == network.m
    assert plain_other.out_strength.tolist() == plain.out_strength.tolist()
    assert plain_other.in_strength.tolist() == plain.in_strength.tolist()
    assert sorted(other.edges.weight) == sorted(network.edges.weight)
    again = rewired(network, rng(seed))
    assert (again.weights != other.weights).nnz == 0


def test_rewiring_reaches_every_network_of_these_degrees_equally_often() -> None:
    """Four nodes of degree 1 can be paired in three ways, each a third of the time."""
    pairing = make(4, [(0, 1), (2, 3)])
    chance = rng()
    partners = [int(rewired(pairing, chance).edges.target[0]) for _ in range(600)]
    assert [partners.count(node) / 600 for node in (1, 2, 3)] == pytest.approx([1 / 3] * 3, abs=0.07)


def test_sides_of_the_karate_club_are_no_chance_and_random_ones_are() -> None:
    network, club, _ = karate()
    by_labels = permutation_test(network, club, modularity, draws=199, rng=rng())
    by_wiring = configuration_test(network, lambda g: modularity(g, club), draws=199, rng=rng())
    for test in (by_labels, by_wiring):
        assert test.p_greater == pytest.approx(1 / 200)  # no draw comes near
        assert test.observed == pytest.approx(0.3582, abs=1e-4)
    # Random labels: p-values of 40 tests are spread over (0, 1].
    ps = [
        permutation_test(network, rng(i).permutation(club), modularity, draws=49, rng=rng(i)).p_greater
        for i in range(40)
    ]
    assert 0.3 < np.mean(ps) < 0.7


def test_random_wiring_gives_labels_no_modularity_on_average() -> None:
    """Newman's Q is measured against the configuration model, so its mean there is about 0."""
    network = from_networkx(nx.gnm_random_graph(200, 1000, seed=1))
    labels = np.repeat([0, 1], 100)
    test = configuration_test(network, lambda g: modularity(g, labels), draws=50, rng=rng())
    assert abs(test.mean) < 0.01


def test_real_sides_are_no_chance(shared_data: Path) -> None:
    network, side, _ = real(shared_data, "congress117")
    test = permutation_test(network, side, modularity, draws=99, rng=rng())
    assert test.p_greater == 0.01


def test_wrong_input_is_refused() -> None:
    network, club, _ = karate()
    with pytest.raises(MetricInputError, match="draws: got 0"):
        permutation_test(network, club, modularity, draws=0, rng=rng())
    with pytest.raises(MetricInputError, match="draws: got 0"):
        configuration_test(network, lambda g: 0.0, draws=0, rng=rng())
    with pytest.raises(MetricInputError, match="got 1 for 34 nodes"):
        permutation_test(network, club[:1], modularity, draws=1, rng=rng())
