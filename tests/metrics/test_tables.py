from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from metrics.errors import MetricInputError
from metrics.tables import COLUMNS
from tests.metrics.frames import comments, empty_cell, exposures, marks, posts


def test_the_population_is_whoever_has_an_entry_in_side() -> None:
    assert empty_cell(6).users.tolist() == [0, 1, 2, 3, 4, 5]


def test_the_last_step_is_the_latest_of_any_table() -> None:
    cell = empty_cell()
    assert cell.last_step == 0
    post = posts([(1, 0, None, "a", None, 2)])
    assert replace(cell, posts=post, likes=marks([(1, 1, 5)])).last_step == 5
    assert replace(cell, posts=post, exposures=exposures([(7, 0, 1)])).last_step == 7


@pytest.mark.parametrize("name", COLUMNS)
def test_a_missing_column_is_named(name: str) -> None:
    table = getattr(empty_cell(), name)
    with pytest.raises(MetricInputError, match=f"{name}: no column {COLUMNS[name][0]}"):
        replace(empty_cell(), **{name: table.drop(columns=COLUMNS[name][0])})


def test_a_stranger_is_named() -> None:
    with pytest.raises(MetricInputError, match=r"comments\.user_id: user 8 is not in side"):
        replace(empty_cell(), comments=comments([(1, 1, 8, "hi", 1)]))


def test_a_user_with_two_sides_is_refused() -> None:
    with pytest.raises(MetricInputError, match="user 0 occurs more than once"):
        replace(empty_cell(), side=pd.Series(["a", "b"], index=[0, 0]))
