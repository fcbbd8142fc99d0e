"""Cross-entropy in tiles against torch's, value and gradient."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.training import token_loss


@given(
    n=st.integers(1, 9),
    rows=st.integers(1, 10),
    tile=st.integers(1, 8),
    scale=st.sampled_from([0.1, 1.0, 60.0]),
)
@settings(deadline=None)
def test_loss_and_gradient_are_torchs_whatever_the_tile(n: int, rows: int, tile: int, scale: float) -> None:
    """A scale of 60 gives logits whose exponentials overflow without the shift by the largest."""
    generator = torch.Generator().manual_seed(n)
    hidden = (scale * torch.randn(n, 6, generator=generator)).requires_grad_()
    weight = torch.randn(7, 6, generator=generator)
    targets = torch.randint(7, (n,), generator=generator)
    factors = torch.rand(n, generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_loss, "_TILE_ROWS", rows)
        patch.setattr(token_loss, "_TILE_TOKENS", tile)
        ours = token_loss.linear_cross_entropy(hidden, weight, targets)
        (ours * factors).sum().backward()
    gradient, hidden.grad = hidden.grad, None
    theirs = torch.nn.functional.cross_entropy(hidden @ weight.t(), targets, reduction="none")
    (theirs * factors).sum().backward()
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(gradient, hidden.grad, atol=1e-5, rtol=1e-5)


def test_bfloat16_states_give_float32_losses() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(3, 6, generator=generator).bfloat16().requires_grad_()
    weight, targets = torch.randn(7, 6, generator=generator).bfloat16(), torch.tensor([0, 1, 2])
    loss = token_loss.linear_cross_entropy(hidden, weight, targets)
    loss.sum().backward()
    exact = torch.nn.functional.cross_entropy(
        hidden.detach().float() @ weight.float().t(), targets, reduction="none"
    )
    torch.testing.assert_close(loss, exact, atol=0.05, rtol=0)  # logits of a few units, rounded to 8 bits
    assert hidden.grad is not None
    assert hidden.grad.dtype == torch.bfloat16
