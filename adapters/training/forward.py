"""The loss of many users' rows in one forward pass, packed where the base allows it and padded elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from adapters.lora.layers import StackedLora
from adapters.lora.packed_attention import packed_attention, packed_inputs, supports_packing
from adapters.lora.packing import Packed, pack, shared_beginning
from adapters.training.data import Example
from adapters.training.frozen_norms import frozen_norms
from adapters.training.token_loss import linear_cross_entropy


class SlotRows(NamedTuple):
    """Rows of the user whose adapter is in `slot`."""

    slot: int
    rows: tuple[Example, ...]


class TokenLosses(NamedTuple):
    """−log p of each learned token of a pass, [learned], and the slot each belongs to, [learned]."""

    nll: Tensor
    slots: Tensor


@dataclass(frozen=True, slots=True)
class RowForward:
    """Computes losses under a stack; made by `row_forward`.

    Args:
        model: carries the stack.
        stack: routes rows to slots.
        packed: whether rows are packed without padding.
    """

    model: PreTrainedModel
    stack: StackedLora
    packed: bool

    def __call__(self, batch: Sequence[SlotRows]) -> TokenLosses:
        """Losses of all learned tokens; gradients reach the stack's slots."""
        device = self.model.device
        learned = [len(row.targets) for entry in batch for row in entry.rows]
        slots = [entry.slot for entry in batch for _ in entry.rows]
        targets = learned_targets(batch).to(device)
        return TokenLosses(
            nll=self._packed(batch, targets) if self.packed else self._padded(batch, targets),
            slots=torch.from_numpy(np.repeat(slots, learned)).to(device),
        )

    @property
    def cost(self) -> Callable[[Sequence[Example]], int]:
        """How many token positions rows of one user take up in a pass, about."""
        return packed_cost if self.packed else padded_cost

    def _packed(self, batch: Sequence[SlotRows], targets: Tensor) -> Tensor:
        packed = pack([[row.inputs for row in entry.rows] for entry in batch], device=self.model.device)
        with self.stack.route_segments([entry.slot for entry in batch], packed.group_lengths):
            hidden = self.model.base_model(**packed_inputs(packed)).last_hidden_state.squeeze(0)
        asking = hidden.index_select(0, asking_places(batch, packed).to(hidden.device))
        return linear_cross_entropy(asking, self.model.get_output_embeddings().weight, targets)

    def _padded(self, batch: Sequence[SlotRows], targets: Tensor) -> Tensor:
        rows = [row for entry in batch for row in entry.rows]
        width = max(len(row.inputs) for row in rows)
        ids = np.zeros((len(rows), width), dtype=np.int64)
        real, asking = np.zeros_like(ids), np.zeros_like(ids, dtype=bool)
        for i, row in enumerate(rows):
            length = len(row.inputs)
            ids[i, :length], real[i, :length] = row.inputs, 1
            asking[i, row.first_learned - 1 : length] = True
        device = self.model.device
        with self.stack.route([entry.slot for entry in batch for _ in entry.rows]):
            logits: Tensor = self.model(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=torch.from_numpy(real).to(device),
                use_cache=False,
            ).logits
        return cross_entropy(logits[torch.from_numpy(asking).to(device)].float(), targets, reduction="none")


@contextmanager
def row_forward(model: PreTrainedModel, stack: StackedLora, longest_row: int) -> Iterator[RowForward]:
    """Prepare the model for losses of rows up to `longest_row` tokens; it is as before afterwards."""
    if supports_packing(model, longest_row):
        with packed_attention(model), frozen_norms(model):
            yield RowForward(model, stack, packed=True)
    else:
        yield RowForward(model, stack, packed=False)


def learned_targets(batch: Sequence[SlotRows]) -> Tensor:
    """Ids of all learned tokens, row after row, [learned]."""
    return torch.tensor([token for entry in batch for row in entry.rows for token in row.targets])


def asking_places(batch: Sequence[SlotRows], packed: Packed) -> Tensor:
    """Packed places of the tokens before the learned ones, in the order of `learned_targets`, [learned]."""
    rows = [row for entry in batch for row in entry.rows]
    asking = [home[row.first_learned - 1 :] for home, row in zip(packed.homes, rows, strict=True)]
    return torch.from_numpy(np.concatenate(asking))


def packed_cost(rows: Sequence[Example]) -> int:
    """Tokens of rows whose shared beginning is stored once."""
    inputs = [row.inputs for row in rows]
    return sum(map(len, inputs)) - (len(inputs) - 1) * shared_beginning(inputs)


def padded_cost(rows: Sequence[Example]) -> int:
    """Positions of rows padded to the longest of them."""
    return len(rows) * max(len(row.inputs) for row in rows)


def passes(
    batch: Sequence[SlotRows], cost: Callable[[Sequence[Example]], int], budget: int
) -> list[list[SlotRows]]:
    """Cut one optimizer step into forward passes of at most `budget` token positions, about equally large.

    Rows of a user stay together as far as they fit, for they share their beginning; a row is never cut.
    """
    pieces = [SlotRows(entry.slot, rows) for entry in batch for rows in _fitting(entry.rows, cost, budget)]
    sizes = [cost(piece.rows) for piece in pieces]
    fair = sum(sizes) / math.ceil(sum(sizes) / budget)
    result: list[list[SlotRows]] = []
    filled = 0
    for piece, size in zip(pieces, sizes, strict=True):
        if result and filled < fair and filled + size <= budget:
            result[-1].append(piece)
            filled += size
        else:
            result.append([piece])
            filled = size
    return result


def _fitting(
    rows: tuple[Example, ...], cost: Callable[[Sequence[Example]], int], budget: int
) -> list[tuple[Example, ...]]:
    """Halves of halves of the rows until each fits, or is one row."""
    if len(rows) == 1 or cost(rows) <= budget:
        return [rows]
    middle = len(rows) // 2
    return [*_fitting(rows[:middle], cost, budget), *_fitting(rows[middle:], cost, budget)]
