"""Statements replayed: what was known before each, and predictions from it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import OpinionError
from agents.opinion.averaging import DeGroot
from agents.opinion.events import expected_next, fit_events, moments, nearest

SCALE = (-1.0, 0.0, 1.0)


def _events(*pairs: tuple[str, float]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["user", "value"])


def test_what_was_known_by_hand() -> None:
    # a: −1, b: 1, a: 0, a: −1, b: 0. First statements (rows 0, 1) predict nothing.
    # Row 2 (a says 0): own last −1; others: b at 1. Row 3 (a says −1): own last 0; usual: −1 and 0 once each,
    # the later, 0. Row 4 (b says 0): own last 1; others: a at −1.
    known = moments(_events(("a", -1), ("b", 1), ("a", 0), ("a", -1), ("b", 0)), SCALE)
    assert known.row.tolist() == [2, 3, 4]
    assert known.told.tolist() == [1, 0, 1]
    assert known.own.tolist() == [0, 1, 2]
    assert known.usual.tolist() == [0, 1, 2]
    assert known.first.tolist() == [0, 0, 2]
    assert known.shares.tolist() == [[0, 0, 1], [0, 0, 1], [1, 0, 0]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(SCALE)), min_size=2, max_size=40))
def test_replay_equals_looking_back_each_time(pairs: list[tuple[str, float]]) -> None:
    known = moments(_events(*pairs), SCALE)
    for place, row in enumerate(known.row.tolist()):
        user = pairs[row][0]
        own = [value for who, value in pairs[:row] if who == user]
        latest = dict(pairs[:row])
        del latest[user]
        counts = Counter(latest.values())
        assert SCALE[known.own[place]] == own[-1]
        assert SCALE[known.first[place]] == own[0]
        assert own.count(SCALE[known.usual[place]]) == max(map(own.count, own))
        assert known.shares[place].tolist() == [counts[value] / len(latest) for value in SCALE]


def test_weight_of_the_crowd_is_recovered() -> None:
    """Opinions made by DeGroot's rule on a fine scale: the fit predicts at least as well as the truth does."""
    rng = np.random.default_rng(0)
    scale = np.linspace(-1, 1, 21)
    latest: dict[int, float] = {user: float(rng.choice(scale)) for user in range(30)}
    rows: list[tuple[int, float]] = list(latest.items())
    for _ in range(600):
        user = int(rng.integers(30))
        others = np.mean([value for who, value in latest.items() if who != user])
        latest[user] = float(scale[np.abs(0.6 * latest[user] + 0.4 * others - scale).argmin()])
        rows.append((user, latest[user]))
    known = moments(pd.DataFrame(rows, columns=["user", "value"]), scale)
    fit = fit_events(DeGroot, known, np.random.default_rng(1))
    truth = (nearest(expected_next(DeGroot(0.6), known), known.scale) != known.told).mean()
    assert truth == 0.0
    assert fit.loss <= 0.02
    assert fit.parameters["self_weight"] == pytest.approx(0.6, abs=0.05)


def test_nearest_takes_the_lower_of_two() -> None:
    assert nearest(np.array([-0.5, 0.51, 9.0]), np.array(SCALE)).tolist() == [0, 2, 2]


@pytest.mark.parametrize(
    ("events", "scale", "message"),
    [
        (_events(("a", 0.5)), SCALE, "none of"),
        (_events(("a", 2.0)), SCALE, "none of"),
        (_events(("a", 0.0)), (0.0,), "at least two, rising"),
    ],
)
def test_statements_off_the_scale_are_named(events: Any, scale: Any, message: str) -> None:
    with pytest.raises(OpinionError, match=message):
        moments(events, scale)


def test_nothing_to_fit_to_is_named() -> None:
    with pytest.raises(OpinionError, match="nobody spoke twice"):
        fit_events(DeGroot, moments(_events(("a", 0.0), ("b", 1.0)), SCALE), np.random.default_rng(0))
