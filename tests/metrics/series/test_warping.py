"""Dynamic time warping against every possible alignment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.series.warping import dtw

SERIES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=5).map(np.array)


def _paths(i: int, j: int) -> Iterator[list[tuple[int, int]]]:
    """Every alignment of i + 1 with j + 1 values, by recursion."""
    if i == j == 0:
        yield [(0, 0)]
    for before in ((i - 1, j), (i, j - 1), (i - 1, j - 1)):
        if min(before) >= 0:
            yield from ([*path, (i, j)] for path in _paths(*before))


@settings(max_examples=150, deadline=None)
@given(SERIES, SERIES)
def test_equals_the_best_of_all_alignments(x: np.ndarray, y: np.ndarray) -> None:  # type: ignore[type-arg]
    paths = _paths(len(x) - 1, len(y) - 1)
    cost, length = min((sum(abs(x[i] - y[j]) for i, j in path), len(path)) for path in paths)
    found = dtw(x, y)
    assert found == (cost, length, pytest.approx(cost / length))
    assert dtw(y, x) == found
    if len(x) == len(y):
        assert found.mean_cost <= np.abs(x - y).mean() + 1e-12


def test_by_hand() -> None:
    # 0 1 2 against 0 0 1 2: the same at another pace.
    assert dtw(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 2.0])).cost == 0.0
    # 0 1 against 1 3: pairs (0,1) and (1,3) cost 1 + 2; any detour adds a pair that costs at least 0: (0,1),
    # (1,1), (1,3) costs 1 + 0 + 2 as well, so the shorter one counts: 3 over 2.
    assert dtw(np.array([0.0, 1.0]), np.array([1.0, 3.0])) == (3.0, 2, 1.5)


@pytest.mark.parametrize("bad", [[], [float("nan")], [[1.0]]])
def test_what_is_no_series_is_refused(bad: list[float]) -> None:
    with pytest.raises(MetricInputError, match="dtw: y has shape"):
        dtw(np.array([1.0]), np.array(bad))
