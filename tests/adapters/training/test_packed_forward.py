"""Packed losses against each row alone, with and without checkpointed activations, and the cutting of steps."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.training.batches import SlotRows
from adapters.training.data import Example
from adapters.training.packed_forward import PackedForward, packed_cost, packed_passes
from tests.adapters.tiny import ARCHITECTURES
from tests.adapters.training.rows import random_rows
from tests.adapters.training.stacks import BATCH, carrying_model, gradients


@pytest.mark.parametrize("first_layer", [0, 1])
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_losses_are_those_of_each_row_alone(kind: str, first_layer: int) -> None:
    model, stack = carrying_model(kind, first_layer)
    expected, slots = [], []
    for entry in BATCH:
        for row in entry.rows:
            with torch.no_grad(), stack.route([entry.slot]):
                log_p = model(torch.tensor([row.tokens])).logits[0].log_softmax(-1)
            learned = range(row.first_learned, len(row.tokens))
            expected += [-log_p[i - 1, row.tokens[i]] for i in learned]
            slots += [entry.slot for _ in learned]
    losses = PackedForward(model, stack)(BATCH)
    torch.testing.assert_close(losses.nll.detach(), torch.stack(expected), atol=1e-5, rtol=1e-5)
    assert losses.slots.tolist() == slots


@pytest.mark.parametrize("first_layer", [0, 1])
@pytest.mark.parametrize("kind", ["llama", "qwen3_moe"])
def test_checkpointed_activations_give_the_same_losses_and_gradients(kind: str, first_layer: int) -> None:
    """The layers are run again in the backward pass, where no route of ours is open."""
    model, stack = carrying_model(kind, first_layer)
    plain, frugal = (PackedForward(model, stack, checkpointed=choice)(BATCH).nll for choice in (False, True))
    torch.testing.assert_close(frugal, plain)
    for ours, theirs in zip(gradients(stack, frugal), gradients(stack, plain), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_base_in_bfloat16_gives_float32_gradients_like_those_of_a_float32_base() -> None:
    """Losses of about 6 nats, rounded to 8 bits in every layer."""
    model, stack = carrying_model("llama", 1)
    exact = PackedForward(model, stack)(BATCH).nll
    expected = torch.cat([g.flatten() for g in gradients(stack, exact)])
    coarse_model, coarse_stack = carrying_model("llama", 1, dtype=torch.bfloat16)
    losses = PackedForward(coarse_model, coarse_stack)(BATCH).nll
    gradient = torch.cat([g.flatten() for g in gradients(coarse_stack, losses)])
    torch.testing.assert_close(losses, exact, atol=0.2, rtol=0)
    assert gradient.dtype == torch.float32
    assert torch.cosine_similarity(gradient, expected, dim=0) > 0.98


@given(budget=st.integers(1, 60))
@settings(deadline=None)
def test_passes_hold_each_row_once_and_keep_to_the_budget(budget: int) -> None:
    cut = packed_passes(BATCH, budget)
    assert Counter((e.slot, row) for part in cut for e in part for row in e.rows) == Counter(
        (e.slot, row) for e in BATCH for row in e.rows
    )
    for part in cut:
        rows = [row for entry in part for row in entry.rows]
        assert len(rows) == 1 or sum(packed_cost(entry.rows) for entry in part) <= budget


def test_cost_by_hand() -> None:
    # Inputs (1, 2, 3), (1, 2, 4, 5), (1, 2, 4, 6, 7): 1, 2 and 3, then 4 and 5, then 6 and 7.
    assert packed_cost([Example(row, 1) for row in ((1, 2, 3, 9), (1, 2, 4, 5, 9), (1, 2, 4, 6, 7, 9))]) == 7


def test_rows_of_many_people_in_one_slot_have_each_prompt_once() -> None:
    """As an adapter of everybody (`one_for_all`) is trained: the people's rows take turns."""
    people = [random_rows(4, seed=i, prompt=20) for i in range(3)]
    mixed = SlotRows(0, tuple(row for turn in zip(*people, strict=True) for row in turn))
    (only,) = packed_passes([mixed], 1000)
    assert sum(packed_cost(entry.rows) for entry in only) <= sum(map(packed_cost, people))
    assert packed_cost(mixed.rows) > 3 * 4 * 20
