from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.opinion_change import SUMMARY_COLUMNS, change_summary, opinion_changes

STANCE = pd.DataFrame(
    [
        (0, 7, np.nan), (1, 7, 0.2), (2, 7, 0.5), (4, 7, 0.5),
        (0, 8, -0.4), (1, 8, -0.6), (2, 8, np.nan), (4, 8, 0.0),
        (4, 9, 1.0),
    ],
    columns=["step", "user_id", "stance"],
)  # fmt: skip


def test_a_change_needs_two_known_steps_in_a_row() -> None:
    """Steps 2 and 4 are neighbours (nothing was measured between); user 8 said nothing at 2."""
    rows = opinion_changes(STANCE)
    assert rows[["step", "user_id"]].to_numpy().tolist() == [[2, 7], [4, 7], [1, 8]]
    assert rows["change"].tolist() == pytest.approx([0.3, 0.0, -0.2])
    assert rows["before"].tolist() == pytest.approx([0.2, 0.5, -0.4])


def test_a_user_who_is_missing_at_a_step_has_no_change_over_it() -> None:
    assert opinion_changes(STANCE.drop(index=2))["user_id"].tolist() == [8]


def test_the_summary_counts_each_step() -> None:
    table = pd.DataFrame({"step": [1, 1, 1, 1, 2], "change": [0.2, -0.1, 0.0, 0.3, -0.5]})
    summary = change_summary(table)
    # step 1: mean 0.1, of magnitudes 0.15, variance (0.01 + 0.04 + 0.01 + 0.04)/4 = 0.025
    assert summary.columns.tolist() == SUMMARY_COLUMNS
    assert summary.iloc[0].tolist() == pytest.approx([1, 4, 0.1, 0.15, 0.025**0.5, 0.5, 0.25])
    assert summary.iloc[1].tolist() == pytest.approx([2, 1, -0.5, 0.5, 0.0, 0.0, 1.0])


def test_no_stances_have_no_changes() -> None:
    nothing = opinion_changes(STANCE.iloc[:0])
    assert nothing.empty
    assert change_summary(nothing).columns.tolist() == SUMMARY_COLUMNS


@given(st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=1, max_size=6))
def test_changes_add_up_to_the_whole_way(paths: list[list[float]]) -> None:
    rows = pd.DataFrame(
        [(s, u, x) for u, path in enumerate(paths) for s, x in enumerate(path)],
        columns=["step", "user_id", "stance"],
    )
    way = opinion_changes(rows.sample(frac=1, random_state=0)).groupby("user_id")["change"].sum()
    assert way.tolist() == pytest.approx([path[-1] - path[0] for path in paths], abs=1e-9)


def test_tables_that_cannot_be_are_refused() -> None:
    with pytest.raises(MetricInputError, match="no column stance"):
        opinion_changes(STANCE[["step", "user_id"]])
    with pytest.raises(MetricInputError, match="user 7 occurs twice at step 0"):
        opinion_changes(pd.concat([STANCE, STANCE]))
