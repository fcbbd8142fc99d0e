"""A frozen linear with low-rank updates over packed tokens, each run of tokens under its own slot.

One autograd node for the linear and all its updates: the update is added into the linear's output, and its
input gradient into the linear's, so that no full-size temporary is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from adapters.lora.routing import BASE_SLOT, Segment


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
        segments: runs of tokens and their slots, one behind the other.

    Returns:
        [1, total, d_out].

    Raises:
        ValueError: x does not hold the routed tokens, or `base` is not frozen.
    """
    routed = sum(segment.length for segment in segments)
    if x.shape[:-1] != (1, routed):
        raise ValueError(
            f"route_segments: {routed} tokens were routed, but a wrapped linear got an input of shape "
            f"{tuple(x.shape)}; expected [1, {routed}, features]"
        )
    if base.weight.requires_grad:
        raise ValueError("a wrapped linear is trainable; freeze the base with model.requires_grad_(False)")
    y: Tensor = _SegmentedLoraLinear.apply(  # type: ignore[no-untyped-call] # torch leaves it untyped
        x.squeeze(0), base.weight, base.bias, A, B, scale, segments
    )
    return y.unsqueeze(0)


class _SegmentedLoraLinear(torch.autograd.Function):
    """Products have the rank first, [r, tokens]: for such thin matrices BLAS is up to twice as fast so."""

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
        y = x.new_empty(x.shape[0], weight.shape[0])
        A_slots, B_slots = A.unbind(), B.transpose(1, 2).unbind()
        weight_t = weight.t()
        hidden = []
        for slot, x_s, y_s in _runs(segments, x, y):
            if bias is None:
                torch.mm(x_s, weight_t, out=y_s)
            else:
                torch.addmm(bias, x_s, weight_t, out=y_s)
            if slot != BASE_SLOT:
                h = A_slots[slot] @ x_s.to(A.dtype).t()
                _add_product(y_s, h.t(), B_slots[slot], scale)
                hidden.append(h)
        ctx.save_for_backward(x, weight, A, B, *hidden)
        ctx.scale, ctx.segments = scale, segments
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gy,) = grads
        x, weight, A, B, *hidden = ctx.saved_tensors
        need_x, _, _, need_A, need_B, *_ = ctx.needs_input_grad
        gx = torch.empty_like(x)
        gA, gB = torch.zeros_like(A), torch.zeros_like(B)
        A_slots, B_slots = A.unbind(), B.transpose(1, 2).unbind()
        gA_slots, gB_slots = gA.unbind(), gB.transpose(1, 2).unbind()
        for slot, x_s, gy_s, gx_s in _runs(ctx.segments, x, gy, gx):
            if need_x:
                torch.mm(gy_s, weight, out=gx_s)
            if slot == BASE_SLOT:
                continue
            h, gy_a = hidden.pop(0), gy_s.to(A.dtype)
            gh = B_slots[slot] @ gy_a.t()
            if need_x:
                _add_product(gx_s, gh.t(), A_slots[slot], ctx.scale)
            if need_B:
                gB_slots[slot].addmm_(h, gy_a, alpha=ctx.scale)
            if need_A:
                gA_slots[slot].addmm_(gh, x_s.to(A.dtype), alpha=ctx.scale)
        return (
            gx if need_x else None,
            None,
            None,
            gA if need_A else None,
            gB if need_B else None,
            None,
            None,
        )


def _runs(segments: Sequence[Segment], *tensors: Tensor) -> Iterator[tuple[Any, ...]]:
    """(slot, run of each tensor) for every segment."""
    lengths = [segment.length for segment in segments]
    slots = [segment.slot for segment in segments]
    return zip(slots, *(torch.split(t, lengths) for t in tensors), strict=True)


def _add_product(into: Tensor, left: Tensor, right: Tensor, scale: float) -> None:
    """into += scale · left @ right, in place, rounding to the type of `into` at the end."""
    if into.dtype == left.dtype:
        into.addmm_(left, right, alpha=scale)
    else:
        into.add_((left @ right).to(into.dtype), alpha=scale)
