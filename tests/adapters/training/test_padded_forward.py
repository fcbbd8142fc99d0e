"""Padded losses against packed ones, and rows of similar length put together."""

from __future__ import annotations

from collections import Counter

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.training.batches import SlotRows
from adapters.training.data import Example
from adapters.training.packed_forward import PackedForward
from adapters.training.padded_forward import PaddedForward, padded_passes
from tests.adapters.training.rows import random_rows
from tests.adapters.training.stacks import BATCH, carrying_model, gradients


def test_losses_and_gradients_are_those_of_packed_rows() -> None:
    model, stack = carrying_model("qwen3_moe", first_layer=1)
    packed, padded = PackedForward(model, stack)(BATCH), PaddedForward(model, stack)(BATCH)
    torch.testing.assert_close(padded.nll, packed.nll, atol=1e-5, rtol=1e-5)
    assert padded.slots.tolist() == packed.slots.tolist()
    for ours, theirs in zip(gradients(stack, padded.nll), gradients(stack, packed.nll), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@given(budget=st.integers(1, 200), seed=st.integers(0, 5), longest=st.integers(4, 60))
@settings(deadline=None)
def test_passes_hold_each_row_once_keep_to_the_budget_and_pad_little(
    budget: int, seed: int, longest: int
) -> None:
    batch = [
        *BATCH,
        SlotRows(3, tuple(random_rows(6, seed=seed, longest=longest))),
    ]
    cut = padded_passes(batch, budget)
    assert Counter((e.slot, row) for part in cut for e in part for row in e.rows) == Counter(
        (e.slot, row) for e in batch for row in e.rows
    )
    for part in cut:
        lengths = [len(row.inputs) for entry in part for row in entry.rows]
        assert len(lengths) == 1 or len(lengths) * max(lengths) <= budget
        assert min(lengths) >= 0.7 * max(lengths)


def test_rows_of_different_users_share_a_pass_when_they_are_equally_long() -> None:
    short, long = Example((1, 2, 3), 1), Example(tuple(range(1, 12)), 1)
    batch = [SlotRows(0, (short, long)), SlotRows(1, (long, short))]
    assert padded_passes(batch, 100) == [
        [SlotRows(0, (long,)), SlotRows(1, (long,))],
        [SlotRows(0, (short,)), SlotRows(1, (short,))],
    ]
