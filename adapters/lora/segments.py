"""A frozen linear with low-rank updates over packed tokens, each run of tokens under its own slot.

One autograd node for the linear and all its updates: an update is added into the linear's output, and its
input gradient into the linear's. The tokens are taken in tiles of one length; each tile is multiplied by
the factors of all slots that occur in it, and what a token gets from a slot not its own is set to zero.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from adapters.lora.routing import SegmentRouting, Tiles


def segmented_lora_linear(
    x: Tensor, base: nn.Linear, A: Tensor, B: Tensor, scale: float, routing: SegmentRouting
) -> Tensor:
    """Apply `base` to all tokens and slot updates to runs of them.

    Args:
        x: [1, total, d_in], rows one behind the other.
        base: frozen: its weights get no gradient.
        A: [S, r, d_in].
        B: [S, d_out, r], rank-major in memory.
        scale: s in ΔW = s · B A.
        routing: which tokens are under which slot.

    Returns:
        [1, total, d_out].

    Raises:
        ValueError: x does not hold the routed tokens, or `base` is not frozen.
    """
    if x.shape[:-1] != (1, routing.total):
        raise ValueError(
            f"route_segments: {routing.total} tokens were routed, but a wrapped linear got an input of shape "
            f"{tuple(x.shape)}; expected [1, {routing.total}, features]"
        )
    if base.weight.requires_grad:
        raise ValueError("a wrapped linear is trainable; freeze the base with model.requires_grad_(False)")
    if not torch.is_grad_enabled():
        out: Tensor = base(x)  # the very x: linears that share an input may share their work on it
        _add_updates(out.squeeze(0), x.squeeze(0), A, B.transpose(1, 2), scale, routing.parts)
        return out
    if not base.weight.is_floating_point():
        raise ValueError(f"weights in {base.weight.dtype} give no gradients; train on the base in float32")
    y: Tensor = _SegmentedLoraLinear.apply(  # type: ignore[no-untyped-call] # torch leaves it untyped
        x.squeeze(0), base.weight, base.bias, A, B.transpose(1, 2), scale, routing.parts
    )
    return y.unsqueeze(0)


class _SegmentedLoraLinear(torch.autograd.Function):
    """Here B is [S, r, d_out]. With k slots in a tile, the factors of a tile are [k · r, ·]."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        A: Tensor,
        B: Tensor,
        scale: float,
        parts: tuple[Tiles, ...],
    ) -> Tensor:
        y = nn.functional.linear(x, weight, bias)
        kept = _add_updates(y, x, A, B, scale, parts)
        ctx.save_for_backward(x, weight, *kept)
        ctx.scale, ctx.parts, ctx.shapes = scale, parts, (A.shape, B.shape)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gy,) = grads
        x, weight, *kept = ctx.saved_tensors
        need_x, _, _, need_A, need_B, *_ = ctx.needs_input_grad
        gx = gy @ weight if need_x else None
        gA, gB = (kept[0].new_zeros(shape) for shape in ctx.shapes)
        for tiles, h, A_k, B_k in zip(ctx.parts, kept[::3], kept[1::3], kept[2::3], strict=True):
            gy_k = _tiled(gy, tiles).to(h.dtype)
            if need_B:
                gB.index_add_(0, tiles.slots, torch.bmm(h, gy_k).view(-1, *gB.shape[1:]), alpha=ctx.scale)
            gh = _own(torch.bmm(B_k, gy_k.transpose(1, 2)), tiles)
            if need_A:
                x_k = _tiled(x, tiles).to(h.dtype)
                gA.index_add_(0, tiles.slots, torch.bmm(gh, x_k).view(-1, *gA.shape[1:]), alpha=ctx.scale)
            if gx is not None:
                _add_product(_tiled(gx, tiles), gh.transpose(1, 2), A_k, ctx.scale)
        return gx, None, None, gA if need_A else None, gB if need_B else None, None, None


def _add_updates(
    y: Tensor, x: Tensor, A: Tensor, B: Tensor, scale: float, parts: tuple[Tiles, ...]
) -> list[Tensor]:
    """Add, in place, to y what the slots change; returns for each part h and its factors A and B, for gradients."""
    kept = []
    for tiles in parts:
        A_k, B_k = _of_tiles(A, tiles), _of_tiles(B, tiles)
        h = _own(torch.bmm(A_k, _tiled(x, tiles).to(A.dtype).transpose(1, 2)), tiles)
        _add_product(_tiled(y, tiles), h.transpose(1, 2), B_k, scale)
        kept += [h, A_k, B_k]
    return kept


def _tiled(tokens: Tensor, tiles: Tiles) -> Tensor:
    """[total, d] → [n, t, d], a view."""
    return tokens[tiles.tokens].view(tiles.n, tiles.length, -1)


def _of_tiles(factors: Tensor, tiles: Tiles) -> Tensor:
    """[S, r, d] → [n, k · r, d]."""
    return factors.index_select(0, tiles.slots).view(tiles.n, -1, factors.shape[2])


def _own(h: Tensor, tiles: Tiles) -> Tensor:
    """Zero, in place, what tokens get from slots not their own; h: [n, k · r, t]."""
    n, k, _, length = tiles.others.shape
    h.view(n, k, -1, length).masked_fill_(tiles.others, 0)
    return h


def _add_product(into: Tensor, left: Tensor, right: Tensor, scale: float) -> None:
    """into += scale · left @ right, batched, in place, rounding to the type of `into` at the end."""
    if into.dtype == left.dtype:
        into.baddbmm_(left, right, alpha=scale)
    else:
        into.add_(torch.bmm(left, right).to(into.dtype), alpha=scale)
