"""What a training run of a base remembers: counters, the log file, the checkpoint it resumes from."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from adapters.bases.pretraining.evaluation import evaluate
from adapters.bases.pretraining.rows import Row
from adapters.errors import TrainingError

CHECKPOINT, LOG = "checkpoint.pt", "training_log.csv"


@dataclass
class RunState:
    """Counters of one run.

    Args:
        steps: optimizer steps done.
        tokens: training tokens seen, padding left out.
        smooth_loss: running mean of the training loss, nats per token.
        lines: one record for each evaluation, as in the log file.
    """

    steps: int = 0
    tokens: int = 0
    smooth_loss: float = float("nan")
    lines: list[dict[str, float]] = field(default_factory=list)

    @property
    def held_out(self) -> dict[str, float]:
        """The latest held-out losses by name; empty before the first evaluation."""
        prefix = "held_out_"
        last = self.lines[-1] if self.lines else {}
        return {k.removeprefix(prefix): v for k, v in last.items() if k.startswith(prefix)}

    def count(self, tokens: int, loss: float) -> None:
        """One more step."""
        self.steps += 1
        self.tokens += tokens
        self.smooth_loss = loss if np.isnan(self.smooth_loss) else 0.98 * self.smooth_loss + 0.02 * loss

    def evaluate(
        self, model: PreTrainedModel, held_out: Mapping[str, Sequence[Row]], rate: float, log: Path
    ) -> None:
        """Add a line with held-out losses and expert loads, and write the log anew."""
        line: dict[str, float] = {"step": self.steps, "tokens": self.tokens, "learning_rate": rate}
        line["train_loss"] = self.smooth_loss
        results = {name: evaluate(model, rows) for name, rows in held_out.items()}
        line |= {f"held_out_{name}": result.loss for name, result in results.items()}
        load = torch.stack([result.load for result in results.values()]).mean(0)
        for layer, shares in enumerate(load.tolist()):
            line |= {f"load_layer{layer}_expert{e}": share for e, share in enumerate(shares)}
        self.lines.append({k: round(v, 6) for k, v in line.items()})
        with log.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(self.lines[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.lines)

    def save(
        self, file: Path, model: PreTrainedModel, optimizer: torch.optim.Optimizer, recipe: Mapping[str, Any]
    ) -> None:
        """Write a checkpoint of what training changes; the file is always a whole one."""
        part = file.with_suffix(".part")
        content = {"recipe": dict(recipe), "state": asdict(self)}
        torch.save(content | {"model": _trained(model), "optimizer": optimizer.state_dict()}, part)
        part.replace(file)


def resume(
    file: Path, model: PreTrainedModel, optimizer: torch.optim.Optimizer, recipe: Mapping[str, Any]
) -> RunState:
    """Take up the run of a checkpoint, or begin one where there is none.

    Raises:
        TrainingError: when the checkpoint belongs to another recipe.
    """
    if not file.is_file():
        return RunState()
    saved = torch.load(file, weights_only=True, mmap=True)  # read as it is used: no second copy in memory
    if saved["recipe"] != dict(recipe):
        changed = sorted(k for k in recipe if saved["recipe"].get(k) != recipe[k])
        raise TrainingError(
            f"{file}: left by a run with another {', '.join(changed) or 'recipe'}; delete it to begin anew, or "
            "repeat the earlier settings to go on"
        )
    for name, parameter in _trained(model).items():
        parameter.copy_(saved["model"][name])
    optimizer.load_state_dict(saved["optimizer"])
    return RunState(**saved["state"])


def _trained(model: PreTrainedModel) -> dict[str, Tensor]:
    """Parameters that training changes, by name, without their gradients."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
