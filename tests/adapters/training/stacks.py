"""A random model that carries random adapters, and a batch of rows of their users."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from adapters.lora.layers import StackedLora
from adapters.lora.spec import LoraSpec
from adapters.training.batches import SlotRows
from adapters.training.data import Example
from tests.adapters.lora.test_layers import random_adapter
from tests.adapters.tiny import tiny_model
from tests.adapters.training.rows import random_rows

BATCH = [
    SlotRows(1, tuple(random_rows(3, seed=0, prompt=6))),
    SlotRows(0, tuple(random_rows(2, seed=1))),
    SlotRows(2, (*random_rows(1, seed=2), Example((1, 2), 0))),
]


class Carried(NamedTuple):
    """A model and the stack on it."""

    model: PreTrainedModel
    stack: StackedLora


def carrying_model(kind: str, first_layer: int = 0, dtype: torch.dtype = torch.float32) -> Carried:
    """Three random float32 adapters, ready to be trained, on a random model."""
    model = tiny_model(kind).to(dtype)
    stack = StackedLora.attach(model, LoraSpec(first_layer=first_layer), 3, dtype=torch.float32)
    for slot in range(3):
        stack.load(slot, random_adapter(stack, seed=slot))
    for parameter in parameters(stack):
        parameter.requires_grad_(True)
    return Carried(model, stack)


def parameters(stack: StackedLora) -> list[Tensor]:
    return [factor for layer in stack.layers.values() for factor in (layer.A, layer.B)]


def gradients(stack: StackedLora, losses: Tensor) -> list[Tensor]:
    """Of the sum of losses."""
    return list(torch.autograd.grad(losses.sum(), parameters(stack)))
