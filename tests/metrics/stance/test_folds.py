from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.errors import StanceError
from metrics.stance.folds import codes, deal, shared_texts


@given(st.lists(st.integers(2, 9), min_size=2, max_size=4), st.integers(2, 5), st.integers(0, 99))
def test_groups_stay_together_and_every_fold_has_every_class(sizes: list[int], folds: int, seed: int) -> None:
    """`sizes` groups of each class, of 1 to 3 texts each."""
    rng = np.random.default_rng(seed)
    of_group = np.repeat(np.arange(len(sizes)), sizes)
    group = np.repeat(np.arange(len(of_group)), rng.integers(1, 4, len(of_group)))
    classes = of_group[group]
    fold = deal(classes, group, folds, rng)
    assert all(len(set(fold[group == g])) == 1 for g in np.unique(group))
    assert set(fold) == set(range(min(folds, *sizes)))
    assert all(set(classes[fold == k]) == set(classes) for k in set(fold))


def test_without_chance_the_groups_are_dealt_in_order() -> None:
    assert deal(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3]), 2).tolist() == [0, 1, 0, 1]


def test_what_cannot_be_held_out_is_refused() -> None:
    with pytest.raises(StanceError, match="folds: got 1"):
        deal(np.array([0, 1]), np.array([0, 1]), 1)
    with pytest.raises(StanceError, match="texts of a single author"):
        deal(np.array([0, 0, 1]), np.array([0, 1, 2]), 3)


def test_names_become_numbers_in_order_of_appearance() -> None:
    assert codes(["b", "a", "b"]).tolist() == [0, 1, 0]


def test_twins_across_folds_are_counted() -> None:
    assert shared_texts(["a", "a", "b", "b"], np.array([0, 1, 1, 1])) == 0.5
