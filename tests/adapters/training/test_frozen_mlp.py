"""Gated MLPs as one node: the value and gradient of transformers' own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from adapters.training.frozen_mlp import MLPS, frozen_mlps
from tests.adapters.tiny import ARCHITECTURES, tiny_model


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_value_and_gradient_are_those_of_transformers(kind: str) -> None:
    model = tiny_model(kind)
    mlp = next(m for m in model.modules() if type(m).__name__ in MLPS)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 5, 32, generator=generator, requires_grad=True)
    g = torch.randn(x.shape, generator=generator)
    plain = mlp(x)
    (plain_gradient,) = torch.autograd.grad(plain, x, g)
    with frozen_mlps(model) as patched:
        assert patched == (8 if kind in ("qwen3_moe", "mixtral") else 2)  # two layers, of four experts each
        fast = mlp(x)
        (fast_gradient,) = torch.autograd.grad(fast, x, g)
    torch.testing.assert_close(fast, plain, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(fast_gradient, plain_gradient, atol=1e-6, rtol=1e-5)
    assert not any("forward" in vars(module) for module in model.modules() if type(module).__name__ in MLPS)


def test_mlps_that_are_trained_wrapped_or_of_another_activation_are_left_alone() -> None:
    model = tiny_model("llama")
    first, second = (m for m in model.modules() if type(m).__name__ in MLPS)
    first.down_proj.weight.requires_grad_(True)
    second.act_fn = nn.GELU()
    with frozen_mlps(model) as patched:
        assert patched == 0
    first.down_proj.weight.requires_grad_(False)
    first.up_proj = nn.Sequential(first.up_proj)
    with frozen_mlps(model) as patched:
        assert patched == 0
