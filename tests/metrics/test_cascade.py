from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.cascade import gini, likes_per_post, top_share
from metrics.errors import MetricInputError
from tests.metrics.frames import marks, posts

amounts = st.lists(st.integers(0, 100), min_size=2, max_size=30).filter(any)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2, 2, 2], 0.0),
        ([0, 0, 0, 1], 0.75),  # one of n has all: (n − 1)/n
        ([1, 2, 3, 4], 0.25),  # Σ i·x = 30: 2·30/(4·10) − 5/4 = 1/4
    ],
)
def test_gini_of_known_amounts(values: list[int], expected: float) -> None:
    assert gini(values) == pytest.approx(expected)


@settings(deadline=None, max_examples=40)
@given(amounts)
def test_gini_is_half_the_relative_mean_difference(values: list[int]) -> None:
    """The other definition: Σ|x_i − x_j| / (2 n² mean)."""
    x = np.array(values, dtype=float)
    assert gini(x) == pytest.approx(np.abs(x[:, None] - x).sum() / (2 * len(x) ** 2 * x.mean()))


@settings(deadline=None, max_examples=40)
@given(amounts, st.integers(2, 9), st.integers(0, 100))
def test_scale_order_and_copies_change_nothing(values: list[int], factor: int, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(values)
    assert gini(factor * shuffled) == pytest.approx(gini(values))
    assert gini(np.tile(values, factor)) == pytest.approx(gini(values))
    assert top_share(factor * shuffled) == pytest.approx(top_share(values))


@settings(deadline=None, max_examples=40)
@given(amounts, st.floats(0.01, 1))
def test_values_stay_in_range(values: list[int], share: float) -> None:
    assert 0 <= gini(values) < 1
    assert share * (1 - 1e-9) <= top_share(values, share) <= 1


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        (list(range(1, 21)), 0.1, 39 / 210),  # the top 2 of 20: 19 + 20 of 210
        ([5, 3, 2], 0.1, 0.5),  # a tenth of 3 is rounded up to one
        ([1] * 10, 0.3, 0.3),  # 0.3 · 10 is 3, not 4
    ],
)
def test_top_share_of_known_amounts(values: list[int], share: float, expected: float) -> None:
    assert top_share(values, share) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[], [0, 0]])
def test_without_likes_there_is_nothing_to_share(values: list[int]) -> None:
    assert np.isnan(gini(values))
    assert np.isnan(top_share(values))


def test_one_post_has_no_inequality() -> None:
    assert np.isnan(gini([5]))


def test_impossible_amounts_and_shares_are_refused() -> None:
    with pytest.raises(MetricInputError, match="finite numbers"):
        gini([1, -1])
    with pytest.raises(MetricInputError, match="finite numbers"):
        top_share([1, float("nan")])
    with pytest.raises(MetricInputError, match="share: got 0"):
        top_share([1], 0)


def test_likes_of_a_repost_belong_to_its_original_and_posts_without_likes_count() -> None:
    table = posts([(1, 0, None, "a", None, 0), (2, 1, 1, "", None, 1), (3, 1, 1, "a", "b", 1)])
    counts = likes_per_post(table, marks([(2, 1, 1), (3, 2, 2)]))
    assert counts.to_dict() == {1: 2, 3: 0}


def test_a_like_of_an_unknown_post_is_refused() -> None:
    with pytest.raises(MetricInputError, match=r"likes\.post_id: 9"):
        likes_per_post(posts([(1, 0, None, "a", None, 0)]), marks([(0, 9, 1)]))
