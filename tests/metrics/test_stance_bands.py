from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.stance_bands import NO_BAND, band_edges, band_flows, band_of, band_shares

stances = st.one_of(st.just(float("nan")), st.floats(-1, 1))


@st.composite
def societies(draw: st.DrawFn) -> pd.DataFrame:
    """Every user at each of three steps."""
    users = draw(st.integers(1, 8))
    values = draw(st.lists(stances, min_size=3 * users, max_size=3 * users))
    rows = [(step, user) for step in range(3) for user in range(users)]
    return pd.DataFrame(rows, columns=["step", "user_id"]).assign(stance=values)


def test_edges_belong_to_the_band_above_and_one_to_the_highest() -> None:
    # five parts of [−1, 1]: edges at −0.6, −0.2, 0.2, 0.6
    assert band_edges().tolist() == pytest.approx([-1, -0.6, -0.2, 0.2, 0.6, 1])
    found = band_of(pd.Series([-1.0, -0.5, 0.0, 0.5, 1.0, np.nan]), 4)  # edges at −0.5, 0, 0.5
    assert found.tolist() == [0, 1, 2, 3, 3, NO_BAND]


@settings(deadline=None, max_examples=40)
@given(societies(), st.integers(2, 7))
def test_shares_count_every_user_with_a_stance_once(stance: pd.DataFrame, bands: int) -> None:
    table = band_shares(stance, ["step"], bands)
    known = stance.dropna().groupby("step").size()
    assert table.groupby("step")["users"].sum().tolist() == known.tolist()
    assert table.groupby("step")["share"].sum().tolist() == pytest.approx([1.0] * len(known))
    assert len(table) == bands * len(known)


@settings(deadline=None, max_examples=40)
@given(societies())
def test_who_leaves_a_band_had_come_to_it_and_nobody_is_lost(stance: pd.DataFrame) -> None:
    flows = band_flows(stance, [0, 1, 2])
    users = stance["user_id"].nunique()
    assert flows.groupby("step")["users"].sum().tolist() == [users, users]
    came = flows[flows["to_step"] == 1].groupby("to_band")["users"].sum()
    left = flows[flows["step"] == 1].groupby("band")["users"].sum()
    assert came.to_dict() == left.to_dict()


def test_flows_of_known_moves() -> None:
    stance = pd.DataFrame(
        {"step": [0, 0, 0, 4, 4, 4], "user_id": [1, 2, 3] * 2, "stance": [np.nan, -0.9, -0.8, 0.9, -0.9, 0.0]}
    )
    flows = band_flows(stance, [0, 4])
    assert flows.to_numpy().tolist() == [[0, 4, NO_BAND, 4, 1], [0, 4, 0, 0, 1], [0, 4, 0, 2, 1]]


def test_flows_refuse_what_would_lose_users() -> None:
    stance = pd.DataFrame({"step": [0, 1, 1], "user_id": [1, 1, 2], "stance": [0.0, 0.0, 0.0]})
    with pytest.raises(MetricInputError, match="rising"):
        band_flows(stance, [1, 0])
    with pytest.raises(MetricInputError, match="missing at a step"):
        band_flows(stance, [0, 1])
    with pytest.raises(MetricInputError, match="occurs twice"):
        band_flows(stance.assign(user_id=1), [0, 1])
    with pytest.raises(MetricInputError, match="at least 2"):
        band_of(stance["stance"], 1)
    with pytest.raises(MetricInputError, match=r"\[−1, 1\]"):
        band_of(pd.Series([1.5]))
