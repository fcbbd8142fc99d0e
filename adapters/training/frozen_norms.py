"""Root-mean-square norms with frozen weights as one autograd node: half the passes over memory.

    y = w ⊙ x r,  r = 1/√(mean(x²) + ε)        ∂L/∂x = r (g ⊙ w) − x r³ mean((g ⊙ w) ⊙ x)

Source: Zhang & Sennrich 2019, arXiv 1910.07467.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.linalg import vecdot

NORMS = frozenset({"LlamaRMSNorm", "MistralRMSNorm", "MixtralRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm"}) | {
    "Qwen2MoeRMSNorm",
    "Qwen3MoeRMSNorm",
}
"""Classes of transformers that compute exactly this, in float32."""


@contextmanager
def frozen_norms(model: nn.Module) -> Iterator[int]:
    """Within: the model's float32 norms with frozen weights run as one node; yields how many."""
    norms = [
        module
        for module in model.modules()
        if type(module).__name__ in NORMS
        and module.weight.dtype == torch.float32
        and not module.weight.requires_grad
    ]
    for norm in norms:
        norm.forward = MethodType(_forward, norm)  # put back below
    try:
        yield len(norms)
    finally:
        for norm in norms:
            del norm.forward


def _forward(norm: Any, hidden_states: Tensor) -> Tensor:
    y: Tensor = _FrozenNorm.apply(hidden_states, norm.weight, norm.variance_epsilon)  # type: ignore[no-untyped-call]
    return y


class _FrozenNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        r: Tensor = vecdot(x, x).div_(x.shape[-1]).add_(epsilon).rsqrt_().unsqueeze(-1)
        ctx.save_for_backward(x, weight, r)
        return (x * r).mul_(weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        x, weight, r = ctx.saved_tensors
        g = grads[0] * weight
        along = vecdot(g, x).unsqueeze(-1).mul_(r**3).div_(-x.shape[-1])
        gx: Tensor = g.mul_(r).addcmul_(x, along)
        return gx, None, None
