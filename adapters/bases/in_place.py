"""A layer's norms and gated MLP where no gradient is recorded: in place, with few temporaries.

For the architectures of `adapters.lora.packed_attention.ARCHITECTURES`, whose norms are all root-mean-square and
whose MLPs are all gated. The linears are called, not read: whatever is wrapped around them works.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu
from transformers.activations import SiLUActivation


def normed(norm: Any, x: Tensor) -> Tensor:
    """`norm(x)`: w ⊙ x / √(mean(x²) + ε), over the last dimension.

    Source: Zhang & Sennrich 2019, arXiv 1910.07467.
    """
    if x.dtype != torch.float32:  # transformers' own raises the precision of the sum
        y: Tensor = norm(x)
        return y
    squares: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_()
    scaled: Tensor = x * squares.div_(x.shape[-1]).add_(norm.variance_epsilon).rsqrt_()
    return scaled.mul_(norm.weight)


def mixed(mlp: Any, x: Tensor) -> Tensor:
    """`mlp(x)`, as a tensor that the caller may change: down(act(gate x) ⊙ up x), or a block of experts.

    Source: Shazeer 2020, arXiv 2002.05202 (SwiGLU).
    """
    if not hasattr(mlp, "gate_proj"):
        out = mlp(x)
        y: Tensor = out[0] if isinstance(out, tuple) else out  # experts return their router's logits too
        return y
    gate: Tensor = mlp.gate_proj(x)
    is_silu = isinstance(mlp.act_fn, (nn.SiLU, SiLUActivation))
    active = silu(gate, inplace=True) if is_silu else mlp.act_fn(gate)
    down: Tensor = mlp.down_proj(active.mul_(mlp.up_proj(x)))
    return down
