"""Linears in 8 bits: y = (q Wq) · s_token · s_channel, with q the input in whole numbers from −127 to 127.

Weights are rounded once, every output channel on its own scale; inputs are rounded at each call, every token on its own
scale. Products are summed in 32-bit integers without rounding, so what a token gets does not depend on the tokens
beside it. A few input channels are far larger than the others and would take all the steps of a token's scale; each is
divided by its smoothing factor before it is rounded, and the weights are multiplied by it.

Source: Dettmers et al. 2022, arXiv 2208.07339 (scales by token and channel); Xiao et al. 2023, arXiv 2211.10438
(smoothing; the factors here, roots of the channels' sizes, are ours).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LARGEST = 127
_SMALLEST_SCALE = 1e-12
_TOKENS = 128
"""Tokens taken at once, so that what lies between two operations stays in the processor's caches."""


class Int8Linear(nn.Linear):
    """A linear whose weights, and whose inputs while it works, are 8-bit integers; on the CPU, without gradients.

    Args:
        linear: gives weights, [d_out, d_in] in float32, and bias; it is neither changed nor kept. From one input
            alone torch (2.13) computes wrong products, so d_in is at least 2.
        smoothing: [d_in], above 0.

    Raises:
        ValueError: for one input.
    """

    def __init__(self, linear: nn.Linear, smoothing: Tensor) -> None:
        if linear.in_features < 2:
            raise ValueError("a linear of one input cannot be had in 8 bits")
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        weight, scales = _rounded(linear.weight * smoothing)
        self.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
        self.bias = linear.bias
        self.scales = nn.Buffer(scales[:, 0].contiguous())
        self.shrinking = nn.Buffer(smoothing.reciprocal())

    def forward(self, x: Tensor) -> Tensor:
        """x: [..., d_in] → [..., d_out], float32.

        Raises:
            RuntimeError: x is part of something to learn.
        """
        if x.requires_grad:
            raise RuntimeError("weights in int8 pass on no gradients; train on the base in float32")
        rows = x.reshape(-1, self.in_features)
        y = rows.new_empty(len(rows), self.out_features)
        for part, into in zip(torch.split(rows, _TOKENS), torch.split(y, _TOKENS), strict=True):
            q, scales = _rounded(part * self.shrinking)
            torch.mul(torch._int_mm(q, self.weight.t()).float(), scales, out=into).mul_(self.scales)
        if self.bias is not None:
            y += self.bias
        return y.view(*x.shape[:-1], self.out_features)


def exact_products() -> bool:
    """Whether this processor sums products of 8-bit integers without saturation (on x86, with VNNI)."""
    rows = torch.full((3, 256), _LARGEST, dtype=torch.int8)
    rows[1].neg_()
    rows[2, ::2].neg_()
    exact = rows.double() @ rows.double().t()
    return bool((torch._int_mm(rows, rows.t()).double() == exact).all())


def _rounded(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [n, d], which are lost, in whole numbers, [n, d] int8, and the scales to multiply them by, [n, 1]."""
    scales = rows.abs().amax(dim=-1, keepdim=True).div_(_LARGEST).clamp_min_(_SMALLEST_SCALE)
    return rows.mul_(scales.reciprocal()).round_().to(torch.int8), scales
