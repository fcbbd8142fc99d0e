from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.effects import cohen_dz, hedges_gz, rank_biserial
from metrics.errors import MetricInputError

changes = st.lists(st.integers(-100, 100), min_size=3, max_size=12)


def test_dz_of_one_two_three() -> None:
    # mean 2, s = 1
    assert cohen_dz([1, 2, 3]) == 2.0


def test_hedges_correction_at_three_and_five_pairs() -> None:
    # J(2) = Γ(1)/(√1·Γ(½)) = 1/√π; J(4) = Γ(2)/(√2·Γ(3/2)) = 1/(√2·√π/2) = √(2/π)
    assert hedges_gz([1, 2, 3]) == pytest.approx(2 / math.sqrt(math.pi))
    # 0 … 4: mean 2, s² = 10/4
    assert hedges_gz([0, 1, 2, 3, 4]) == pytest.approx(math.sqrt(2 / math.pi) * 2 / math.sqrt(2.5))


def test_hedges_takes_the_bias_away() -> None:
    """True d_z 0.8 at 5 seeds: d_z overstates by 1/J(4) = 1.25, g does not; 20000 draws, standard error 0.006."""
    rng = np.random.default_rng(0)
    draws = rng.normal(0.8, 1.0, size=(20_000, 5))
    plain = draws.mean(axis=1) / draws.std(axis=1, ddof=1)
    assert plain.mean() == pytest.approx(0.8 * math.sqrt(math.pi / 2), abs=0.02)
    factor = hedges_gz(draws[0]) / cohen_dz(draws[0])
    assert (factor * plain).mean() == pytest.approx(0.8, abs=0.02)


def test_too_few_or_equal_changes_have_no_effect_size() -> None:
    assert np.isnan(cohen_dz([1]))
    assert np.isnan(cohen_dz([2, 2, 2]))
    assert np.isnan(cohen_dz([0.3 - 0.2, 0.4 - 0.3, 0.5 - 0.4]))
    assert np.isnan(hedges_gz([1, 2]))
    assert np.isnan(hedges_gz([]))
    assert np.isnan(rank_biserial([0, 0]))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3], 1.0),
        ([-1, -2], -1.0),
        ([1, -2, 3], (1 - 2 + 3) / 6),  # ranks 1, 2, 3
        ([1, -1, 0], 0.0),  # two of rank 1.5, a zero left out
    ],
)
def test_rank_biserial_of_known_changes(values: list[float], expected: float) -> None:
    assert rank_biserial(values) == pytest.approx(expected)


@settings(deadline=None, max_examples=50)
@given(changes.filter(any))
def test_rank_biserial_is_wilcoxons_statistic_rescaled(values: list[int]) -> None:
    """scipy's T+ (zeros left out) lies between 0 and m(m + 1)/2."""
    from scipy.stats import wilcoxon

    kept = np.array([v for v in values if v])
    plus = wilcoxon(kept, alternative="greater", method="asymptotic", correction=False).statistic
    assert rank_biserial(values) == pytest.approx(4 * plus / (len(kept) * (len(kept) + 1)) - 1)


@settings(deadline=None, max_examples=50)
@given(changes, st.integers(1, 9), st.randoms(use_true_random=False))
def test_unit_and_order_do_not_matter_and_the_sign_turns(
    values: list[int], factor: int, chance: object
) -> None:
    shuffled = list(values)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    for effect in (cohen_dz, hedges_gz, rank_biserial):
        there = effect(values)
        assert effect([factor * v for v in shuffled]) == pytest.approx(there, nan_ok=True)
        assert effect([-v for v in values]) == pytest.approx(-there, nan_ok=True)
    assert not abs(rank_biserial(values)) > 1


def test_missing_changes_are_refused() -> None:
    with pytest.raises(MetricInputError, match="finite"):
        cohen_dz([1, float("nan")])
