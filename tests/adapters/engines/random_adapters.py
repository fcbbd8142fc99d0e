"""Random adapters that change what a tiny base says, and a reader that holds them in memory."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from transformers import PreTrainedModel

from adapters.errors import UnknownAdapterError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.places import find_linears
from adapters.lora.spec import LoraSpec


def random_adapter(model: PreTrainedModel, seed: int, spec: LoraSpec | None = None) -> Adapter:
    """Normal factors, large enough that greedy replies differ."""
    spec = spec or LoraSpec()
    generator = torch.Generator().manual_seed(seed)
    pairs = {
        path: LoraPair(
            torch.randn(spec.rank, linear.in_features, generator=generator) * 0.2,
            torch.randn(linear.out_features, spec.rank, generator=generator) * 0.2,
        )
        for path, linear in find_linears(model, spec).items()
    }
    return Adapter(spec, pairs)


class Shelf:
    """An `AdapterReader` over a dictionary that counts what was opened."""

    def __init__(self, adapters: Mapping[str, Adapter]) -> None:
        self.adapters = dict(adapters)
        self.opened: list[str] = []

    def open(self, revision: str) -> Adapter:
        """The adapter of that name."""
        self.opened.append(revision)
        if revision not in self.adapters:
            raise UnknownAdapterError(f"{revision}: no such adapter; there are {', '.join(self.adapters)}")
        return self.adapters[revision]
