"""The loss of many users' rows in one forward pass, padded: for bases whose layers we do not walk ourselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from adapters.lora.layers import StackedLora
from adapters.training.batches import SlotRows, TokenLosses, learned_targets, slots_of_targets

_SIMILAR = 0.7
"""A row joins a pass while it is at least this share of the longest one's length."""


class PaddedForward:
    """Rows of similar length, padded to one.

    Args:
        model: carries the stack.
        stack: routes rows to slots.
    """

    def __init__(self, model: PreTrainedModel, stack: StackedLora) -> None:
        self._model = model
        self._stack = stack

    def __call__(self, batch: Sequence[SlotRows]) -> TokenLosses:
        """Losses of all learned tokens; gradients reach the stack's slots."""
        rows = [row for entry in batch for row in entry.rows]
        width = max(len(row.inputs) for row in rows)
        ids = np.zeros((len(rows), width), dtype=np.int64)
        real, asking = np.zeros_like(ids), np.zeros_like(ids, dtype=bool)
        for i, row in enumerate(rows):
            length = len(row.inputs)
            ids[i, :length], real[i, :length] = row.inputs, 1
            asking[i, row.first_learned - 1 : length] = True
        device = self._model.device
        with self._stack.route([entry.slot for entry in batch for _ in entry.rows]):
            logits = self._model(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=torch.from_numpy(real).to(device),
                use_cache=False,
            ).logits
        asked = logits[torch.from_numpy(asking).to(device)].float()
        nll = cross_entropy(asked, learned_targets(batch).to(device), reduction="none")
        return TokenLosses(nll, slots_of_targets(batch).to(device))

    def passes(self, batch: Sequence[SlotRows], budget: int) -> list[list[SlotRows]]:
        """Passes of at most `budget` positions, padding counted, each of rows of similar length."""
        return padded_passes(batch, budget)

    def expect(self, users: Iterable[SlotRows], budget: int) -> None:
        """Nothing is kept: what enters a layer of an unknown architecture cannot be told."""


def padded_passes(batch: Sequence[SlotRows], budget: int) -> list[list[SlotRows]]:
    """Sort all rows by length and cut where padding would exceed the budget or most of a row; none is cut itself."""
    rows = [SlotRows(entry.slot, (row,)) for entry in batch for row in entry.rows]
    rows.sort(key=_length, reverse=True)
    result: list[list[SlotRows]] = []
    for row in rows:
        longest = _length(result[-1][0]) if result else 0
        if result and _length(row) >= _SIMILAR * longest and (len(result[-1]) + 1) * longest <= budget:
            result[-1].append(row)
        else:
            result.append([row])
    return result


def _length(row: SlotRows) -> int:
    return len(row.rows[0].inputs)
