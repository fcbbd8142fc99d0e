"""The loss of many users' rows in one forward pass without padding, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from adapters.bases.decoder import Decoder, packed_attend
from adapters.lora.layers import StackedLora
from adapters.lora.packed_attention import AttentionPlan
from adapters.lora.packing import Packed, common_beginning, pack
from adapters.training.batches import SlotRows, TokenLosses, learned_targets, slots_of_targets
from adapters.training.data import Example
from adapters.training.lower_layers import LowerLayers, Row
from adapters.training.token_loss import linear_cross_entropy


class PackedForward:
    """Rows laid one behind the other; a beginning that a user's rows share stands there once.

    Args:
        model: carries the stack.
        stack: routes rows to slots.
        cache_bytes: room for what enters the first layer with an adapter, kept from pass to pass.
        checkpointed: keep only what enters each layer, and compute the rest again in the backward pass.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        stack: StackedLora,
        *,
        cache_bytes: float = 0,
        checkpointed: bool = False,
    ) -> None:
        self._stack = stack
        self._checkpointed = checkpointed
        self._head = model.get_output_embeddings().weight
        self._decoder = Decoder(model)
        self._lower = LowerLayers(model, stack.spec.first_layer, cache_bytes)

    def __call__(self, batch: Sequence[SlotRows]) -> TokenLosses:
        """Losses of all learned tokens; gradients reach the stack's slots."""
        device = self._head.device
        groups = _groups(batch)
        packed = pack(groups, device=device)
        states = self._lower.states(packed, groups)
        hidden = self._upper(states.unsqueeze(0), packed, [entry.slot for entry in batch])
        asking = hidden.index_select(0, asking_places(batch, packed).to(device))
        nll = linear_cross_entropy(asking, self._head, learned_targets(batch).to(device))
        return TokenLosses(nll, slots_of_targets(batch).to(device))

    def passes(self, batch: Sequence[SlotRows], budget: int) -> list[list[SlotRows]]:
        """Passes of at most `budget` packed tokens."""
        return packed_passes(batch, budget)

    def expect(self, users: Iterable[SlotRows], budget: int) -> None:
        """Keep what enters the first layer with an adapter, as far as there is room."""
        self._lower.keep(map(_groups, packed_passes(list(users), budget)))

    def _upper(self, hidden: Tensor, packed: Packed, slots: Sequence[int]) -> Tensor:
        """From the first layer with an adapter to the output head, [total, d]."""
        angles = self._decoder.angles(hidden, packed.position_ids)
        attend = packed_attend(AttentionPlan.of(packed))
        route = partial(self._stack.route_segments, slots, packed.group_lengths)
        first = self._stack.spec.first_layer

        def forward_and_again() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), route()  # the second run is made by the backward pass, outside of our route

        with route():
            if not self._checkpointed:
                return self._decoder.norm(self._decoder.run(hidden, angles, attend, first=first)).squeeze(0)
            for layer in range(first, self._decoder.layers):
                hidden = checkpoint(
                    self._decoder.run,
                    hidden,
                    angles,
                    attend,
                    first=layer,
                    last=layer + 1,
                    use_reentrant=False,
                    preserve_rng_state=False,
                    context_fn=forward_and_again,
                )
            return self._decoder.norm(hidden).squeeze(0)


def asking_places(batch: Sequence[SlotRows], packed: Packed) -> Tensor:
    """Packed places of the tokens before the learned ones, in the order of `learned_targets`, [learned]."""
    rows = [row for entry in batch for row in entry.rows]
    asking = [home[row.first_learned - 1 :] for home, row in zip(packed.homes, rows, strict=True)]
    return torch.from_numpy(np.concatenate(asking))


def packed_cost(rows: Sequence[Example]) -> int:
    """Tokens of rows packed as one group, what each has in common with the one before it stored once."""
    inputs = [row.inputs for row in rows]
    return sum(map(len, inputs)) - sum(common_beginning(a, b) for a, b in pairwise(inputs))


def packed_passes(batch: Sequence[SlotRows], budget: int) -> list[list[SlotRows]]:
    """Cut rows into passes of at most `budget` packed tokens, about equally large.

    Rows of a user stay together as far as they fit, those with most in common side by side, for beginnings that they
    share: an adapter of many people has rows under many prompts. A row is never cut.
    """
    alike = [SlotRows(entry.slot, tuple(sorted(entry.rows, key=lambda row: row.tokens))) for entry in batch]
    pieces = [SlotRows(entry.slot, rows) for entry in alike for rows in _fitting(entry.rows, budget)]
    sizes = [packed_cost(piece.rows) for piece in pieces]
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


def _fitting(rows: tuple[Example, ...], budget: int) -> list[tuple[Example, ...]]:
    """Halves of halves of the rows until each fits, or is one row."""
    if len(rows) == 1 or packed_cost(rows) <= budget:
        return [rows]
    middle = len(rows) // 2
    return [*_fitting(rows[:middle], budget), *_fitting(rows[middle:], budget)]


def _groups(batch: Sequence[SlotRows]) -> list[list[Row]]:
    return [[row.inputs for row in entry.rows] for entry in batch]
