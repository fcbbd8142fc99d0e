from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.networks import hill_number


@pytest.mark.parametrize(
    ("sizes", "richness", "shannon", "simpson"),
    [
        ([5], 1.0, 1.0, 1.0),
        ([3, 3, 3, 3], 4.0, 4.0, 4.0),
        # shares ½, ¼, ¼: entropy ½ ln 2 + ½ ln 4 = 1.5 ln 2, so 2^1.5; 1/(¼ + 1/16 + 1/16) = 8/3
        ([2, 1, 1], 3.0, 2.0**1.5, 8.0 / 3.0),
    ],
)
def test_effective_numbers(sizes: list[int], richness: float, shannon: float, simpson: float) -> None:
    found = [hill_number(np.array(sizes), order) for order in (0.0, 1.0, 2.0)]
    assert found == pytest.approx([richness, shannon, simpson])
    assert hill_number(np.array(sizes), np.inf) == pytest.approx(sum(sizes) / max(sizes))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=12),
    st.integers(2, 5),
    st.floats(0.0, 3.0),
    st.floats(0.1, 2.0),
)
def test_effective_numbers_fall_with_the_order_and_keep_their_scale(
    sizes: list[int], factor: int, order: float, more: float
) -> None:
    counts = np.array(sizes)
    low, high = hill_number(counts, order), hill_number(counts, order + more)
    assert 1.0 - 1e-9 <= high <= low * (1 + 1e-9) <= len(sizes) * (1 + 2e-9)
    assert hill_number(factor * counts, order) == pytest.approx(low)
    # A population of `factor` copies side by side has `factor` times as many communities (Hill's doubling).
    assert hill_number(np.tile(counts, factor), order) == pytest.approx(factor * low)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=12))
def test_order_one_is_the_limit_of_its_neighbours(sizes: list[int]) -> None:
    counts = np.array(sizes)
    assert hill_number(counts, 1.0) == pytest.approx(hill_number(counts, 1.0 + 1e-7), rel=1e-4)


def test_no_communities_have_no_number_and_wrong_input_is_refused() -> None:
    assert np.isnan(hill_number(np.array([], dtype=np.int64), 1.0))
    with pytest.raises(MetricInputError, match="at least 1 member"):
        hill_number(np.array([2, 0]), 1.0)
    with pytest.raises(MetricInputError, match="order: got -1"):
        hill_number(np.array([2]), -1.0)
