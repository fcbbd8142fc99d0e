"""An adapter that changes nothing: the control that carries the machinery but no learning."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.layers import StackedLora
from adapters.lora.spec import LoraSpec


def zero_adapter(model: nn.Module, spec: LoraSpec) -> Adapter:
    """The adapter with ΔW = 0 for the linears of `model` that `spec` names; see `zero_of_shapes`.

    Args:
        model: a base without adapters attached; it is left as it was.
        spec: rank, scale, targets and first layer.

    Raises:
        BaseMismatchError: targets that this model cannot carry.
    """
    stack = StackedLora.attach(model, spec, n_slots=1)
    stack.detach()
    return zero_of_shapes(
        spec, {path: (at.base.in_features, at.base.out_features) for path, at in stack.layers.items()}
    )


def zero_of_shapes(spec: LoraSpec, shapes: Mapping[str, tuple[int, int]]) -> Adapter:
    """An adapter with A = 0 and B = 0 in float32, so that ΔW = 0 exactly; one for each base and spec.

    It serves, but cannot be trained: with both factors zero every gradient is zero.

    Args:
        spec: rank, scale, targets and first layer.
        shapes: module path → (d_in, d_out) of every linear that carries an adapter.
    """
    pairs = {
        path: LoraPair(torch.zeros(spec.rank, d_in), torch.zeros(d_out, spec.rank))
        for path, (d_in, d_out) in shapes.items()
    }
    return Adapter(spec, pairs)
