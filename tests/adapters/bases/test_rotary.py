"""Rotation against transformers' own, value and gradient."""

from __future__ import annotations

import pytest
import torch
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from adapters.bases.rotary import rotated


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_value_and_gradient_are_those_of_transformers(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 5, 3, 8, generator=generator).to(dtype).requires_grad_()
    angles = torch.randn(1, 5, 4, generator=generator).repeat(1, 1, 2)
    cos, sin = angles.cos().to(dtype), angles.sin().to(dtype)
    weights = torch.randn(1, 5, 3, 8, generator=generator).to(dtype)
    theirs, _ = apply_rotary_pos_emb(x, x, cos, sin, unsqueeze_dim=2)
    ours = rotated(x, cos[:, :, None], sin[:, :, None])
    torch.testing.assert_close(ours, theirs)
    (expected,) = torch.autograd.grad((theirs * weights).sum(), x)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), x)
    torch.testing.assert_close(gradient, expected)
    with torch.no_grad():
        assert torch.equal(rotated(x, cos[:, :, None], sin[:, :, None]), ours)
