"""Losses of rows, packed and padded, and how a step is cut into passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.lora.layers import StackedLora
from adapters.lora.spec import LoraSpec
from adapters.training.data import Example
from adapters.training.forward import RowForward, SlotRows, packed_cost, padded_cost, passes, row_forward
from tests.adapters.lora.test_layers import random_adapter
from tests.adapters.tiny import tiny_model
from tests.adapters.training.rows import random_rows

BATCH = [
    SlotRows(1, tuple(random_rows(3, seed=0, prompt=6))),
    SlotRows(0, tuple(random_rows(2, seed=1))),
    SlotRows(2, (*random_rows(1, seed=2), Example((1, 2), 0))),
]


@pytest.mark.parametrize("packed", [True, False])
def test_losses_are_those_of_each_row_alone(packed: bool) -> None:
    model = tiny_model("qwen3_moe")
    stack = StackedLora.attach(model, LoraSpec(), 3)
    for slot in range(3):
        stack.load(slot, random_adapter(stack, seed=slot))
    expected, slots = [], []
    for entry in BATCH:
        for row in entry.rows:
            with torch.no_grad(), stack.route([entry.slot]):
                log_p = model(torch.tensor([row.tokens])).logits[0].log_softmax(-1)
            learned = range(row.first_learned, len(row.tokens))
            expected += [-log_p[i - 1, row.tokens[i]] for i in learned]
            slots += [entry.slot for _ in learned]
    with row_forward(model, stack, longest_row=20) as forward:
        assert forward.packed
        losses = RowForward(model, stack, packed)(BATCH) if packed else None
    if losses is None:
        losses = RowForward(model, stack, packed)(BATCH)
    torch.testing.assert_close(losses.nll, torch.stack(expected), atol=1e-5, rtol=1e-5)
    assert losses.slots.tolist() == slots


@given(budget=st.integers(1, 60), cost=st.sampled_from([packed_cost, padded_cost]))
@settings(deadline=None)
def test_passes_hold_each_row_once_and_keep_to_the_budget(
    budget: int, cost: Callable[[Sequence[Example]], int]
) -> None:
    cut = passes(BATCH, cost, budget)
    assert Counter((e.slot, row) for part in cut for e in part for row in e.rows) == Counter(
        (e.slot, row) for e in BATCH for row in e.rows
    )
    for part in cut:
        rows = [row for entry in part for row in entry.rows]
        assert len(rows) == 1 or sum(cost(entry.rows) for entry in part) <= budget


def test_costs_by_hand() -> None:
    # Inputs (1, 2, 3), (1, 2, 4, 5): beginning 2 once, then 1 and 2; padded 2 × 4.
    rows = [Example((1, 2, 3, 9), 1), Example((1, 2, 4, 5, 9), 1)]
    assert (packed_cost(rows), padded_cost(rows)) == (5, 8)
