from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.multiplicity import benjamini_hochberg, holm

Adjust = Callable[[list[float]], NDArray[np.float64]]
METHODS = {"holm": holm, "fdr_bh": benjamini_hochberg}
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def test_holm_by_hand() -> None:
    # sorted .01, .03, .04: 3·.01, max(.03, 2·.03), max(.06, .04)
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_benjamini_hochberg_by_hand() -> None:
    # sorted .01, .03, .04: 3·.01/1, min(3·.03/2, 3·.04/3), .04
    assert benjamini_hochberg([0.04, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])


@settings(deadline=None, max_examples=50)
@pytest.mark.parametrize("name", METHODS)
@given(values=p_values)
def test_both_equal_statsmodels(name: str, values: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    assert METHODS[name](values) == pytest.approx(multipletests(values, method=name)[1])


@pytest.mark.parametrize("adjust", METHODS.values(), ids=METHODS)
def test_measures_without_a_test_count_for_nothing(adjust: Adjust) -> None:
    nan = float("nan")
    assert adjust([nan, 0.2, nan, 0.01])[[1, 3]] == pytest.approx(adjust([0.2, 0.01]))
    assert np.isnan(adjust([nan, 0.2])).tolist() == [True, False]
    assert np.isnan(adjust([nan])).all()
    assert len(adjust([])) == 0


@settings(deadline=None, max_examples=50)
@given(p_values)
def test_adjusting_never_lowers_and_keeps_the_order(values: list[float]) -> None:
    strict, lenient = holm(values), benjamini_hochberg(values)
    order = np.argsort(values, kind="stable")
    for adjusted in (strict, lenient):
        assert (adjusted >= np.array(values) - 1e-12).all()
        assert (adjusted <= 1).all()
        assert (np.diff(adjusted[order]) >= -1e-12).all()
    assert (strict >= lenient - 1e-12).all()


@pytest.mark.parametrize("adjust", METHODS.values(), ids=METHODS)
def test_impossible_p_values_are_refused(adjust: Adjust) -> None:
    with pytest.raises(MetricInputError, match="from 0 to 1"):
        adjust([0.5, 1.2])
    with pytest.raises(MetricInputError, match="from 0 to 1"):
        adjust([-0.1])
