from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.stats import linregress

from metrics.errors import MetricInputError
from metrics.text.drift import drift, drift_slope, first_distances, reference_distances
from tests.metrics.text.samples import unit_rows

RNG = np.random.default_rng


def test_distances_are_to_the_mean_direction_of_each_author() -> None:
    reference = np.eye(3)[[0, 1, 2]]  # a: between x and y; b: z
    found = reference_distances(np.eye(3)[[0, 2]], ["a", "a"], reference, ["a", "a", "b"])
    assert found.own == pytest.approx([1 - np.sqrt(0.5), 1.0])
    assert found.others == pytest.approx([1.0, 0.0])


def test_sparse_and_dense_vectors_give_the_same() -> None:
    vectors, reference = unit_rows(RNG(0), 6, 4), unit_rows(RNG(1), 9, 4)
    author, of_reference = list("aabbcc"), list("abcabcabc")
    dense = reference_distances(vectors, author, reference, of_reference)
    sparse = reference_distances(csr_matrix(vectors), author, csr_matrix(reference), of_reference)
    assert dense.own == pytest.approx(sparse.own, abs=1e-6)
    assert dense.others == pytest.approx(sparse.others, abs=1e-6)
    step = [1, 2, 1, 2, 1, 2]
    assert first_distances(vectors, author, step, 1) == pytest.approx(
        first_distances(csr_matrix(vectors), author, step, 1), abs=1e-6, nan_ok=True
    )


def test_a_single_author_has_no_others() -> None:
    found = reference_distances(np.eye(2), ["a", "a"], np.eye(2)[:1], ["a"])
    assert found.own.tolist() == [0.0, 1.0]
    assert np.isnan(found.others).all()


def test_first_texts_are_the_reference_and_have_no_distance() -> None:
    vectors = np.eye(3)[[2, 0, 1, 0]]  # a wrote e0 at step 1, e1 at step 2, e2 at step 3; b wrote once
    found = first_distances(vectors, ["a", "a", "a", "b"], [3, 1, 2, 1], first=2)
    assert found == pytest.approx([1.0, np.nan, np.nan, np.nan], nan_ok=True)


def test_one_person_has_the_slope_of_a_plain_regression() -> None:
    step = np.array([1, 2, 4, 7])
    distance = np.array([0.2, 0.5, 0.3, 0.9])
    found = drift(distance, ["a"] * 4, step, rng=RNG(0))
    assert found.value == drift_slope(distance, ["a"] * 4, step)
    assert found.value == pytest.approx(linregress(step, distance).slope)
    assert np.isnan([found.low, found.high]).all()


@settings(deadline=None, max_examples=25)
@given(st.floats(-0.1, 0.1), st.integers(0, 1000))
def test_slope_is_found_whatever_level_each_person_has(slope: float, seed: int) -> None:
    rng = RNG(seed)
    author = np.repeat(np.arange(5), 6)
    step = np.tile(np.arange(6), 5)
    distance = rng.normal(size=5)[author] + slope * step
    found = drift(distance, author, step, rng=rng, resamples=200)
    assert found == pytest.approx((slope, slope, slope), abs=1e-9)


def test_interval_covers_the_slope_of_noisy_people() -> None:
    author, step = np.repeat(np.arange(40), 10), np.tile(np.arange(10), 40)
    covered = 0
    for seed in range(40):
        rng = RNG(seed)
        person = rng.normal(0.02, 0.01, 40)[author]
        found = drift(person * step + rng.normal(0, 0.1, 400), author, step, rng=rng, resamples=300)
        covered += found.low <= 0.02 <= found.high
    assert covered >= 34  # 95% nominal; 34 of 40 or fewer has probability 0.01


def test_nothing_that_moves_gives_nan() -> None:
    assert np.isnan(drift([], [], [], rng=RNG(0))).all()
    assert np.isnan(drift_slope([0.1], ["a"], [1]))
    assert np.isnan(drift([0.1, 0.2], ["a", "b"], [1, 1], rng=RNG(0))).all()
    assert np.isnan(drift([0.1, np.nan], ["a", "a"], [1, 2], rng=RNG(0))).all()
    nothing = reference_distances(np.zeros((0, 2)), [], np.eye(2), ["a", "b"])
    assert len(nothing.own) == len(nothing.others) == 0
    assert len(first_distances(np.zeros((0, 2)), [], [])) == 0


def test_wrong_input_is_refused() -> None:
    with pytest.raises(MetricInputError, match="'stranger' has no reference"):
        reference_distances(np.eye(2), ["a", "stranger"], np.eye(2), ["a", "b"])
    with pytest.raises(MetricInputError, match="author: got 1; expected one for each of 2"):
        first_distances(np.eye(2), ["a"], [1])
    with pytest.raises(MetricInputError, match="expected one each"):
        drift([0.1], ["a", "b"], [1, 2], rng=RNG(0))
