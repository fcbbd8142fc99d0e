"""Requests are put together completely, within the budget, and with common beginnings once."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.batching import cut_passes, divide_pool, group_rows, order_by_text

ROWS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=15)


@given(st.lists(st.integers(1, 50), max_size=20), st.integers(50, 200))
def test_every_request_runs_in_one_division_that_fits_it_and_the_pool(
    needs: list[int], capacity: int
) -> None:
    divisions = divide_pool(needs, capacity)
    assert sorted(i for d in divisions for i in d.members) == list(range(len(needs)))
    for division in divisions:
        assert division.rows >= 1
        assert division.rows * division.length <= capacity
        assert division.length == max(needs[i] for i in division.members)


def test_requests_that_fit_together_stay_together() -> None:
    assert divide_pool([10, 90, 40], 300) == [([1, 2, 0], 3, 90)]


def test_short_requests_do_not_pay_for_long_rows() -> None:
    # 4 rows of 60 tokens do not fit into 100; 20 is not above half of 60
    assert divide_pool([20, 60, 20, 60], 100) == [([1, 3], 1, 60), ([0, 2], 2, 20)]


@given(ROWS, st.data())
def test_neighbours_in_a_group_share_a_slot_and_an_eighth_of_the_shorter_row(
    rows: list[list[int]], data: st.DataObject
) -> None:
    owners = data.draw(st.lists(st.integers(-1, 2), min_size=len(rows), max_size=len(rows)))
    groups = group_rows(rows, owners)
    assert sorted(i for group in groups for i in group) == list(range(len(rows)))
    for group in groups:
        assert len({owners[i] for i in group}) == 1
        for a, b in pairwise(rows[i] for i in group):
            eighth = -(-min(len(a), len(b)) // 8)
            assert a[:eighth] == b[:eighth]


@given(ROWS, st.data())
def test_groups_do_not_depend_on_the_numbers_of_slots(rows: list[list[int]], data: st.DataObject) -> None:
    owners = data.draw(st.lists(st.integers(-1, 2), min_size=len(rows), max_size=len(rows)))
    renamed = dict(zip((-1, 0, 1, 2), data.draw(st.permutations([7, 5, 3, 1])), strict=True))
    assert group_rows(rows, [renamed[owner] for owner in owners]) == group_rows(rows, owners)


@given(ROWS, st.data())
def test_rows_in_order_of_text_stand_beside_those_that_begin_like_them(
    rows: list[list[int]], data: st.DataObject
) -> None:
    """Whatever the numbers of the slots, of which depends what was served before."""
    owners = data.draw(st.lists(st.integers(-1, 2), min_size=len(rows), max_size=len(rows)))
    renamed = dict(zip((-1, 0, 1, 2), data.draw(st.permutations([7, 5, 3, 1])), strict=True))
    order = order_by_text(rows, owners)
    assert [rows[i] for i in order] == sorted(rows)
    assert order == order_by_text(rows, [renamed[owner] for owner in owners])


def test_one_prompt_asked_many_times_is_one_group() -> None:
    assert group_rows([[1, 2, 3]] * 4 + [[9, 9, 9]], [0] * 5) == [[0, 1, 2, 3], [4]]


@given(ROWS, st.integers(1, 30))
def test_passes_hold_every_row_once_within_the_budget(rows: list[list[int]], budget: int) -> None:
    groups = group_rows(rows, [0] * len(rows))
    passes = cut_passes(groups, rows, budget)
    assert [i for one in passes for group in one for i in group] == [i for group in groups for i in group]
    for one in passes:
        members = [i for group in one for i in group]
        assert all(group for group in one)
        assert len(members) == 1 or sum(len(rows[i]) for i in members) <= budget
