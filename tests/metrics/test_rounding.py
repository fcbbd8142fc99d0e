from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from metrics.rounding import all_equal, differences


def test_tenths_are_equal_although_floating_point_tells_them_apart() -> None:
    steps = np.array([0.3 - 0.2, 0.4 - 0.3])
    assert steps[0] != steps[1]
    assert all_equal(steps)
    assert differences(np.array([0.1 + 0.2]), np.array([0.3])).tolist() == [0.0]


def test_what_differs_for_anybody_differs_here() -> None:
    assert not all_equal(np.array([1.0, 1.000001]))
    assert differences(np.array([3.0, 1e-20]), np.array([1.0, 0.0])).tolist() == [2.0, 1e-20]


def test_one_number_none_and_zeros_have_no_spread() -> None:
    assert all_equal(np.array([2.0]))
    assert all_equal(np.zeros(0))
    assert all_equal(np.zeros(3))


@given(st.lists(st.integers(-1000, 1000), min_size=1), st.integers(1, 1000))
def test_the_unit_does_not_matter(numbers: list[int], factor: int) -> None:
    values = np.array(numbers, dtype=np.float64)
    assert all_equal(values) == all_equal(values * factor / 7) == (len(set(numbers)) == 1)
