"""Random streams: same purpose, same numbers; another purpose, independent numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.rng import generator, request_seed


@given(seed=st.integers(0, 2**40), step=st.integers(0, 10_000))
def test_same_purpose_same_numbers(seed: int, step: int) -> None:
    first = generator(seed, "feed", step).integers(2**60, size=3)
    np.testing.assert_array_equal(first, generator(seed, "feed", step).integers(2**60, size=3))


def test_purposes_differ() -> None:
    draws = {
        int(generator(seed, *purpose).integers(2**62))
        for seed in (0, 1)
        for purpose in [("feed", 1), ("feed", 2), ("activity", 1), ("feed",), ()]
    }
    assert len(draws) == 10


@given(seed=st.integers(0, 2**40), step=st.integers(0, 1000), agent=st.integers(0, 1000))
def test_request_seeds_fit_31_bits(seed: int, step: int, agent: int) -> None:
    assert 0 <= request_seed(seed, step, agent) < 2**31


def test_request_seeds_rarely_collide() -> None:
    seeds = {request_seed(0, step, agent) for step in range(30) for agent in range(100)}
    assert len(seeds) >= 2998  # birthday bound: 3000² / 2³² ≈ 0.002 expected collisions


def test_negative_purpose_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        generator(0, -1)
