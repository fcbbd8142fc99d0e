"""AdamW over stacked adapters, every slot with its own step count, clipping and learning rate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class StackedAdamW:
    """AdamW as `torch.optim.AdamW` computes it, for each slot as if it were alone.

    A slot that takes no part in a step keeps its weights, moments and step count. All parameters of a slot
    are handled as one row of P numbers, in the order given.

    Args:
        parameters: [S, …] each, slot first; their `.grad` is read.
        weight_decay: decoupled.
        clip_norm: upper bound on the norm of one slot's whole gradient.

    Source: Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2.
    """

    def __init__(self, parameters: Iterable[Tensor], *, weight_decay: float, clip_norm: float) -> None:
        self._parameters = list(parameters)
        self._weight_decay = weight_decay
        self._clip_norm = clip_norm
        self._mean = torch.zeros_like(_rows(self._parameters))
        self._square = torch.zeros_like(self._mean)
        self._steps = torch.zeros(len(self._mean), dtype=torch.long, device=self._mean.device)

    def take_gradients(self) -> Tensor:
        """The gradients of all parameters, [S, P], which the parameters give up."""
        missing = [p for p in self._parameters if p.grad is None]
        if missing:
            raise RuntimeError("a stacked parameter got no gradient; run a backward pass before each step")
        gradients = _rows([p.grad for p in self._parameters if p.grad is not None])
        for p in self._parameters:
            p.grad = None
        return gradients

    @torch.no_grad()
    def step(self, rates: Tensor, gradients: Tensor) -> None:
        """Move the slots that take part.

        Args:
            rates: learning rate of each slot, [S]; 0 for a slot that takes no part.
            gradients: [S, P]; overwritten.
        """
        beta1, beta2 = BETAS
        takes_part = (rates > 0)[:, None]
        rates = rates[:, None]
        self._steps += takes_part.squeeze(1)
        counts = self._steps.clamp(min=1).double()[:, None]  # 1 − 0.999¹ would lose four digits in single
        root_correction = (1 - beta2**counts).sqrt().to(rates.dtype)
        stride = (rates / (1 - beta1**counts)).to(rates.dtype)
        norms = gradients.norm(dim=1, keepdim=True)
        gradients.mul_((self._clip_norm / (norms + 1e-6)).clamp(max=1.0))
        self._mean.lerp_(gradients, torch.where(takes_part, 1 - beta1, 0.0))
        self._square.mul_(torch.where(takes_part, beta2, 1.0))
        self._square.add_(gradients.square_().mul_(torch.where(takes_part, 1 - beta2, 0.0)))
        divisor = self._square.sqrt().div_(root_correction).add_(EPSILON)
        weights = _rows(self._parameters)
        weights.mul_(1 - rates * self._weight_decay).sub_(self._mean.div(divisor).mul_(stride))
        widths = [p[0].numel() for p in self._parameters]
        for p, moved in zip(self._parameters, torch.split(weights, widths, dim=1), strict=True):
            p.copy_(moved.view(p.shape))

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts by name, for a checkpoint; the tensors are the optimizer's own."""
        return {"mean": self._mean, "square": self._square, "steps": self._steps}


@torch.no_grad()
def _rows(tensors: Sequence[Tensor]) -> Tensor:
    """All numbers of each slot side by side, [S, P]."""
    return torch.cat([tensor.flatten(1) for tensor in tensors], dim=1)
