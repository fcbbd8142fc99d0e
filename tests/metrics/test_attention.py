from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.attention import FEWEST_ENGAGEMENTS, exceedance, half_lives, lorenz_curve
from metrics.cascade import gini, top_share
from metrics.errors import MetricInputError
from tests.metrics.frames import posts

amounts = st.lists(st.integers(0, 100), min_size=2, max_size=40).filter(any)


def acts(*rows: tuple[int, int]) -> pd.DataFrame:
    """Engagements as (post_id, step)."""
    return pd.DataFrame(rows, columns=["post_id", "step"]).assign(user_id=9, kind="like")


def test_the_curve_of_one_two_three_four() -> None:
    curve = lorenz_curve([4, 2, 1, 3])
    assert curve.holders.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert curve.held == pytest.approx([0, 0.1, 0.3, 0.6, 1])


@settings(deadline=None, max_examples=50)
@given(amounts)
def test_twice_the_area_above_the_curve_is_the_gini_coefficient(values: list[int]) -> None:
    curve = lorenz_curve(values)
    assert 1 - 2 * np.trapezoid(curve.held, curve.holders) == pytest.approx(gini(values), abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(amounts, st.integers(2, 60))
def test_the_curve_rises_convexly_from_nothing_to_all_whatever_is_drawn(
    values: list[int], points: int
) -> None:
    whole, drawn = lorenz_curve(values), lorenz_curve(values, points)
    assert (drawn.holders[0], drawn.held[0], drawn.holders[-1]) == (0, 0, 1)
    assert drawn.held[-1] == pytest.approx(1)
    assert len(drawn.held) <= min(max(points, 2), len(whole.held))
    assert set(drawn.holders) <= set(whole.holders)
    assert (np.diff(whole.held) >= -1e-12).all()
    assert (np.diff(whole.held, 2) >= -1e-12).all()


def test_the_top_tenth_can_be_read_off_the_curve() -> None:
    values = np.arange(1, 101)
    curve = lorenz_curve(values)
    assert 1 - curve.held[90] == pytest.approx(top_share(values, 0.1))


def test_nothing_to_share_has_no_curve() -> None:
    assert len(lorenz_curve([0, 0]).held) == 0
    with pytest.raises(MetricInputError, match="points: got 1"):
        lorenz_curve([1], points=1)


def test_half_lives_by_hand() -> None:
    table = posts([(1, 0, None, "a", None, 2), (2, 0, None, "b", None, 0), (3, 0, None, "c", None, 1)])
    # post 1 of step 2: 5 engagements at 3, 3, 5, 8, 9; the third came at 5: 3 steps. At step 8: 4, the second: 1.
    # post 2 of step 0: 4 at 0, 1, 7, 7; the second at 1. Post 3: too few.
    rows = acts((1, 9), (1, 3), (2, 7), (1, 5), (2, 0), (1, 3), (1, 8), (2, 7), (2, 1), (3, 1))
    lives = half_lives(rows, table, [7, 8, 9])
    assert lives.to_dict("split")["data"] == [
        [7, 2, 4, 1.0],
        [8, 1, 4, 1.0],
        [8, 2, 4, 1.0],
        [9, 1, 5, 3.0],
        [9, 2, 4, 1.0],
    ]


def test_a_post_below_the_fewest_engagements_has_no_half_life() -> None:
    table = posts([(1, 0, None, "a", None, 0)])
    enough = acts(*[(1, 1)] * FEWEST_ENGAGEMENTS)
    assert len(half_lives(enough, table, [1])) == 1
    assert half_lives(enough.iloc[1:], table, [1]).empty
    assert half_lives(enough.iloc[:0], table, [1]).empty


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 20), min_size=FEWEST_ENGAGEMENTS, max_size=30), st.integers(0, 20))
def test_half_of_the_engagement_has_come_by_the_half_life_and_not_before(
    steps: list[int], until: int
) -> None:
    table = posts([(1, 0, None, "a", None, 0)])
    seen = [step for step in steps if step <= until]
    lives = half_lives(acts(*[(1, step) for step in steps]), table, [until])
    if len(seen) < FEWEST_ENGAGEMENTS:
        assert lives.empty
        return
    (life,) = lives["half_life"]
    assert sum(step <= life for step in seen) >= len(seen) / 2 > sum(step < life for step in seen)


def test_an_engagement_with_an_unknown_post_is_refused() -> None:
    with pytest.raises(MetricInputError, match=r"acts\.post_id: 7"):
        half_lives(acts((7, 1)), posts([(1, 0, None, "a", None, 0)]), [1])


def test_exceedance_of_known_values() -> None:
    found = exceedance([1, 5, 1, 2])
    assert found.value.tolist() == [1, 2, 5]
    assert found.share.tolist() == [1.0, 0.5, 0.25]
    assert len(exceedance([]).value) == 0


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=40))
def test_exceedance_is_the_share_of_values_at_least_as_large(values: list[int]) -> None:
    found = exceedance(values)
    assert found.share.tolist() == pytest.approx([np.mean(np.array(values) >= x) for x in found.value])
