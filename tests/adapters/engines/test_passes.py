"""Passes hold every row; what no adapter changes is computed once, whoever asks."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.passes import plan_passes

ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=12)
CPU = torch.device("cpu")


@given(ROWS, st.data(), st.integers(0, 2), st.integers(1, 40))
def test_every_row_is_found_in_the_layers_above_and_below(
    rows: list[list[int]], data: st.DataObject, depth: int, budget: int
) -> None:
    slots = data.draw(st.lists(st.integers(-1, 2), min_size=len(rows), max_size=len(rows)))
    passes = list(plan_passes(rows, slots, depth=depth, budget=budget, device=CPU))
    assert sorted(i for one in passes for i in one.members) == list(range(len(rows)))
    for one in passes:
        assert list(one.row_slots) == [slots[i] for i in one.members]
        above = one.packed
        by_group = [s for s, n in zip(one.group_slots, above.group_lengths, strict=True) for _ in range(n)]
        for i, home in zip(one.members, above.homes, strict=True):
            assert above.input_ids[0, home].tolist() == rows[i]
            assert {by_group[place] for place in home} == {slots[i]}
        if one.below is None:
            continue
        below = one.below.packed
        assert below.total < above.total
        for i, up, down in zip(one.members, above.homes, below.homes, strict=True):
            assert below.input_ids[0, down].tolist() == rows[i]
            assert one.below.source[up].tolist() == down.tolist()


def test_one_text_under_many_adapters_is_one_row_below_them() -> None:
    """Three adapters, two texts, given adapter by adapter."""
    rows, slots = [[1, 2, 3], [4, 5]] * 3, [0, 0, 1, 1, 2, 2]
    (one,) = plan_passes(rows, slots, depth=1, budget=100, device=CPU)
    assert one.packed.total == 15
    assert one.below is not None
    assert one.below.packed.total == 5
    (plain,) = plan_passes(rows, slots, depth=0, budget=100, device=CPU)
    assert (plain.packed.total, plain.below) == (15, None)


def test_with_little_room_equal_texts_still_meet_in_one_pass() -> None:
    rows, slots = [[1, 2, 3], [4, 5, 6]] * 3, [0, 0, 1, 1, 2, 2]
    passes = list(plan_passes(rows, slots, depth=1, budget=9, device=CPU))
    assert [[rows[i] for i in one.members] for one in passes] == [[[1, 2, 3]] * 3, [[4, 5, 6]] * 3]


def test_rows_that_share_nothing_are_packed_once_for_all_layers() -> None:
    (one,) = plan_passes([[1, 2], [3, 4]], [0, 1], depth=1, budget=100, device=CPU)
    assert one.below is None
