"""One adapter in memory: its shape and its tensors, named by the linear they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from adapters.lora.spec import LoraSpec


class LoraPair(NamedTuple):
    """The two factors at one linear. A: (r, d_in), B: (d_out, r)."""

    A: Tensor
    B: Tensor


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter detached from any model.

    Args:
        spec: rank, scale, targets and first layer.
        pairs: module path inside the base model (`model.layers.0.self_attn.q_proj`) → factors.
    """

    spec: LoraSpec
    pairs: Mapping[str, LoraPair]

    @property
    def nbytes(self) -> int:
        """Bytes of all factors together."""
        return sum(factor.nbytes for pair in self.pairs.values() for factor in pair)
