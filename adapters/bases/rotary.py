"""Rotary position embedding, with a gradient that is a rotation too.

    y = x ⊙ cos + (−x₂, x₁) ⊙ sin, with x₁ and x₂ the halves of a head        ∂L/∂x: the same with −sin

One autograd node in place of eight: the gradient of slices would fill and add whole arrays for each of them.

Source: Su et al. 2021, arXiv 2104.09864, in the layout of GPT-NeoX.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (x₁ᵢ, x₂ᵢ) of each head by the angles of its token.

    Args:
        x: [batch, tokens, heads, dim]; gets a gradient.
        cos: [batch, tokens, 1, dim], its halves equal.
        sin: likewise.

    Returns:
        As x, a new tensor.
    """
    if not (torch.is_grad_enabled() and x.requires_grad):
        return _turned(x, cos, sin, 1)
    y: Tensor = _Rotation.apply(x, cos, sin)  # type: ignore[no-untyped-call] # torch leaves it untyped
    return y


class _Rotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(grads[0], cos, sin, -1), None, None


def _turned(x: Tensor, cos: Tensor, sin: Tensor, way: int) -> Tensor:
    half = x.shape[-1] // 2
    y: Tensor = x * cos
    y[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-way)
    y[..., half:].addcmul_(x[..., :half], sin[..., half:], value=way)
    return y
