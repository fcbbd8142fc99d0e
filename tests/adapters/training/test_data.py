"""Rows, their checks, and the order in which a user sees them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import TrainingError
from adapters.training.config import TrainConfig
from adapters.training.data import Example, data_fingerprint, plan_users
from tests.adapters.training.rows import random_rows

CONFIG = TrainConfig(epochs=2, rows_per_step=3, max_tokens=20)
VOCABULARY = 256


@given(n=st.integers(1, 11), rows_per_step=st.integers(1, 5), epochs=st.integers(1, 3))
def test_every_epoch_shows_each_row_once(n: int, rows_per_step: int, epochs: int) -> None:
    rows = random_rows(n, seed=n)
    config = replace(CONFIG, rows_per_step=rows_per_step, epochs=epochs)
    (plan,) = plan_users({"ada": rows}, config, vocabulary=VOCABULARY)
    per_epoch = -(-n // rows_per_step)
    assert len(plan.steps) == epochs * per_epoch
    for epoch in range(epochs):
        steps = plan.steps[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert Counter(row for step in steps for row in step) == Counter(rows)
        assert all(len(step) <= rows_per_step for step in steps)


def test_order_and_start_depend_on_seed_and_name_alone() -> None:
    rows = random_rows(9, seed=0)
    (alone,) = plan_users({"ada": rows}, CONFIG, vocabulary=VOCABULARY)
    among = {p.user: p for p in plan_users({"ben": rows, "ada": rows}, CONFIG, vocabulary=VOCABULARY)}
    (reseeded,) = plan_users({"ada": rows}, replace(CONFIG, seed=1), vocabulary=VOCABULARY)
    assert among["ada"] == alone
    assert among["ben"].steps != alone.steps
    assert among["ben"].init_seed != alone.init_seed
    assert reseeded.steps != alone.steps
    assert reseeded.init_seed != alone.init_seed


def test_users_with_most_steps_come_first() -> None:
    data = {"a": random_rows(2, 0), "b": random_rows(9, 1), "c": random_rows(2, 2), "d": random_rows(5, 3)}
    assert [p.user for p in plan_users(data, CONFIG, vocabulary=VOCABULARY)] == ["b", "d", "a", "c"]


def test_too_long_rows_are_left_out_whole_and_counted() -> None:
    rows = random_rows(3, seed=0)
    long = Example(tuple(range(21)), learn_from=1)
    (plan,) = plan_users({"ada": [*rows, long, long]}, CONFIG, vocabulary=VOCABULARY)
    assert plan.skipped_rows == 2
    assert {row for step in plan.steps for row in step} == set(rows)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "user 'ada': no training rows"),
        ([Example((1,), 0)], "user 'ada', row 0: has 1 tokens; expected at least 2"),
        ([Example((1, 2), 1), Example((1, 2), 2)], "row 1: learn_from is 2; expected 0 to 1"),
        ([Example((1, 2), -1)], "row 0: learn_from is -1"),
        ([Example((1, 256), 1)], "row 0: token ids from 1 to 256; expected 0 to 255"),
        ([Example((-1, 2), 1)], "row 0: token ids from -1 to 2"),
        (
            [Example((5,) * 25, 1), Example((5,) * 30, 1)],
            "all 2 rows are longer than max_tokens=20 .* has 25",
        ),
    ],
)
def test_impossible_rows_name_user_and_row(rows: list[Example], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        plan_users({"ada": rows}, CONFIG, vocabulary=VOCABULARY)


def test_no_users_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no users"):
        plan_users({}, CONFIG, vocabulary=VOCABULARY)


def test_the_first_token_is_never_a_target() -> None:
    row = Example((7, 8, 9), learn_from=0)
    assert (row.inputs, row.targets) == ((7, 8), (8, 9))


def test_the_fingerprint_sees_tokens_boundaries_and_order() -> None:
    variants = [
        [Example((1, 2, 3), 1), Example((4, 5), 1)],
        [Example((4, 5), 1), Example((1, 2, 3), 1)],
        [Example((1, 2, 3), 2), Example((4, 5), 1)],
        [Example((1, 2), 1), Example((3, 4, 5), 1)],
    ]
    assert len({data_fingerprint(rows) for rows in variants}) == len(variants)
    assert data_fingerprint(variants[0]) == data_fingerprint(list(variants[0]))
