from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.power import MOST_SEEDS, paired_power, seeds_needed


@pytest.mark.parametrize(
    ("effect", "seeds"),
    [
        (0.05, 2),
        (2.0, 2),
        (10.0, 2),
        (0.2, 5),
        (1.0, 5),
        (3.0, 5),
        (0.05, 34),
        (0.5, 34),
        (0.05, 1000),
        (0.2, 1000),
    ],
)
def test_power_equals_statsmodels(effect: float, seeds: int) -> None:
    from statsmodels.stats.power import TTestPower

    assert paired_power(effect, seeds) == pytest.approx(TTestPower().power(effect, seeds, 0.05), abs=1e-9)


@pytest.mark.parametrize(("effect", "published"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_seeds_needed_are_the_textbooks(effect: float, published: int) -> None:
    """Cohen's small, medium and large effects, paired t test, α .05, power .8 (G*Power 3 prints the same)."""
    assert seeds_needed(effect) == published


@settings(deadline=None, max_examples=30)
@given(st.floats(0.05, 20), st.floats(0.5, 0.99), st.floats(0.001, 0.2))
def test_seeds_needed_are_the_fewest(effect: float, power: float, alpha: float) -> None:
    seeds = int(seeds_needed(effect, power=power, alpha=alpha))
    assert paired_power(effect, seeds, alpha=alpha) >= power
    assert seeds == 2 or paired_power(effect, seeds - 1, alpha=alpha) < power


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 1e6), st.integers(2, 10_000))
def test_power_is_a_share_above_alpha_and_ignores_the_sign(effect: float, seeds: int) -> None:
    assert 0.05 - 1e-9 <= paired_power(effect, seeds) <= 1
    assert paired_power(-effect, seeds) == paired_power(effect, seeds)


def test_half_of_simulated_experiments_find_what_half_power_promises() -> None:
    """d_z = 0.5 with 18 seeds: 52%; 4000 experiments, standard error 0.8 points."""
    from scipy.stats import ttest_1samp

    drawn = np.random.default_rng(0).normal(0.5, 1.0, size=(4000, 18))
    found = float((ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05).mean())
    assert found == pytest.approx(paired_power(0.5, 18), abs=0.03)


def test_no_effect_needs_infinitely_many_and_an_unknown_one_has_no_answer() -> None:
    assert seeds_needed(0.0) == math.inf
    assert seeds_needed(0.001) == math.inf
    assert seeds_needed(0.03) <= MOST_SEEDS
    assert np.isnan(seeds_needed(float("nan")))
    assert seeds_needed(1000.0) == 2


def test_impossible_input_is_refused() -> None:
    with pytest.raises(MetricInputError, match="seeds: got 1"):
        paired_power(0.5, 1)
    with pytest.raises(MetricInputError, match="power: got 80"):
        seeds_needed(0.5, power=80)
    with pytest.raises(MetricInputError, match="alpha: got 0"):
        paired_power(0.5, 3, alpha=0)
    with pytest.raises(MetricInputError, match="effect: got inf"):
        seeds_needed(math.inf)
