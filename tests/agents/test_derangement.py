from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.derangement import PERMUTATIONS, derangement
from agents.errors import PopulationError

seeds = st.integers(0, 2**32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def balanced(pairs: int, seed: int) -> list[str | None]:
    return list(rng(seed).permutation(["left", "right"] * pairs))


@given(st.integers(2, 30), seeds, st.sampled_from(PERMUTATIONS))
def test_it_is_a_bijection_without_fixed_points(pairs: int, seed: int, permute: str) -> None:
    sides = balanced(pairs, seed)
    image = derangement(sides, rng(seed), permute)  # type: ignore[arg-type]
    assert sorted(image) == list(range(2 * pairs))
    assert (image != np.arange(2 * pairs)).all()


@given(st.integers(2, 30), seeds)
def test_the_side_is_kept_or_left_as_asked(pairs: int, seed: int) -> None:
    sides = np.array(balanced(pairs, seed))
    assert (sides[derangement(list(sides), rng(seed), "within_side")] == sides).all()
    assert (sides[derangement(list(sides), rng(seed), "across_side")] != sides).all()


@given(st.lists(st.integers(1, 8), min_size=2, max_size=5), seeds)
def test_across_many_sides_works_exactly_when_none_holds_more_than_half(counts: list[int], seed: int) -> None:
    """Hall's condition."""
    sides = [str(side) for side, count in enumerate(counts) for _ in range(count)]
    if 2 * max(counts) > sum(counts):
        with pytest.raises(PopulationError, match="at most half"):
            derangement(sides, rng(seed), "across_side")
        return
    image = derangement(sides, rng(seed), "across_side")
    assert sorted(image) == list(range(len(sides)))
    assert all(sides[i] != sides[image[i]] for i in range(len(sides)))


@pytest.mark.parametrize(
    ("sides", "permute", "possible"),
    [
        # 9 derangements of 4; 1 · 1 within two pairs; 2! · 2! across them
        (["a", "a", "b", "b"], "any", 9),
        (["a", "a", "b", "b"], "within_side", 1),
        (["a", "a", "b", "b"], "across_side", 4),
        ([None, None, None], "within_side", 2),
    ],
)
def test_every_possible_one_is_drawn_equally_often(
    sides: list[str | None], permute: str, possible: int
) -> None:
    generator = rng(1)
    draws = Counter(tuple(derangement(sides, generator, permute)) for _ in range(900))  # type: ignore[arg-type]
    assert len(draws) == possible
    # chi-square with at most 8 degrees of freedom stays below 26.1 in 99.9% of cases
    expected = 900 / possible
    assert sum((count - expected) ** 2 / expected for count in draws.values()) < 26.1


@pytest.mark.parametrize(
    ("sides", "permute"), [([], "any"), (["a"], "any"), (["a", "a", "b"], "within_side"), ([], "across_side")]
)
def test_too_few_agents_are_an_error(sides: list[str | None], permute: str) -> None:
    with pytest.raises(PopulationError, match=r"expected at (least 2|most half)"):
        derangement(sides, rng(), permute)  # type: ignore[arg-type]


def test_an_unknown_kind_lists_the_known_ones() -> None:
    with pytest.raises(PopulationError, match="any, within_side, across_side"):
        derangement(["a", "b"], rng(), "sideways")  # type: ignore[arg-type]
