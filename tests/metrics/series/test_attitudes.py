"""Group opinion over time: bias, diversity and agreement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from metrics.errors import MetricInputError
from metrics.series.attitudes import (
    GroupSeries,
    agreement,
    group_series,
    pearson,
    shares_series,
)

NAN = float("nan")
VALUES = st.lists(st.floats(-1, 1).map(lambda x: round(x, 6)), min_size=3, max_size=20)


def test_mean_and_spread_of_each_step() -> None:
    # −1, 0, 1: mean 0, variance (1 + 0 + 1)/3. One person is silent in the second step, all in the third.
    series = group_series(np.array([[-1.0, 0.0, 1.0], [0.5, NAN, 1.0], [NAN] * 3]))
    np.testing.assert_allclose(series.bias, [0.0, 0.75, NAN])
    np.testing.assert_allclose(series.diversity, [np.sqrt(2 / 3), 0.25, NAN])


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50))
def test_shares_have_the_moments_of_people_at_one_minus_one_and_zero(
    up: int, down: int, neutral: int
) -> None:
    people = np.repeat([1.0, -1.0, 0.0], [up, down, neutral])
    total = len(people)
    series = shares_series(np.array([up / total]), np.array([down / total]))
    np.testing.assert_allclose(
        [series.bias[0], series.diversity[0]], [people.mean(), people.std()], atol=1e-9
    )


def test_impossible_shares_are_refused() -> None:
    with pytest.raises(MetricInputError, match="at most 1"):
        shares_series(np.array([0.7]), np.array([0.4]))


def test_agreement_by_hand() -> None:
    simulated = GroupSeries(np.array([0.0, 0.2, NAN, 0.4]), np.array([0.5, 0.5, 0.5, 0.5]))
    real = GroupSeries(np.array([0.1, 0.1, 0.9, 0.2]), np.array([0.4, 0.5, 0.9, 0.7]))
    found = agreement(simulated, real)
    # Step 2 has no simulated bias and drops out. Δbias (0.1 + 0.1 + 0.2)/3; Δdiversity (0.1 + 0 + 0.2)/3.
    assert found.steps == 3
    assert found.bias == pytest.approx(0.2)
    assert found.diversity == pytest.approx(0.5)
    assert found.delta_bias == pytest.approx(0.4 / 3)
    assert found.delta_diversity == pytest.approx(0.1)
    # Real deviations −1/30, −1/30, 2/30 and simulated −0.2, 0, 0.2: r = (0.2 + 0.4)/30 / √(0.08 · 6/900).
    assert found.pearson_bias == pytest.approx(0.02 / np.sqrt(0.08 * 6 / 900))
    assert np.isnan(found.pearson_diversity)  # the simulated diversity never moves
    assert found.dtw_bias <= found.delta_bias


@given(VALUES, st.floats(0.1, 5), st.floats(-1, 1))
def test_pearson_equals_scipy_and_ignores_level_and_scale(
    values: list[float], scale: float, level: float
) -> None:
    x = np.array(values)
    y = np.sin(7 * x) + np.arange(len(x)) / 10
    if np.ptp(x) < 1e-3:
        return
    assert pearson(x, y) == pytest.approx(pearsonr(x, y).statistic, abs=1e-9)
    assert pearson(scale * x + level, y) == pytest.approx(pearson(x, y), abs=1e-9)


def test_pearson_of_what_does_not_move_is_nothing() -> None:
    assert np.isnan(pearson(np.array([0.3, 0.3]), np.array([0.1, 0.2])))
    assert np.isnan(pearson(np.array([0.3]), np.array([0.1])))


@given(VALUES)
def test_a_series_agrees_with_itself(values: list[float]) -> None:
    series = GroupSeries(np.array(values), np.abs(np.array(values)))
    found = agreement(series, series)
    assert (found.delta_bias, found.delta_diversity, found.dtw_bias) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [([0.1], [0.1, 0.2], "1 steps against 2"), ([NAN], [0.1], "no step at which both")],
)
def test_what_cannot_be_compared_is_named(one: Any, two: Any, message: str) -> None:
    def series(values: Any) -> GroupSeries:
        return GroupSeries(np.array(values), np.array(values))

    with pytest.raises(MetricInputError, match=message):
        agreement(series(one), series(two))


def test_bias_and_diversity_must_fit() -> None:
    with pytest.raises(MetricInputError, match="one number a step"):
        GroupSeries(np.zeros(2), np.zeros(3))
