"""The rows of one forward pass in training, and what comes out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from adapters.training.data import Example


class SlotRows(NamedTuple):
    """Rows of the user whose adapter is in `slot`."""

    slot: int
    rows: tuple[Example, ...]


class TokenLosses(NamedTuple):
    """−log p of each learned token of a pass, [learned], and the slot each belongs to, [learned]."""

    nll: Tensor
    slots: Tensor


class RowForward(Protocol):
    """How rows become losses under a stack; made by `adapters.training.forward.row_forward`."""

    def __call__(self, batch: Sequence[SlotRows]) -> TokenLosses:
        """Losses of all learned tokens of one pass; gradients reach the stack's slots."""
        ...

    def passes(self, batch: Sequence[SlotRows], budget: int) -> list[list[SlotRows]]:
        """Cut rows into passes of at most `budget` token positions each; a row is never cut."""
        ...

    def expect(self, users: Iterable[SlotRows], budget: int) -> None:
        """Told of all rows of the users to come, each of which will be read more than once."""
        ...


def learned_targets(batch: Sequence[SlotRows]) -> Tensor:
    """Ids of all learned tokens, row after row, [learned]."""
    return torch.tensor([token for entry in batch for row in entry.rows for token in row.targets])


def slots_of_targets(batch: Sequence[SlotRows]) -> Tensor:
    """The slot of each learned token, in the order of `learned_targets`, [learned]."""
    slots = [entry.slot for entry in batch for _ in entry.rows]
    return torch.from_numpy(np.repeat(slots, [len(row.targets) for entry in batch for row in entry.rows]))
