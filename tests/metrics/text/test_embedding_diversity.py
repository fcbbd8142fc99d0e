from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.text.embedding_diversity import mean_cosine_distance, spread, vendi_score
from tests.metrics.text.samples import unit_rows


@given(st.integers(2, 12), st.integers(2, 8), st.integers(0, 100))
def test_distance_is_the_mean_over_pairs(n: int, d: int, seed: int) -> None:
    vectors = unit_rows(np.random.default_rng(seed), n, d)
    pairs = [1 - float(a @ b) for a, b in combinations(vectors, 2)]
    assert mean_cosine_distance(vectors) == pytest.approx(np.mean(pairs), abs=1e-5)


def test_vendi_score_counts_effective_texts() -> None:
    assert vendi_score(np.eye(5)) == pytest.approx(5)
    assert vendi_score(np.repeat(np.eye(5)[:1], 7, axis=0)) == pytest.approx(1)
    # two meanings, three and one times: exp(−(¾ ln ¾ + ¼ ln ¼)) = 1.7548
    assert vendi_score(np.eye(2)[[0, 0, 0, 1]]) == pytest.approx(1.7548, abs=1e-4)


@given(st.integers(1, 20), st.integers(2, 8), st.integers(0, 100))
def test_vendi_score_is_the_entropy_of_the_kernel(n: int, d: int, seed: int) -> None:
    """Friedman & Dieng's definition over K/n itself, whatever shape is cheaper."""
    vectors = unit_rows(np.random.default_rng(seed), n, d).astype(float)
    eigenvalues = np.linalg.eigvalsh(vectors @ vectors.T / n).clip(1e-15)
    expected = np.exp(-(eigenvalues * np.log(eigenvalues)).sum())
    assert vendi_score(vectors) == pytest.approx(expected, rel=1e-5)
    assert 1 <= vendi_score(vectors) <= min(n, d) + 1e-6


@given(st.integers(2, 5), st.integers(2, 4), st.integers(0, 100))
def test_spread_is_the_mean_over_pairs_within_and_between(people: int, each: int, seed: int) -> None:
    vectors = unit_rows(np.random.default_rng(seed), people * each, 6).astype(float)
    author = np.repeat(np.arange(people), each)
    pairs = list(combinations(range(len(vectors)), 2))
    distance = {(i, j): 1 - vectors[i] @ vectors[j] for i, j in pairs}
    found = spread(vectors, author)
    assert found.within == pytest.approx(
        np.mean([d for (i, j), d in distance.items() if author[i] == author[j]])
    )
    assert found.between == pytest.approx(
        np.mean([d for (i, j), d in distance.items() if author[i] != author[j]])
    )
    assert found.separation == pytest.approx(found.between - found.within)


def test_people_who_each_say_one_thing_are_apart_and_alike_within() -> None:
    assert spread(np.eye(3)[[0, 0, 1, 1, 2]], list("aabbc")) == pytest.approx((0.0, 1.0))


def test_degenerate_sets_give_nan() -> None:
    nothing, one = np.zeros((0, 4)), np.eye(4)[:1]
    assert np.isnan([mean_cosine_distance(nothing), mean_cosine_distance(one), vendi_score(nothing)]).all()
    assert vendi_score(one) == pytest.approx(1)
    assert np.isnan(spread(nothing, [])).all()
    assert np.isnan(spread(one, ["a"])).all()
    with pytest.raises(MetricInputError, match="author: got 2"):
        spread(one, ["a", "b"])
