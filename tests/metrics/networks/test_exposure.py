from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.networks import Network, cross_side_following, echo_chamber, neighbourhood_leaning
from tests.metrics.networks.graphs import draw_sides, make, networks, renumbered, scaled

FOLLOWS = make(5, [(0, 1), (0, 2), (1, 0), (2, 3), (2, 4), (2, 0), (3, 2)], directed=True)


def sides(*labels: str | None) -> npt.NDArray[Any]:
    return np.array(labels, dtype=object)


def test_cross_side_following_is_the_mean_of_each_followers_share() -> None:
    # a: 0, 1; b: 2, 3, 4. User 0 follows 1 of 2 across, 1 none of 1, 2 follows 1 of 3 across, 3 none of 1;
    # 4 follows nobody: (1/2 + 0 + 1/3 + 0)/4 = 5/24.
    assert cross_side_following(FOLLOWS, sides("a", "a", "b", "b", "b")) == pytest.approx(5 / 24)


def test_those_of_unknown_side_are_not_seen() -> None:
    # Without 2: user 0 follows 1 (own), 1 follows 0 (own), 3 nobody.
    assert cross_side_following(FOLLOWS, sides("a", "a", None, "b", "b")) == 0.0
    assert np.isnan(cross_side_following(FOLLOWS, sides("a", None, None, "b", "b")))


def test_the_leaning_around_a_user_is_the_mean_of_those_followed() -> None:
    leaning = np.array([1.0, 0.5, -1.0, np.nan, -0.5])
    # 0 hears 0.5 and −1; 1 hears 1; 2 hears 4 and 0 (3 has no leaning); 3 hears −1; 4 follows nobody.
    expected = [-0.25, 1.0, 0.25, -1.0, np.nan]
    assert neighbourhood_leaning(FOLLOWS, leaning) == pytest.approx(expected, nan_ok=True)
    # Pairs (own, heard) of 0, 1, 2: r of (1, 0.5, −1) with (−0.25, 1, 0.25).
    expected_r = np.corrcoef([1.0, 0.5, -1.0], [-0.25, 1.0, 0.25])[0, 1]
    assert echo_chamber(FOLLOWS, leaning) == pytest.approx(expected_r)


def test_two_closed_camps_are_an_echo_chamber_and_two_that_only_see_each_other_its_opposite() -> None:
    leaning = np.array([1.0, 1.0, -1.0, -1.0])
    assert echo_chamber(make(4, [(0, 1), (2, 3)]), leaning) == pytest.approx(1.0)
    assert echo_chamber(make(4, [(0, 2), (1, 3)]), leaning) == pytest.approx(-1.0)


@settings(deadline=None, max_examples=50)
@given(networks(directed=True), st.integers(0, 1000), st.integers(2, 3))
def test_values_equal_counting_user_by_user(network: Network, seed: int, kinds: int) -> None:
    side = draw_sides(network, seed, kinds)
    rows = network.weights.toarray()
    shares = [row[side != own].sum() / row.sum() for own, row in zip(side, rows, strict=True) if row.any()]
    assert cross_side_following(network, side) == pytest.approx(np.mean(shares))
    leaning = np.random.default_rng(seed).uniform(-1, 1, network.n)
    heard = [np.average(leaning, weights=row) if row.any() else np.nan for row in rows]
    assert neighbourhood_leaning(network, leaning) == pytest.approx(heard, nan_ok=True)


@settings(deadline=None, max_examples=50)
@given(networks(directed=True), st.integers(0, 1000), st.integers(1, 9))
def test_names_order_and_unit_do_not_matter_and_ranges_hold(network: Network, seed: int, factor: int) -> None:
    side, leaning = draw_sides(network, seed), np.random.default_rng(seed).uniform(-1, 1, network.n)
    order = np.random.default_rng(seed).permutation(network.n)
    moved = scaled(renumbered(network, order), factor)
    crossing, echo = cross_side_following(network, side), echo_chamber(network, leaning)
    assert 0.0 <= crossing <= 1.0
    assert np.isnan(echo) or -1.0 <= echo <= 1.0
    assert cross_side_following(moved, side[order]) == pytest.approx(crossing)
    assert echo_chamber(moved, 2.0 * leaning[order] - 1.0) == pytest.approx(echo, nan_ok=True)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(MetricInputError, match="got 1 for 5 nodes"):
        cross_side_following(FOLLOWS, sides("a"))
    with pytest.raises(MetricInputError, match="leaning: got 1 for 5"):
        echo_chamber(FOLLOWS, np.zeros(1))
