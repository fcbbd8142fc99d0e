from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.heavy_tail import (
    FEWEST_IN_TAIL,
    _log_normal,
    fit_power_law,
    power_law_sample,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_samples_follow_the_law() -> None:
    """p(x) = x^−2.5 / ζ(2.5, 2) for x ≥ 2; 200000 draws, standard errors up to 0.0011."""
    from scipy.special import zeta

    drawn = power_law_sample(2.5, 2, 200_000, rng())
    assert drawn.min() == 2
    for x in (2, 3, 5, 20):
        assert np.mean(drawn == x) == pytest.approx(x**-2.5 / zeta(2.5, 2), abs=0.004)


def test_fit_of_a_sample_equals_the_powerlaw_package() -> None:
    """powerlaw 2.0.0 on these 1000 values: alpha 2.465625, xmin 1, normalised ratio 0.27977 with p 0.77965."""
    fit = fit_power_law(power_law_sample(2.5, 1, 1000, rng()), rng=rng(), resamples=20)
    assert (fit.n, fit.n_tail, fit.xmin, fit.reason) == (1000, 1000, 1, "")
    assert fit.alpha == pytest.approx(2.465625, abs=1e-4)
    assert (fit.ratio, fit.ratio_p) == pytest.approx((0.27977, 0.77965), abs=1e-4)
    assert fit.p_value > 0.1


def test_the_exponent_is_the_likeliest() -> None:
    """Against scipy's own Zipf likelihood over a fine grid."""
    from scipy.stats import zipf

    drawn = power_law_sample(2.2, 1, 400, rng(3))
    fit = fit_power_law(drawn, rng=rng(), resamples=1)
    tail = drawn[drawn >= fit.xmin]
    grid = np.arange(1.5, 4.0, 0.001)
    likelihood = [zipf.logpmf(tail, a).sum() - len(tail) * np.log(zipf.sf(fit.xmin - 1, a)) for a in grid]
    assert fit.alpha == pytest.approx(grid[int(np.argmax(likelihood))], abs=2e-3)


def test_a_tail_is_found_where_it_begins() -> None:
    body, tail = rng(1).integers(1, 10, 3000), power_law_sample(2.5, 10, 3000, rng(2))
    fit = fit_power_law(np.concatenate([body, tail]), rng=rng(), resamples=20)
    assert fit.xmin == pytest.approx(10, abs=2)
    assert fit.alpha == pytest.approx(2.5, abs=0.1)
    assert fit.p_value > 0.1


def test_a_log_normal_is_told_from_a_power_law_when_there_is_enough_of_it() -> None:
    drawn = np.round(rng(4).lognormal(1.0, 0.5, 20_000)).clip(1)
    fit = fit_power_law(drawn[drawn <= 6], rng=rng(), resamples=20)
    assert fit.p_value <= 0.1
    assert fit.ratio < 0
    assert fit.ratio_p < 0.05


def test_the_right_law_is_rarely_ruled_out() -> None:
    """p ≤ 0.1 should come in about a tenth of samples: 3 ± 1.6 of 30, so 9 would be four deviations off."""
    ruled_out = sum(
        fit_power_law(power_law_sample(2.5, 1, 200, rng(seed)), rng=rng(seed), resamples=40).p_value <= 0.1
        for seed in range(30)
    )
    assert ruled_out < 9


@settings(deadline=None, max_examples=20)
@given(st.floats(-3, 4), st.floats(0.2, 3), st.integers(1, 20))
def test_the_log_normal_tail_sums_to_one(mu: float, sigma: float, xmin: int) -> None:
    """The rest beyond the last x is 1 minus scipy's log-normal distribution function, over the mass above xmin."""
    from scipy.stats import lognorm

    x = np.arange(xmin, xmin + 2000)
    whole = lognorm.sf(xmin - 0.5, sigma, scale=np.exp(mu))
    rest = lognorm.sf(x[-1] + 0.5, sigma, scale=np.exp(mu)) / whole
    assert np.exp(_log_normal(x, xmin, mu, sigma)).sum() + rest == pytest.approx(1)


def test_few_values_are_not_fitted_and_say_so() -> None:
    fit = fit_power_law([0, 0, *range(1, FEWEST_IN_TAIL)], rng=rng())
    assert np.isnan([fit.alpha, fit.p_value, fit.ratio]).all()
    assert (fit.n, fit.reason) == (49, "49 values of at least 1; a fit needs 50")
    assert "different values" in fit_power_law([1, 2] * 50, rng=rng()).reason
    assert fit_power_law([], rng=rng()).n == 0


def test_zeros_and_order_do_not_matter() -> None:
    drawn = power_law_sample(2.0, 1, 200, rng(5))
    shuffled = rng(6).permutation(np.concatenate([drawn, np.zeros(300)]))
    assert fit_power_law(shuffled, rng=rng(), resamples=5) == fit_power_law(drawn, rng=rng(), resamples=5)


@pytest.mark.parametrize("values", [[1.5], [-1], [float("nan")]])
def test_what_is_no_count_is_refused(values: list[float]) -> None:
    with pytest.raises(MetricInputError, match="whole numbers"):
        fit_power_law(values, rng=rng())
