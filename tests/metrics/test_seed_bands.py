from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.intervals import t_interval
from metrics.seed_bands import BAND_COLUMNS, seed_bands


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.floats(-5, 5), min_size=1, max_size=6), min_size=1, max_size=4))
def test_bands_are_the_t_intervals_of_every_group(groups: list[list[float]]) -> None:
    values = pd.DataFrame(
        [(step, value) for step, group in enumerate(groups) for value in group], columns=["step", "value"]
    )
    bands = seed_bands(values, ["step"])
    assert bands["step"].tolist() == list(range(len(groups)))
    for row, group in zip(bands.to_dict("records"), groups, strict=True):
        assert (row["n_seeds"], row["least"], row["most"]) == (len(group), min(group), max(group))
        assert row["mean"] == pytest.approx(np.mean(group))
        expected = t_interval(group)
        assert (row["low"], row["high"]) == pytest.approx(tuple(expected), nan_ok=True)


def test_a_seed_without_a_value_does_not_count_and_a_group_without_any_is_left_out() -> None:
    values = pd.DataFrame({"step": [0, 0, 1], "value": [1.0, np.nan, np.nan]})
    (row,) = seed_bands(values, ["step"]).to_dict("records")
    assert (row["step"], row["n_seeds"], row["mean"]) == (0, 1, 1.0)
    assert list(seed_bands(values.iloc[1:], ["step"]).columns) == ["step", *BAND_COLUMNS]


@pytest.mark.parametrize(
    ("by", "confidence", "message"), [(["n"], 0.95, "no column n"), (["step"], 1, "got 1")]
)
def test_what_cannot_be_banded_is_refused(by: list[str], confidence: float, message: str) -> None:
    with pytest.raises(MetricInputError, match=message):
        seed_bands(pd.DataFrame({"step": [0], "value": [1.0]}), by, confidence)
