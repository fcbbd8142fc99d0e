"""The shape of an adapter: the one home of the defaults for rank, alpha and targets."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

ATTENTION_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True, slots=True)
class LoraSpec:
    """Rank, scale and place of a LoRA adapter.

    Args:
        rank: r, inner dimension, 1 to 512. Rank 4 on attention is the population's default.
        alpha: the update is (alpha / rank) · B A, or (alpha / √rank) · B A when `rslora`.
        targets: last name parts of the linears that carry an adapter; order does not matter.
        rslora: rank-stabilised scaling (Kalajdzievski 2023, arXiv 2312.03732).
        first_layer: only decoder layers from this index on carry the adapter; 0, the default, is all of them. What
            lies below is then the same for everyone.

    Raises:
        ValueError: for a rank, alpha or first layer out of range, or no or repeated targets.
    """

    rank: int = 4
    alpha: float = 16.0
    targets: tuple[str, ...] = ATTENTION_TARGETS
    rslora: bool = False
    first_layer: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= 512:
            raise ValueError(f"rank: got {self.rank}; expected a whole number from 1 to 512")
        if not 0 < self.alpha <= sys.float_info.max:
            raise ValueError(f"alpha: got {self.alpha}; expected a finite number above 0")
        if not self.targets or len(set(self.targets)) != len(self.targets):
            raise ValueError(
                f"targets: got {self.targets}; expected distinct names such as {ATTENTION_TARGETS}"
            )
        if self.first_layer < 0:
            raise ValueError(f"first_layer: got {self.first_layer}; expected a whole number from 0 up")
        object.__setattr__(self, "alpha", float(self.alpha))
        object.__setattr__(self, "targets", tuple(sorted(self.targets)))

    @property
    def scale(self) -> float:
        """s in ΔW = s · B A."""
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for manifests; `first_layer` only where it is not 0, as before there was a choice."""
        values = {**asdict(self), "targets": list(self.targets)}
        if not self.first_layer:
            del values["first_layer"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LoraSpec:
        """Rebuild a spec from `as_dict`'s values; without `first_layer` it is 0.

        Raises:
            ValueError: for missing or unknown keys, or a value of another type or out of range.
        """
        match values:
            case {
                "rank": int(rank),
                "alpha": int() | float() as alpha,
                "targets": [*targets],
                "rslora": bool(rslora),
                **more,
            } if (
                more.keys() <= {"first_layer"}
                and not any(isinstance(number, bool) for number in (rank, alpha))
                and all(isinstance(target, str) for target in targets)
                and type(first_layer := more.get("first_layer", 0)) is int
            ):
                return cls(rank, alpha, tuple(targets), rslora, first_layer)
        expected = ", ".join(f.name for f in fields(cls))
        raise ValueError(f"spec: got {str(values)[:200]}; expected {expected} as `as_dict` gives them")
