"""How adapters are trained: the one home of the training defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf
from typing import Any, Literal, get_args

from adapters.errors import TrainingError
from adapters.lora.spec import LoraSpec

Decay = Literal["linear", "cosine", "constant"]

SPEED_ONLY = frozenset(
    {"cache_gib", "checkpoint_activations", "checkpoint_every", "slots", "tokens_per_pass"}
)
"""Settings that change speed and memory, and the result by rounding only."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of one training run; each user is trained as if alone with them.

    Args:
        spec: rank, scale and targets of the adapters.
        epochs: passes over a user's rows, at least 1.
        rows_per_step: rows of one user in an optimizer step, at least 1; an epoch's last may be smaller.
        learning_rate: peak, > 0.
        decay: of the learning rate after warm-up, over the user's own steps.
        warmup_share: share of the user's steps with a rising learning rate, in [0, 1).
        weight_decay: AdamW's, decoupled, ≥ 0.
        clip_norm: upper bound on the norm of a user's gradient, > 0.
        seed: of the order of rows and of the start of A, per user together with the user's name.
        max_tokens: longer rows are left out and counted, never cut: a cut post would teach to stop there.
        slots: users trained at once, at least 1.
        tokens_per_pass: tokens in one forward and backward; larger steps take several. At least 1, but
            a row is never split.
        checkpoint_activations: keep only what enters each layer for the backward pass, and compute the rest again:
            a third more work for a fraction of the memory.
        cache_gib: memory in GiB, ≥ 0, for what enters the first layer with an adapter, which is the same in every
            epoch; rows beyond it are computed each time. Unused where `spec.first_layer` is 0.
        checkpoint_every: optimizer steps between checkpoints, at least 1, where a folder is given.

    Raises:
        TrainingError: for a value out of its range.
    """

    spec: LoraSpec = LoraSpec()  # noqa: RUF009 - frozen, so sharing the default is safe
    epochs: int = 3
    rows_per_step: int = 8
    learning_rate: float = 2e-3
    decay: Decay = "linear"
    warmup_share: float = 0.1
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    seed: int = 0
    max_tokens: int = 512
    slots: int = 16
    tokens_per_pass: int = 4096
    checkpoint_activations: bool = False
    cache_gib: float = 2.0
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        at_least_one = ("epochs", "rows_per_step", "slots", "tokens_per_pass", "checkpoint_every")
        for name in at_least_one:
            if getattr(self, name) < 1:
                raise TrainingError(f"{name}: got {getattr(self, name)}; expected a whole number from 1 up")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise TrainingError(f"{name}: got {getattr(self, name)}; expected a number above 0")
        for name in ("weight_decay", "cache_gib"):
            if not 0 <= getattr(self, name) < inf:
                raise TrainingError(f"{name}: got {getattr(self, name)}; expected a number from 0 up")
        if not 0 <= self.warmup_share < 1:
            raise TrainingError(f"warmup_share: got {self.warmup_share}; expected a share in [0, 1)")
        if self.max_tokens < 2:
            raise TrainingError(
                f"max_tokens: got {self.max_tokens}; expected at least 2, one to learn from one"
            )
        if self.seed < 0:
            raise TrainingError(f"seed: got {self.seed}; expected 0 or more")
        if self.decay not in get_args(Decay):
            raise TrainingError(f"decay: got {self.decay!r}; expected one of {', '.join(get_args(Decay))}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for manifests."""
        return {**asdict(self), "spec": self.spec.as_dict()}
