"""The peer in training: stock transformers and PEFT, one user after another, with torch's own AdamW."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adapters.bases.loader import Base
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.inits import fresh_adapter
from adapters.training.config import TrainConfig
from adapters.training.data import Example, UserPlan
from adapters.training.schedule import learning_rate


class PeftTrainer:
    """Trains on the rows of a plan in its order, from its start; a user's rows of a step padded to one batch.

    Args:
        base: whose folder the model is read from; this model is the peer's own.
        config: of the training, all layers adapted.
    """

    def __init__(self, base: Base, config: TrainConfig) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        self._config = config
        model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32)
        spec = config.spec
        lora = LoraConfig(r=spec.rank, lora_alpha=int(spec.alpha), target_modules=list(spec.targets))
        self._model = get_peft_model(model, lora).eval()
        linears = {
            name.removeprefix("base_model.model."): module
            for name, module in self._model.named_modules()
            if hasattr(module, "lora_A")
        }
        self._factors = {
            path: LoraPair(linear.lora_A["default"].weight, linear.lora_B["default"].weight)
            for path, linear in linears.items()
        }

    def train(self, plan: UserPlan) -> Adapter:
        """Train one user, and forget the one before."""
        config = self._config
        parameters = [factor for pair in self._factors.values() for factor in pair]
        shapes = {path: (A.shape[1], B.shape[0]) for path, (A, B) in self._factors.items()}
        start = fresh_adapter(config.spec, shapes, torch.Generator().manual_seed(plan.init_seed))
        with torch.no_grad():
            for path, pair in start.pairs.items():
                for ours, theirs in zip(pair, self._factors[path], strict=True):
                    theirs.copy_(ours)
        optimizer = torch.optim.AdamW(parameters, weight_decay=config.weight_decay)
        for step, rows in enumerate(plan.steps):
            optimizer.param_groups[0]["lr"] = learning_rate(step, len(plan.steps), config)
            optimizer.zero_grad()
            self._model(**_padded(rows)).loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, config.clip_norm)
            optimizer.step()
        ended = {
            path: LoraPair(A.detach().clone(), B.detach().clone()) for path, (A, B) in self._factors.items()
        }
        return Adapter(config.spec, ended)


def _padded(rows: Sequence[Example]) -> dict[str, Tensor]:
    """Input ids, attention mask and labels as transformers takes them."""
    width = max(len(row.tokens) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for i, row in enumerate(rows):
        length = len(row.tokens)
        ids[i, :length], mask[i, :length] = torch.tensor(row.tokens), 1
        labels[i, row.first_learned : length] = ids[i, row.first_learned : length]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
