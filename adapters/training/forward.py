"""The loss of many users' rows in one forward pass, packed where the base allows it and padded elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from adapters.lora.packing import pack, shared_beginning
from adapters.training.data import Example
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
        target_ids = [token for entry in batch for row in entry.rows for token in row.targets]
        targets = torch.tensor(target_ids, device=device)
        return TokenLosses(
            nll=self._packed(batch, targets) if self.packed else self._padded(batch, targets),
            slots=torch.from_numpy(np.repeat(slots, learned)).to(device),
        )

    def cost(self, rows: Sequence[Example]) -> int:
        """Token positions that rows of one user take up in a pass, about."""
        inputs = [row.inputs for row in rows]
        if not self.packed:
            return len(inputs) * max(map(len, inputs))
        shared = shared_beginning(inputs)
        return sum(map(len, inputs)) - (len(inputs) - 1) * shared

    def _packed(self, batch: Sequence[SlotRows], targets: Tensor) -> Tensor:
        packed = pack([[row.inputs for row in entry.rows] for entry in batch], device=self.model.device)
        rows = [row for entry in batch for row in entry.rows]
        asking = [home[row.first_learned - 1 :] for home, row in zip(packed.homes, rows, strict=True)]
        places = torch.from_numpy(np.concatenate(asking)).to(self.model.device)
        with self.stack.route_segments([entry.slot for entry in batch], packed.group_lengths):
            hidden = self.model.base_model(**packed_inputs(packed)).last_hidden_state.squeeze(0)
        head = self.model.get_output_embeddings().weight
        return linear_cross_entropy(hidden.index_select(0, places), head, targets)

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
        with packed_attention(model):
            yield RowForward(model, stack, packed=True)
    else:
        yield RowForward(model, stack, packed=False)


def passes(batch: Sequence[SlotRows], forward: RowForward, budget: int) -> list[list[SlotRows]]:
    """Cut one optimizer step into forward passes of at most `budget` token positions.

    Rows of a user stay together as far as they fit, for they share their beginning; a row is never cut.
    """
    pieces = [SlotRows(entry.slot, rows) for entry in batch for rows in _fitting(entry.rows, forward, budget)]
    result: list[list[SlotRows]] = []
    filled = 0
    for piece in pieces:
        cost = forward.cost(piece.rows)
        if result and filled + cost <= budget:
            result[-1].append(piece)
            filled += cost
        else:
            result.append([piece])
            filled = cost
    return result


def _fitting(rows: tuple[Example, ...], forward: RowForward, budget: int) -> list[tuple[Example, ...]]:
    """Halves of halves of the rows until each fits, or is one row."""
    if len(rows) == 1 or forward.cost(rows) <= budget:
        return [rows]
    middle = len(rows) // 2
    return [*_fitting(rows[:middle], forward, budget), *_fitting(rows[middle:], forward, budget)]
