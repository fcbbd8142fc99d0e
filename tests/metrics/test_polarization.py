from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.polarization import mean_stance, polarization_distance, within_side_std
from tests.metrics.frames import sides

stances = st.lists(
    st.tuples(st.one_of(st.floats(-1, 1), st.just(float("nan"))), st.sampled_from(["up", "down", None])),
    min_size=1,
    max_size=20,
)


def distance(stance: pd.Series[float], side: pd.Series[str]) -> float:
    return polarization_distance(stance, side, positive="up", negative="down")


def test_the_distance_is_signed() -> None:
    side = sides("up", "up", "down", "down")
    # means 0.6 and −0.2: 0.8; with the stances exchanged, −0.8
    assert distance(pd.Series([0.5, 0.7, 0.0, -0.4]), side) == pytest.approx(0.8)
    assert distance(pd.Series([0.0, -0.4, 0.5, 0.7]), side) == pytest.approx(-0.8)


def test_users_without_stance_or_side_are_left_out() -> None:
    stance = pd.Series([0.5, np.nan, -0.5, 1.0])
    assert distance(stance, sides("up", "up", "down", None)) == pytest.approx(1.0)


def test_a_missing_side_has_no_distance() -> None:
    assert np.isnan(distance(pd.Series([0.5, np.nan]), sides("up", "down")))
    assert np.isnan(mean_stance(pd.Series([np.nan]), sides("up"), "up"))


def test_within_side_std_divides_by_the_number_of_users() -> None:
    # 0 and 1: mean ½, both ½ away
    assert within_side_std(pd.Series([0.0, 1.0, -1.0]), sides("up", "up", "down"), "up") == 0.5


def test_one_user_has_no_spread() -> None:
    assert np.isnan(within_side_std(pd.Series([0.3, -0.3]), sides("up", "down"), "up"))


@settings(deadline=None, max_examples=40)
@given(stances)
def test_values_stay_in_range(people: list[tuple[float, str | None]]) -> None:
    stance, side = pd.Series([s for s, _ in people]), sides(*(label for _, label in people))
    d, std = distance(stance, side), within_side_std(stance, side, "up")
    assert np.isnan(d) or -2 <= d <= 2
    assert np.isnan(std) or 0 <= std <= 1 + 1e-9


@settings(deadline=None, max_examples=40)
@given(stances, st.integers(0, 100))
def test_order_doubling_and_exchange_of_sides(people: list[tuple[float, str | None]], seed: int) -> None:
    stance, side = pd.Series([s for s, _ in people]), sides(*(label for _, label in people))
    order = np.random.default_rng(seed).permutation(len(people))
    d = distance(stance, side)
    assert distance(stance.iloc[order], side) == pytest.approx(d, nan_ok=True)
    assert polarization_distance(stance, side, positive="down", negative="up") == pytest.approx(
        -d, nan_ok=True
    )
    twice = pd.concat([stance, stance], ignore_index=True), pd.concat([side, side], ignore_index=True)
    if side.eq("up").mul(stance.notna()).sum() >= 2:
        assert within_side_std(*twice, "up") == pytest.approx(within_side_std(stance, side, "up"))
