"""Cross-entropy straight from hidden states: a tile of logits at a time, never all of them.

With a vocabulary of V and n learned tokens, logits, their softmax and its gradient would be three arrays of
n × V, written to memory and read back. Here a tile of logits is made, turned into its share of loss and gradient
and forgotten while it is in the cache, in one pass over the vocabulary. With rows of logits l, running maximum m,
s = Σ exp(l − m) and G = Σ exp(l − m) w over the tiles so far,

    −log p(target) = m + log s − l_target        ∂/∂hidden = G / s − w_target

Source: Milakov & Gimelshein 2018, arXiv 1805.02867 (the running softmax).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.linalg import vecdot

_TILE_ROWS = 1024
_TILE_TOKENS = 512
"""Of the vocabulary; a tile has at most 2 MB in float32, about what a core keeps close."""


def linear_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """−log softmax(hidden · weightᵀ)[target] for every row.

    Args:
        hidden: [n, d]; gets a gradient.
        weight: [V, d], frozen.
        targets: [n], ids.

    Returns:
        [n], float32.
    """
    nll: Tensor = _LinearCrossEntropy.apply(hidden, weight, targets)  # type: ignore[no-untyped-call] # torch's
    return nll


class _LinearCrossEntropy(torch.autograd.Function):
    """The gradient of each row's loss is worked out in the forward pass, for a later factor per row."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        wanted = ctx.needs_input_grad[0]
        unit_gradient = torch.empty_like(hidden) if wanted else None
        losses = torch.empty(len(hidden), device=hidden.device)
        for start in range(0, len(hidden), _TILE_ROWS):
            rows = slice(start, start + _TILE_ROWS)
            of_target = weight.index_select(0, targets[rows])
            log_sum, mean_weight = _log_sum(hidden[rows], weight, wanted)
            losses[rows] = log_sum - vecdot(hidden[rows].float(), of_target.float())
            if unit_gradient is not None and mean_weight is not None:
                unit_gradient[rows] = mean_weight.sub_(of_target)
        if unit_gradient is not None:
            ctx.save_for_backward(unit_gradient)
        return losses

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (unit_gradient,) = ctx.saved_tensors
        return unit_gradient * grads[0][:, None].to(unit_gradient.dtype), None, None


def _log_sum(x: Tensor, weight: Tensor, mean_wanted: bool) -> tuple[Tensor, Tensor | None]:
    """log Σ exp of each row's logits, [n], and if wanted Σ p w, [n, d]; both in float32."""
    highest = x.new_full((len(x), 1), -torch.inf, dtype=torch.float32)
    total = torch.zeros_like(highest)
    weighted = torch.zeros_like(x, dtype=torch.float32) if mean_wanted else None
    for tile in torch.split(weight, _TILE_TOKENS):
        logits = (x @ tile.t()).float()
        before, highest = highest, torch.maximum(highest, logits.amax(1, keepdim=True))
        shrink = (before - highest).exp_()
        p = logits.sub_(highest).exp_()
        total.mul_(shrink).add_(p.sum(1, keepdim=True))
        if weighted is not None:
            weighted.mul_(shrink)
            if tile.dtype == torch.float32:
                weighted.addmm_(p, tile)
            else:
                weighted.add_(p.to(tile.dtype) @ tile)
    log_sum = (highest + total.log()).squeeze(1)
    return log_sum, None if weighted is None else weighted.div_(total)
