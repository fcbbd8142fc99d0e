"""Two ways of making adapters, compared person by person on the same posts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.individuality import by_user, individuality
from metrics.individuality_contrast import IndividualityContrast, individuality_contrast
from tests.metrics.test_individuality import people


def _contrast(gain: float, other: float, seed: int = 0) -> IndividualityContrast:
    first, second = (people(8, 6, gain=g, noise=0.2, seed=seed) for g in (gain, other))
    spare = pd.Series(np.arange(48) % 3 == 0)
    sides = [by_user(*tables, calibration=spare) for tables in (first, second)]
    return individuality_contrast(*sides, rng=np.random.default_rng(0), resamples=300)


def test_the_sums_of_people_are_the_totals_of_the_measure() -> None:
    tables = people(6, 5, noise=0.3)
    spare = pd.Series(np.arange(30) % 5 == 0)
    rows = by_user(*tables, calibration=spare)
    whole = individuality(*tables, calibration=spare, rng=np.random.default_rng(0), resamples=50)
    assert np.exp(rows["own"].sum() / rows["tokens"].sum()) == pytest.approx(whole.own_perplexity.value)
    assert rows["found"].sum() / rows["posts"].sum() == pytest.approx(whole.top1_post.value)
    assert rows["calibrated_tail"].mean() == pytest.approx(whole.calibrated_top1_user.value)
    assert rows["posts"].sum() == whole.n_posts


def test_a_way_against_itself_differs_by_nothing() -> None:
    for estimate in _contrast(0.3, 0.3).as_dict().values():
        assert estimate == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_differences_are_first_minus_second() -> None:
    rows = pd.DataFrame(
        {
            "posts": [1.0, 1.0],
            "tokens": [3.0, 1.0],
            "own": [3.0, 3.0],
            "others": [6.0, 4.0],
            "found": [1.0, 0.0],
            "found_tail": [1.0, 0.0],
            "calibrated": [1.0, 1.0],
            "calibrated_tail": [0.0, 1.0],
        },
        index=["a", "b"],
    )
    worse = rows.assign(own=[4.0, 4.0], found=[0.0, 0.0])
    found = individuality_contrast(rows, worse, rng=np.random.default_rng(0), resamples=100)
    # own: (−1 − 1)/4 tokens; gain: others stay, own is 2 nats less over 4 tokens; one of two posts more
    assert found.own_nats.value == pytest.approx(-0.5)
    assert found.gain_over_others.value == pytest.approx(0.5)
    assert found.top1_post.value == pytest.approx(0.5)
    assert found.calibrated_top1_user.value == 0.0


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 500), st.floats(0, 0.4), st.floats(0, 0.4))
def test_turning_the_sides_round_turns_the_signs(seed: int, gain: float, other: float) -> None:
    there, back = _contrast(gain, other, seed).as_dict(), _contrast(other, gain, seed).as_dict()
    for name, estimate in there.items():
        assert estimate["value"] == pytest.approx(-back[name]["value"], abs=1e-12)
        assert estimate["low"] == pytest.approx(-back[name]["high"], abs=1e-12)


def test_a_greater_gain_is_seen() -> None:
    found = _contrast(0.4, 0.05)
    assert found.own_nats.high < 0 < found.gain_over_others.low
    assert found.calibrated_top1_post.low > 0


def test_uncalibrated_ways_have_no_calibrated_difference() -> None:
    sides = [by_user(*people(3, 3, seed=seed)) for seed in (0, 0)]
    found = individuality_contrast(*sides, rng=np.random.default_rng(0), resamples=50)
    assert np.isnan([*found.calibrated_top1_post, *found.calibrated_top1_user]).all()
    assert found.top1_post.value == 0.0


def test_other_people_or_posts_are_refused() -> None:
    rng = np.random.default_rng(0)
    rows = by_user(*people(3, 3))
    with pytest.raises(MetricInputError, match="same people in the same order"):
        individuality_contrast(rows, rows.iloc[::-1], rng=rng)
    with pytest.raises(MetricInputError, match="tokens differ"):
        individuality_contrast(rows, rows.assign(tokens=rows["tokens"] + 1), rng=rng)
