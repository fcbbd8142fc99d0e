"""How a fresh adapter starts: with B = 0, so that it answers exactly like the base."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.layers import StackedLora
from adapters.lora.spec import LoraSpec


def fresh_adapter(
    spec: LoraSpec,
    shapes: Mapping[str, tuple[int, int]],
    generator: torch.Generator,
    *,
    dtype: torch.dtype = torch.float32,
) -> Adapter:
    """Draw an adapter at the standard start.

    B = 0 and A ~ U(−1/√d_in, 1/√d_in), which is Kaiming uniform with a = √5, as PEFT has it.

    Args:
        spec: rank, targets and first layer.
        shapes: module path → (d_in, d_out), in the order in which A is drawn.
        generator: on the CPU; the draws are the same on every device.
        dtype: of the tensors; drawn in float32 first.

    Source: Hu et al. 2022, arXiv 2106.09685, section 4.1; He et al. 2015, arXiv 1502.01852.
    """
    return Adapter(spec, {path: _pair(spec.rank, *shape, generator, dtype) for path, shape in shapes.items()})


def stack_shapes(stack: StackedLora) -> dict[str, tuple[int, int]]:
    """(d_in, d_out) of every wrapped linear, in the model's order."""
    return {path: (layer.A.shape[2], layer.B.shape[1]) for path, layer in stack.layers.items()}


def _pair(rank: int, d_in: int, d_out: int, generator: torch.Generator, dtype: torch.dtype) -> LoraPair:
    bound = d_in**-0.5
    A: Tensor = torch.empty(rank, d_in).uniform_(-bound, bound, generator=generator)
    return LoraPair(A.to(dtype), torch.zeros(d_out, rank, dtype=dtype))
