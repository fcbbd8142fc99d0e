"""Cross-entropy straight from hidden states: a few rows of logits at a time, never all of them.

With a vocabulary of V and n learned tokens, logits, their softmax and its gradient would be three arrays of
n × V, written to memory and read back. Here each block of rows is finished, gradient included, while it is in
the cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_BLOCK_NUMBERS = 1 << 20
"""Logits in one block: 4 MB in float32, about what a core keeps close."""


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
        block = max(1, _BLOCK_NUMBERS // weight.shape[0])
        wanted = ctx.needs_input_grad[0]
        unit_gradient = torch.empty_like(hidden)
        losses = []
        for start in range(0, hidden.shape[0], block):
            rows = slice(start, start + block)
            target = targets[rows, None]
            log_p = torch.log_softmax(hidden[rows] @ weight.t(), 1, dtype=torch.float32)
            losses.append(-log_p.gather(1, target).squeeze(1))
            if wanted:
                difference = log_p.exp_()
                difference.scatter_add_(1, target, difference.new_full((1, 1), -1.0).expand_as(target))
                torch.mm(difference.to(weight.dtype), weight, out=unit_gradient[rows])
        if wanted:
            ctx.save_for_backward(unit_gradient)
        return torch.cat(losses)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (unit_gradient,) = ctx.saved_tensors
        return unit_gradient * grads[0][:, None].to(unit_gradient.dtype), None, None
