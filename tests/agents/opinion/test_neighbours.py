"""Neighbours: whom agents listen to, against plain loops and counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import OpinionError
from agents.opinion.neighbours import NOBODY, Neighbours

OPINIONS = st.lists(st.floats(-1, 1).map(lambda x: round(x, 2)), min_size=1, max_size=15).map(np.array)


@settings(max_examples=100, deadline=None)
@given(OPINIONS, st.floats(0, 2), st.integers(0, 9))
def test_means_equal_a_plain_loop(opinions: Any, epsilon: float, seed: int) -> None:
    """Sorting (complete mixing) and counting (graphs) give what the definition gives."""
    size = len(opinions)
    some = np.random.default_rng(seed).random((size, size)) < 0.4
    np.fill_diagonal(some, False)
    everybody = ~np.eye(size, dtype=bool)
    edges = pd.DataFrame(np.argwhere(some), columns=["follower_id", "followee_id"])
    for adjacency, neighbours in (
        (some, Neighbours.from_follows(edges, size)),
        (everybody, Neighbours.complete(size)),
    ):
        listed = [np.flatnonzero(row) for row in adjacency]
        mean = [opinions[whom].mean() if len(whom) else opinions[i] for i, whom in enumerate(listed)]
        near = [
            np.mean([opinions[i], *(opinions[j] for j in whom if abs(opinions[j] - opinions[i]) <= epsilon)])
            for i, whom in enumerate(listed)
        ]
        np.testing.assert_allclose(neighbours.mean(opinions), mean, atol=1e-12)
        # a gap that equals epsilon but for the last bit may fall on either side: leave such examples out
        gaps = np.abs(opinions[:, None] - opinions[None, :])
        if np.abs(gaps - epsilon).min() > 1e-9:
            np.testing.assert_allclose(neighbours.mean_within(opinions, epsilon), near, atol=1e-12)


@pytest.mark.parametrize("complete", [True, False])
def test_neighbours_are_drawn_evenly(complete: bool) -> None:
    """Agent 0 of four listens to 1, 2, 3: each a third of 3000 draws, within 5σ (σ = √(3000·⅓·⅔) = 26)."""
    edges = pd.DataFrame({"follower_id": [0, 0, 0, 2], "followee_id": [3, 1, 2, 0]})
    neighbours = Neighbours.complete(4) if complete else Neighbours.from_follows(edges, 4)
    rng = np.random.default_rng(0)
    drawn = np.array([neighbours.draw(rng) for _ in range(3000)])
    assert np.bincount(drawn[:, 0], minlength=4).tolist() == pytest.approx([0, 1000, 1000, 1000], abs=130)
    if not complete:
        assert set(drawn[:, 1]) == {NOBODY}
        assert set(drawn[:, 2]) == {0}


@pytest.mark.parametrize("complete", [True, False])
def test_near_ones_are_drawn_by_the_power_of_distance(complete: bool) -> None:
    # Distances from 0: 0.1 and 0.4; exponent 1: chances ∝ 10 and 2.5, so 0.8 and 0.2 (σ of 3000 draws: 22).
    edges = pd.DataFrame({"follower_id": [0, 0], "followee_id": [1, 2]})
    neighbours = Neighbours.complete(3) if complete else Neighbours.from_follows(edges, 3)
    rng = np.random.default_rng(0)
    opinions = np.array([0.0, 0.1, -0.4])
    drawn = [neighbours.draw_by_distance(opinions, 1.0, rng)[0] for _ in range(3000)]
    assert np.bincount(drawn, minlength=3).tolist() == pytest.approx([0, 2400, 600], abs=110)


def test_nobody_to_listen_to() -> None:
    rng = np.random.default_rng(0)
    empty = Neighbours.from_follows(pd.DataFrame({"follower_id": [], "followee_id": []}), 2)
    for neighbours in (empty, Neighbours.complete(1)):
        assert set(neighbours.draw(rng)) == {NOBODY}
        assert set(neighbours.draw_by_distance(np.zeros(neighbours.size), 1.0, rng)) == {NOBODY}


def test_foreign_ids_and_self_follows_are_refused() -> None:
    with pytest.raises(OpinionError, match="expected 0 to 1"):
        Neighbours.from_follows(pd.DataFrame({"follower_id": [0], "followee_id": [2]}), 2)
    with pytest.raises(OpinionError, match="follows itself"):
        Neighbours.from_follows(pd.DataFrame({"follower_id": [1], "followee_id": [1]}), 2)
