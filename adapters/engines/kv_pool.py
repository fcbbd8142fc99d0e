"""Keys and values of all running rows in one preallocated buffer, written in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class Reach(NamedTuple):
    """What single queries of neighbouring rows see.

    Args:
        first: the first of the rows.
        longest: places of a row that any of the queries sees.
        visible: added to the scores, [rows, 1, 1, longest]; None where every query sees all places.
    """

    first: int
    longest: int
    visible: Tensor | None


class KvPool:
    """Fixed rows of keys and values: row i of a decode batch is row i of the pool.

    Args:
        layers: of the model.
        capacity: tokens that the buffer holds over all rows.
        heads: key heads.
        dim: of a head.
    """

    def __init__(
        self, layers: int, capacity: int, heads: int, dim: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        # Zeros, not garbage: a masked place still enters the sum as 0 · value, which garbage could make NaN.
        self._flat = torch.zeros(2, layers, capacity, heads * dim, dtype=dtype, device=device)
        self._heads = heads
        self.shape(rows=1, length=capacity)

    @property
    def capacity(self) -> int:
        """Tokens that the buffer holds over all rows."""
        return self._flat.shape[2]

    def shape(self, rows: int, length: int) -> None:
        """Divide the buffer into rows of `length` tokens; what was in it is lost."""
        self.length = length
        used, (two, layers, _, width) = self._flat[:, :, : rows * length], self._flat.shape
        self._rows = used.view(two, layers, rows, length, self._heads, width // self._heads)

    def keep(self, layer: int, slots: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store tokens.

        Args:
            layer: index of the layer.
            slots: where each token goes, as row · length + position, [tokens].
            keys: [tokens, heads, dim].
            values: [tokens, heads, dim].
        """
        self._flat[0, layer].index_copy_(0, slots, keys.flatten(1))
        self._flat[1, layer].index_copy_(0, slots, values.flatten(1))

    def reach(self, first: int, positions: Sequence[int]) -> Reach:
        """The reach of one query per row, from row `first` on, each standing at its position in its row."""
        longest = max(positions) + 1
        if min(positions) + 1 == longest:
            return Reach(first, longest, None)
        device = self._flat.device
        at = torch.tensor(positions, device=device)[:, None, None, None]
        beyond = torch.arange(longest, device=device) > at
        visible = torch.zeros(beyond.shape, dtype=self._flat.dtype, device=device)
        return Reach(first, longest, visible.masked_fill_(beyond, -torch.inf))

    def attend(self, layer: int, query: Tensor, reach: Reach) -> Tensor:
        """Attention of single queries over their rows.

        Args:
            layer: index of the layer.
            query: [rows, heads of queries, dim].
            reach: of these queries.

        Returns:
            [rows, heads of queries, dim].
        """
        rows = slice(reach.first, reach.first + len(query))
        keys, values = self._rows[:, layer, rows, : reach.longest].transpose(2, 3)
        # Heads of queries that share a key head become queries of one head: no copy of the keys is made.
        folded = query.unflatten(1, (self._heads, -1))  # type: ignore[no-untyped-call]
        return scaled_dot_product_attention(folded, keys, values, attn_mask=reach.visible).flatten(1, 2)

    def attend_from(self, layer: int, query: Tensor, row: int, start: int) -> Tensor:
        """Attention of a row's consecutive queries over all of the row up to themselves.

        Args:
            layer: index of the layer.
            query: [tokens, heads of queries, dim].
            row: of the pool; the queries' own keys are in it.
            start: position of the first query.

        Returns:
            [tokens, heads of queries, dim].
        """
        count, end = len(query), start + len(query)
        keys, values = self._rows[:, layer, row, :end].transpose(1, 2)
        mask = torch.ones(count, end, dtype=torch.bool, device=query.device).tril_(start)
        out = scaled_dot_product_attention(
            query.transpose(0, 1)[None], keys[None], values[None], attn_mask=mask, enable_gqa=True
        )
        return out[0].transpose(0, 1)

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of one row over another row."""
        self._rows[:, :, target, :length] = self._rows[:, :, source, :length]

    def wipe(self, row: int) -> None:
        """Zero a row that held values that are not finite."""
        self._rows[:, :, row] = 0
