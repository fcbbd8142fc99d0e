from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.intervals import (
    bootstrap_interval,
    sign_flip_p,
    smallest_sign_flip_p,
    t_interval,
    wilson_interval,
)

samples = st.lists(st.floats(-100, 100), min_size=2, max_size=8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_t_interval_of_one_two_three() -> None:
    # mean 2, s = 1, s/√3 = 0.57735; t(0.975, 2) = 4.302653: 2 ± 2.48414
    assert t_interval([1, 2, 3]) == pytest.approx((-0.48414, 4.48414), abs=1e-5)


def test_t_interval_of_two_values_is_as_wide_as_it_must_be() -> None:
    # s/√2 = |b − a|/2 = 0.5; t(0.975, 1) = 12.7062: 0.5 ± 6.3531
    assert t_interval([0, 1]) == pytest.approx((-5.8531, 6.8531), abs=1e-4)


def test_one_value_has_no_interval_and_no_p() -> None:
    assert np.isnan(t_interval([1])).all()
    assert np.isnan(bootstrap_interval([1], rng=rng())).all()
    assert np.isnan(sign_flip_p([1], rng=rng()))


def test_equal_values_have_an_interval_without_width() -> None:
    assert t_interval([2, 2, 2]) == (2, 2)


def test_bootstrap_of_two_values_is_their_range() -> None:
    assert bootstrap_interval([3, 7], rng=rng()) == (3, 7)


@settings(deadline=None, max_examples=30)
@given(samples, st.integers(0, 100))
def test_bootstrap_stays_inside_the_range_and_the_mean_inside_t(values: list[float], seed: int) -> None:
    low, high = bootstrap_interval(values, rng=rng(seed), resamples=200)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    low, high = t_interval(values)
    assert low - 1e-9 <= np.mean(values) <= high + 1e-9


def test_coverage_at_five_seeds_t_keeps_its_promise_and_the_bootstrap_does_not() -> None:
    """The figure in `bootstrap_interval`'s docstring; standard error of a share over 2000 runs: 0.5 to 0.9 points."""
    chance, hits = rng(1), {"t": 0, "bootstrap": 0}
    runs = 2000
    for _ in range(runs):
        sample = chance.normal(1.0, 2.0, size=5)
        for name, (low, high) in (
            ("t", t_interval(sample)),
            ("bootstrap", bootstrap_interval(sample, rng=chance, resamples=400)),
        ):
            hits[name] += low <= 1.0 <= high
    assert hits["t"] / runs == pytest.approx(0.95, abs=0.015)
    assert hits["bootstrap"] / runs == pytest.approx(0.83, abs=0.025)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3], 2 / 8),  # only +++ and −−− reach 6
        ([1, -1], 1.0),  # the sum is 0: every pattern is as extreme
        ([2, 1, -1], 6 / 8),  # sum 2; only ±(2 − 1 − … ) = 0 patterns fall short: 2·(2,−1,−1)
        ([1] * 6, 2 / 64),
    ],
)
def test_sign_flips_are_counted_exactly(values: list[float], expected: float) -> None:
    assert sign_flip_p(values, rng=rng()) == pytest.approx(expected)


def test_many_seeds_draw_signs_instead() -> None:
    assert sign_flip_p([1.0] * 20, rng=rng(), resamples=999) == pytest.approx(1 / 1000)
    assert sign_flip_p([1.0, -1.0] * 10, rng=rng(), resamples=999) == 1.0


@settings(deadline=None, max_examples=40)
@given(samples, st.floats(0.1, 10))
def test_p_lies_above_its_floor_and_ignores_sign_and_unit(values: list[float], factor: float) -> None:
    p = sign_flip_p(values, rng=rng())
    assert 2.0 ** (1 - len(values)) <= p <= 1.0
    assert sign_flip_p([-factor * v for v in values], rng=rng()) == pytest.approx(p)


@pytest.mark.parametrize("n", [2, 5, 16, 17, 40])
def test_the_least_p_is_that_of_equal_signs(n: int) -> None:
    rng = np.random.default_rng(0)
    assert smallest_sign_flip_p(n, resamples=99) == sign_flip_p(np.ones(n), rng=rng, resamples=99)
    assert np.isnan(smallest_sign_flip_p(1))


def test_wilson_at_the_edges() -> None:
    # z² = 3.841459; 0 of 10: upper end z²/(n + z²) = 3.841459/13.841459
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.277533), abs=1e-6)
    assert wilson_interval(10, 10) == pytest.approx((1 - 0.277533, 1.0), abs=1e-6)
    assert np.isnan(wilson_interval(0, 0)).all()


def test_impossible_input_is_refused() -> None:
    with pytest.raises(MetricInputError, match="confidence: got 95"):
        t_interval([1, 2], confidence=95)
    with pytest.raises(MetricInputError, match="finite"):
        bootstrap_interval([1, float("nan")], rng=rng())
    with pytest.raises(MetricInputError, match="3 of 2"):
        wilson_interval(3, 2)
