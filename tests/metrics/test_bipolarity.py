from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import kurtosis, skew

from metrics.bipolarity import (
    bimodality_coefficient,
    esteban_ray,
    esteban_ray_polarization,
)
from metrics.errors import MetricInputError

stances = st.lists(st.integers(-100, 100).map(lambda n: n / 100), min_size=4, max_size=40)


def test_two_points_a_uniform_spread_and_a_normal_one_have_their_textbook_values() -> None:
    """Two points of any masses: kurtosis = skewness² + 1, hence 1. Uniform 1/(9/5); normal 1/3."""
    uneven = pd.Series([-1.0] * 7 + [1.0] * 3)
    assert bimodality_coefficient(uneven, "sarle") == pytest.approx(1.0)
    uniform = pd.Series(np.linspace(-1, 1, 20_001))
    assert bimodality_coefficient(uniform) == pytest.approx(5 / 9, abs=1e-3)
    normal = pd.Series(np.random.default_rng(0).normal(0, 0.2, 20_000))
    assert bimodality_coefficient(normal) == pytest.approx(1 / 3, abs=0.02)


def test_the_small_sample_form_of_two_even_points() -> None:
    # n = 8, skewness 0, kurtosis 1: (n − 2)(n − 3) / ((n² − 1)·1) = 30/63
    assert bimodality_coefficient(pd.Series([-1.0, 1.0] * 4)) == pytest.approx(30 / 63)


@given(stances)
def test_the_sas_form_equals_the_printed_formula_on_scipys_moments(values: list[float]) -> None:
    assume(len(set(values)) > 1)
    n = len(values)
    g, k = skew(values, bias=False), kurtosis(values, bias=False)
    printed = (g**2 + 1) / (k + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))
    found = bimodality_coefficient(pd.Series(values))
    assert found == pytest.approx(printed, rel=1e-6)
    assert 0 < found <= 1
    assert bimodality_coefficient(0.3 - 0.5 * pd.Series(values)) == pytest.approx(found, rel=1e-6)


def test_too_few_users_or_one_opinion_have_no_bimodality() -> None:
    assert np.isnan(bimodality_coefficient(pd.Series([-1.0, 1.0, 0.0, np.nan])))
    assert np.isnan(bimodality_coefficient(pd.Series([0.1] * 10)))


def test_esteban_ray_by_hand() -> None:
    # π = (½, ¼, ¼), y = (−1, 0, 1), α = 1, K = 2:
    # ½²·(¼·1 + ¼·2) + ¼²·(½·1 + ¼·1) + ¼²·(½·2 + ¼·1) = 0.1875 + 0.046875 + 0.078125 = 0.3125
    assert esteban_ray(np.array([2.0, 1, 1]), np.array([-1.0, 0, 1]), 1.0) == pytest.approx(0.625)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.3, 1.6])
def test_two_halves_at_the_ends_are_the_most_polarized(alpha: float) -> None:
    ends = pd.Series([-1.0, 1.0] * 10)
    assert esteban_ray_polarization(ends, alpha) == pytest.approx(1.0)
    rng = np.random.default_rng(3)
    assert all(esteban_ray_polarization(pd.Series(rng.uniform(-1, 1, 20)), alpha) < 1.0 for _ in range(20))


def test_small_alpha_is_nearly_twice_the_mean_difference_over_two() -> None:
    """As α goes to 0 the measure goes to the mean distance between two users, Σ πᵢ πⱼ |yᵢ − yⱼ|."""
    values = np.array([-0.9, -0.1, 0.4, 0.8])
    distance = np.abs(values[:, None] - values).mean()
    assert esteban_ray(np.ones(4), values, 1e-6) == pytest.approx(distance, rel=1e-4)


def test_drawing_together_inside_each_camp_polarizes_although_the_variance_falls() -> None:
    """Esteban and Ray's own point: identification counts, not only distance."""
    loose = pd.Series([-1.0, -0.5, 0.5, 1.0] * 10)
    tight = pd.Series([-0.75, -0.75, 0.75, 0.75] * 10)
    assert tight.var() < loose.var()
    assert esteban_ray_polarization(tight) > esteban_ray_polarization(loose)


def test_sides_can_be_the_groups_and_unlabelled_users_stay_out() -> None:
    stance = pd.Series([-1.0, -1.0, 1.0, 1.0, 0.3])
    side = pd.Series(["a", "a", "b", "b", None], dtype=object)
    assert esteban_ray_polarization(stance, groups=side) == pytest.approx(1.0)
    assert esteban_ray_polarization(stance, groups=pd.Series("all", index=range(5))) == 0.0
    assert np.isnan(esteban_ray_polarization(stance, groups=pd.Series([None] * 5, dtype=object)))


@given(stances, st.integers(2, 9))
def test_polarization_is_in_range_and_ignores_order_and_copies(values: list[float], groups: int) -> None:
    stance = pd.Series(values)
    found = esteban_ray_polarization(stance, groups=groups)
    assert 0 <= found <= 1
    twice = pd.concat([stance[::-1], stance], ignore_index=True)
    assert esteban_ray_polarization(twice, groups=groups) == pytest.approx(found)


@pytest.mark.parametrize(
    ("masses", "positions", "alpha", "message"),
    [
        ([1.0], [0.0], 0.0, "alpha: got 0.0"),
        ([1.0], [0.0], 1.7, "alpha: got 1.7"),
        ([1.0, 1.0], [0.0], 1.0, "one of each a group"),
        ([0.0], [0.0], 1.0, "some group above 0"),
        ([1.0], [1.5], 1.0, r"numbers in \[−1, 1\]"),
    ],
)
def test_wrong_groups_are_refused(
    masses: list[float], positions: list[float], alpha: float, message: str
) -> None:
    with pytest.raises(MetricInputError, match=message):
        esteban_ray(np.array(masses), np.array(positions), alpha)


def test_wrong_stances_are_refused_and_too_few_have_no_polarization() -> None:
    assert np.isnan(esteban_ray_polarization(pd.Series([0.5, np.nan])))
    with pytest.raises(MetricInputError, match="groups: got 1"):
        esteban_ray_polarization(pd.Series([0.5, 0.1]), groups=1)
    with pytest.raises(MetricInputError, match=r"stance: expected numbers in \[−1, 1\]"):
        esteban_ray_polarization(pd.Series([0.5, 2.0]))


def test_stances_that_differ_by_rounding_only_stand_at_one_point() -> None:
    assert np.isnan(bimodality_coefficient(pd.Series([0.1 + 0.2, 0.3, 0.3, 0.3, 0.3])))
