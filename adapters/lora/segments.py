"""A frozen linear with low-rank updates over packed tokens, each run of tokens under its own slot.

One autograd node for the linear and all its updates: the update is added into the linear's output, and its
input gradient into the linear's, so that no full-size temporary is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from adapters.lora.routing import Segment


def segmented_lora_linear(
    x: Tensor, base: nn.Linear, A: Tensor, B: Tensor, scale: float, segments: Sequence[Segment]
) -> Tensor:
    """Apply `base` to all tokens and slot updates to runs of them.

    Args:
        x: [1, total, d_in], rows one behind the other.
        base: frozen: its weights get no gradient.
        A: [S, r, d_in].
        B: [S, d_out, r].
        scale: s in ΔW = s · B A.
        segments: runs of tokens and their slots; tokens in none are under the base.

    Returns:
        [1, total, d_out].

    Raises:
        ValueError: x does not hold the routed tokens, or `base` is not frozen.
    """
    if x.shape[0] != 1 or (segments and segments[-1].stop > x.shape[1]):
        raise ValueError(
            f"route_segments: tokens up to {segments[-1].stop if segments else 0} were routed, but a wrapped "
            f"linear got an input of shape {tuple(x.shape)}; expected [1, tokens, features]"
        )
    if base.weight.requires_grad:
        raise ValueError("a wrapped linear is trainable; freeze the base with model.requires_grad_(False)")
    y: Tensor = _SegmentedLoraLinear.apply(  # type: ignore[no-untyped-call] # torch leaves it untyped
        x.squeeze(0), base.weight, base.bias, A, B, scale, segments
    )
    return y.unsqueeze(0)


class _SegmentedLoraLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        A: Tensor,
        B: Tensor,
        scale: float,
        segments: Sequence[Segment],
    ) -> Tensor:
        y = nn.functional.linear(x, weight, bias)
        x_a = x.to(A.dtype)
        h = [x_a[start:stop] @ A[slot].t() for slot, start, stop in segments]
        for (slot, start, stop), part in zip(segments, h, strict=True):
            _add_product(y[start:stop], part, B[slot].t(), scale)
        ctx.save_for_backward(x, weight, A, B, *h)
        ctx.scale, ctx.segments = scale, segments
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gy,) = grads
        x, weight, A, B, *h = ctx.saved_tensors
        need_x, _, _, need_A, need_B, *_ = ctx.needs_input_grad
        gx = gy @ weight if need_x else None
        gA = torch.zeros_like(A) if need_A else None
        gB = torch.zeros_like(B) if need_B else None
        x_a, gy_a = x.to(A.dtype), gy.to(A.dtype)
        for (slot, start, stop), part in zip(ctx.segments, h, strict=True):
            gy_s = gy_a[start:stop]
            if gB is not None:
                gB[slot].addmm_(gy_s.t(), part, alpha=ctx.scale)
            if gA is None and gx is None:
                continue
            gh = (gy_s @ B[slot]).mul_(ctx.scale)
            if gA is not None:
                gA[slot].addmm_(gh.t(), x_a[start:stop])
            if gx is not None:
                _add_product(gx[start:stop], gh, A[slot], 1.0)
        return gx, None, None, gA, gB, None, None


def _add_product(into: Tensor, left: Tensor, right: Tensor, scale: float) -> None:
    """into += scale · left @ right, in place, rounding to the type of `into` at the end."""
    if into.dtype == left.dtype:
        into.addmm_(left, right, alpha=scale)
    else:
        into.add_((left @ right).to(into.dtype), alpha=scale)
