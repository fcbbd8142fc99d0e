"""Norms as one node: the value and gradient of transformers' own."""

from __future__ import annotations

import pytest
import torch

from adapters.training.frozen_norms import NORMS, frozen_norms
from tests.adapters.tiny import ARCHITECTURES, tiny_model


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_value_and_gradient_are_those_of_transformers(kind: str) -> None:
    model = tiny_model(kind)
    norm = next(m for m in model.modules() if type(m).__name__ in NORMS)
    generator = torch.Generator().manual_seed(0)
    norm.weight.data.uniform_(0.5, 1.5, generator=generator)
    x = torch.randn(3, 5, norm.weight.shape[0], generator=generator, requires_grad=True)
    g = torch.randn(x.shape, generator=generator)
    plain = norm(x)
    (plain_gradient,) = torch.autograd.grad(plain, x, g)
    with frozen_norms(model) as patched:
        # Two layers with two norms each and the last one; Qwen3 has two more for queries and keys.
        assert patched == (9 if kind.startswith("qwen3") else 5)
        fast = norm(x)
        (fast_gradient,) = torch.autograd.grad(fast, x, g)
    torch.testing.assert_close(fast, plain, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(fast_gradient, plain_gradient, atol=1e-6, rtol=1e-5)


def test_norms_are_as_before_afterwards_and_trainable_ones_are_left_alone() -> None:
    model = tiny_model("llama")
    with frozen_norms(model):
        pass
    assert not any("forward" in vars(module) for module in model.modules())
    model.model.norm.weight.requires_grad_(True)
    with frozen_norms(model) as patched:
        assert patched == 4
    with frozen_norms(model.to(torch.bfloat16)) as patched:
        assert patched == 0
