"""AdamW over stacked adapters, every slot with its own step count, clipping and learning rate."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class StackedAdamW:
    """AdamW as `torch.optim.AdamW` computes it, for each slot as if it were alone.

    A slot that takes no part in a step keeps its weights, moments and step count.

    Args:
        parameters: name → [S, …], slot first; their `.grad` is read.
        weight_decay: decoupled.
        clip_norm: upper bound on the norm of one slot's whole gradient.

    Source: Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2.
    """

    def __init__(self, parameters: Mapping[str, Tensor], *, weight_decay: float, clip_norm: float) -> None:
        self._parameters = dict(parameters)
        self._weight_decay = weight_decay
        self._clip_norm = clip_norm
        first = next(iter(self._parameters.values()))
        self._steps = torch.zeros(first.shape[0], dtype=torch.long, device=first.device)
        self._mean = {name: torch.zeros_like(p) for name, p in self._parameters.items()}
        self._square = {name: torch.zeros_like(p) for name, p in self._parameters.items()}

    @torch.no_grad()
    def gradient_norms(self) -> Tensor:
        """Norm of each slot's gradient over all parameters, [S]."""
        squares = [_gradient(p).square().flatten(1).sum(1) for p in self._parameters.values()]
        return torch.stack(squares).sum(0).sqrt()

    @torch.no_grad()
    def step(self, rates: Tensor, norms: Tensor) -> None:
        """Move the slots that take part, then forget the gradients.

        Args:
            rates: learning rate of each slot, [S]; 0 for a slot that takes no part.
            norms: what `gradient_norms` returned for these gradients.
        """
        beta1, beta2 = BETAS
        takes_part = rates > 0
        self._steps += takes_part
        counts = self._steps.clamp(min=1).double()  # 1 − 0.999¹ would lose four digits in single precision
        clip = (self._clip_norm / (norms + 1e-6)).clamp(max=1.0)
        follow = torch.where(takes_part, 1 - beta1, 0.0)
        keep_square = torch.where(takes_part, beta2, 1.0)
        add_square = torch.where(takes_part, 1 - beta2, 0.0)
        shrink = 1 - rates * self._weight_decay
        root_correction = (1 - beta2**counts).sqrt().to(rates.dtype)
        stride = (rates / (1 - beta1**counts)).to(rates.dtype)
        for name, p in self._parameters.items():
            gradient = _gradient(p).mul_(_per_slot(clip, p))
            mean, square = self._mean[name], self._square[name]
            mean.lerp_(gradient, _per_slot(follow, p))
            square.mul_(_per_slot(keep_square, p)).add_(gradient.square_().mul_(_per_slot(add_square, p)))
            divisor = square.sqrt().div_(_per_slot(root_correction, p)).add_(EPSILON)
            p.mul_(_per_slot(shrink, p)).sub_(mean.div(divisor).mul_(_per_slot(stride, p)))
            p.grad = None

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts by name, for a checkpoint; the tensors are the optimizer's own."""
        means = {f"{name}.mean": tensor for name, tensor in self._mean.items()}
        squares = {f"{name}.square": tensor for name, tensor in self._square.items()}
        return {"steps": self._steps, **means, **squares}


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        raise RuntimeError("a stacked parameter got no gradient; run a backward pass before each step")
    return parameter.grad


def _per_slot(values: Tensor, like: Tensor) -> Tensor:
    """[S] → [S, 1, …, 1] with as many dimensions as `like`."""
    return values.view(-1, *(1,) * (like.ndim - 1))
