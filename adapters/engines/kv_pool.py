"""Keys and values of all running rows in one preallocated buffer, written in place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from adapters.lora.packed_attention import AttentionPlan


class KvPool:
    """A transformers cache of fixed rows: row i of a decode batch is row i of the pool.

    Before a forward pass the caller says where that pass writes: `expect_prompts` or `expect_tokens`.

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
        self._heads, self._dim = heads, dim
        self.shape(rows=1, length=capacity)

    def shape(self, rows: int, length: int) -> None:
        """Divide the buffer into rows of `length` tokens; what was in it is lost."""
        self.rows, self.length = rows, length
        used, (two, layers, _, _) = self._flat[:, :, : rows * length], self._flat.shape
        self._by_head = used.view(two, layers, rows, length, self._heads, self._dim)
        self._write = self._source = torch.empty(0, dtype=torch.long)
        self._read: tuple[int, int] | None = None

    def expect_prompts(self, places: Tensor, slots: Tensor) -> None:
        """The next pass packs prompts.

        Args:
            places: packed places of the tokens to keep, [kept].
            slots: where in the pool they go, as row · length + position, [kept].
        """
        self._source, self._write, self._read = places, slots, None

    def expect_tokens(self, positions: Tensor, longest: int) -> None:
        """The next pass brings one token for each of the first rows.

        Args:
            positions: of the tokens in their rows, [batch].
            longest: the highest position + 1.
        """
        batch = len(positions)
        self._write = torch.arange(batch, device=positions.device) * self.length + positions
        self._read = (batch, longest)

    def update(self, keys: Tensor, values: Tensor, layer: int, _: Any = None) -> tuple[Tensor, Tensor]:
        """What transformers calls: keep the new keys and values, give back those to attend to.

        Args:
            keys: [1, heads, packed tokens, dim] or [batch, heads, 1, dim]; `values` likewise.
        """
        for new, kept in zip((keys, values), self._flat[:, layer], strict=True):
            tokens = new.transpose(1, 2).flatten(0, 1).flatten(1)
            kept.index_copy_(0, self._write, tokens if self._read else tokens[self._source])
        if self._read is None:
            return keys, values
        batch, longest = self._read
        old_keys, old_values = self._by_head[:, layer, :batch, :longest].transpose(2, 3)
        return old_keys, old_values

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of one row over another row."""
        self._by_head[:, :, target, :length] = self._by_head[:, :, source, :length]

    def wipe(self, row: int) -> None:
        """Zero a row that held values that are not finite."""
        self._by_head[:, :, row] = 0


def attend(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _attention_mask: Tensor | None,
    *,
    plan: AttentionPlan | None = None,
    visible: Tensor | None = None,
    scaling: float | None = None,
    **_others: Any,
) -> tuple[Tensor, None]:
    """A transformers attention implementation for packed prompts and for single tokens over a `KvPool`.

    Args:
        query: [1, heads, packed tokens, dim] with `plan`, or [batch, heads, 1, dim].
        plan: of the packed tokens; None for single tokens.
        visible: added to the scores of single tokens, [batch, 1, 1, keys], or None if all keys are visible.

    Returns:
        [batch, tokens, heads, dim].
    """
    if plan is not None:
        q, k, v = (t[0].transpose(0, 1) for t in (query, key, value))
        return plan.attend(q, k, v, scaling)[None], None
    batch, heads, _, dim = query.shape
    # The heads that share a key head become queries of one head: no copy of the keys is made.
    folded = query.view(batch, key.shape[1], -1, dim)
    out = scaled_dot_product_attention(folded, key, value, attn_mask=visible, scale=scaling)
    return out.reshape(batch, 1, heads, dim), None
