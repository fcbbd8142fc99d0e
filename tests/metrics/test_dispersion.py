from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation

from metrics.dispersion import dispersion

stances = st.lists(st.floats(-1, 1), min_size=2, max_size=30)


def test_halves_at_the_ends_are_spread_most() -> None:
    assert dispersion(pd.Series([1.0, -1.0] * 5)) == (1.0, 1.0, 1.0, 10)


def test_one_extremist_moves_the_std_but_not_the_median_deviation() -> None:
    # mean 0.2, variance (4·0.04 + 0.64)/5 = 0.16
    spread = dispersion(pd.Series([0.0, 0, 0, 0, 1]))
    assert spread == pytest.approx((0.4, 0.16, 0.0, 5))


def test_users_without_a_stance_are_left_out_and_one_user_has_no_spread() -> None:
    assert dispersion(pd.Series([0.5, np.nan, 0.5])) == (0.0, 0.0, 0.0, 2)
    assert np.isnan(dispersion(pd.Series([0.5, np.nan])).std)
    assert dispersion(pd.Series([], dtype="float64")).n == 0


@given(stances)
def test_spread_agrees_with_scipy_and_ignores_order_and_sign(values: list[float]) -> None:
    spread = dispersion(pd.Series(values))
    assert spread.mad == pytest.approx(median_abs_deviation(values), abs=1e-12)
    assert spread.std**2 == pytest.approx(spread.variance)
    assert 0.0 <= spread.variance <= 1.0 + 1e-12
    assert dispersion(-pd.Series(values[::-1])) == pytest.approx(spread, abs=1e-9)
