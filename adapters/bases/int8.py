"""Linears in 8 bits: y = (q Wq) · s_token · s_channel, with q the input in whole numbers from −127 to 127.

Weights are rounded once, every output channel on its own scale; inputs are rounded at each call, every token on its own
scale. Products are summed in 32-bit integers without rounding, so what a token gets does not depend on the tokens
beside it. A few input channels are far larger than the others and would take all the steps of a token's scale; each is
divided by its smoothing factor before it is rounded, and the weights are multiplied by it.

Source: Dettmers et al. 2022, arXiv 2208.07339 (scales by token and channel); Xiao et al. 2023, arXiv 2211.10438
(smoothing; the factors here, roots of the channels' sizes, are ours).
"""

from __future__ import annotations

import weakref
from typing import NamedTuple

import torch
from torch import Tensor, nn

_LARGEST = 127
_SMALLEST_SCALE = 1e-12
_MIDDLE = 128
"""What stands for 0 in inputs: the product takes whole numbers from 0 to 255, from which it is subtracted."""
_TOKENS = 256
"""Tokens rounded at once, so that what lies between two operations stays in the processor's caches."""


class Whole(NamedTuple):
    """Inputs in whole numbers.

    Args:
        q: from 0 to 255, `_MIDDLE` for 0, [n, d_in] uint8.
        scales: to multiply them by, [n, 1].
    """

    q: Tensor
    scales: Tensor


class Rounding(nn.Module):
    """How inputs become whole numbers; linears that read the same input share one, which rounds it once.

    The newest input's numbers are kept for as long as that input lives; it must not be changed meanwhile.

    Args:
        smoothing: [d_in], above 0.
    """

    def __init__(self, smoothing: Tensor) -> None:
        super().__init__()
        self.shrinking = nn.Buffer(smoothing.reciprocal())
        self._newest: tuple[weakref.ref[Tensor], Whole] | None = None

    def forward(self, x: Tensor) -> Whole:
        """x: [..., d_in]."""
        if self._newest is not None and self._newest[0]() is x:
            return self._newest[1]
        rows = x.reshape(-1, x.shape[-1])
        q, scales = torch.empty(rows.shape, dtype=torch.int8), rows.new_empty(len(rows), 1)
        for part, *into in zip(*(torch.split(t, _TOKENS) for t in (rows, q, scales)), strict=True):
            for kept, found in zip(into, _rounded(part * self.shrinking), strict=True):
                kept.copy_(found)
        whole = Whole(q.view(torch.uint8).bitwise_xor_(_MIDDLE), scales)
        self._newest = weakref.ref(x, self._forget), whole
        return whole

    def _forget(self, gone: weakref.ref[Tensor]) -> None:
        if self._newest is not None and self._newest[0] is gone:
            self._newest = None


class Int8Linear(nn.Linear):
    """A linear whose weights, and whose inputs while it works, are 8-bit integers; on the CPU, without gradients.

    Args:
        linear: gives weights, [d_out, d_in] in float32, and bias; it is neither changed nor kept.
        rounding: of its inputs.

    `weight` is int8 in the order that oneDNN wants; nothing but this class can read it.
    """

    def __init__(self, linear: nn.Linear, rounding: Rounding) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.rounding = rounding
        weight, scales = _rounded(linear.weight / rounding.shrinking)
        self.weight = nn.Parameter(_ordered(weight), requires_grad=False)
        self.bias = linear.bias
        self.scales = nn.Buffer(scales[:, 0].contiguous())
        self.zeros = nn.Buffer(torch.zeros(linear.out_features, dtype=torch.int32))

    def forward(self, x: Tensor) -> Tensor:
        """x: [..., d_in] → [..., d_out], float32.

        Raises:
            RuntimeError: x is part of something to learn.
        """
        if x.requires_grad:
            raise RuntimeError("weights in int8 pass on no gradients; train on the base in float32")
        whole: Whole = self.rounding(x)
        y = _product(whole.q, self.weight, self.scales, self.zeros).mul_(whole.scales)
        if self.bias is not None:
            y += self.bias
        return y.view(*x.shape[:-1], self.out_features)


def exact_products() -> bool:
    """Whether torch and this processor sum products of 8-bit integers without saturation (on x86, with VNNI)."""
    rows = torch.full((3, 256), _LARGEST, dtype=torch.int8)
    rows[1].neg_()
    rows[2, ::2].neg_()
    expected = rows.double() @ rows.double().t()
    try:
        q = rows.clone().view(torch.uint8).bitwise_xor_(_MIDDLE)
        found = _product(q, _ordered(rows), torch.ones(3), torch.zeros(3, dtype=torch.int32))
    except (AttributeError, RuntimeError):  # built without oneDNN, or without its products of integers
        return False
    return bool((found.double() == expected).all())


def _ordered(weight: Tensor) -> Tensor:
    """Whole numbers [d_out, d_in], int8, for `_product`."""
    ordered: Tensor = torch.ops.onednn.qlinear_prepack(weight.contiguous(), None)
    return ordered


def _product(q: Tensor, weight: Tensor, scales: Tensor, zeros: Tensor) -> Tensor:
    """((q − middle) Wq) · s_channel, float32: q [n, d_in] uint8."""
    y: Tensor = torch.ops.onednn.qlinear_pointwise(
        q, 1.0, _MIDDLE, weight, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return y


def _rounded(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [n, d], which are lost, in whole numbers, [n, d] int8, and the scales to multiply them by, [n, 1]."""
    scales = rows.abs().amax(dim=-1, keepdim=True).div_(_LARGEST).clamp_min_(_SMALLEST_SCALE)
    return rows.mul_(scales.reciprocal()).round_().to(torch.int8), scales
