"""Training a mixture-of-experts base on rows handed in: from first weights, or further."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from adapters.bases.experts import fuse_experts
from adapters.bases.pretraining.balance import load_balance
from adapters.bases.pretraining.rows import Batch, Row, batches, collate
from adapters.bases.pretraining.run import CHECKPOINT, LOG, resume
from adapters.errors import TrainingError

TELL_EVERY = 10
"""Steps between two reports of progress."""


@dataclass(frozen=True, slots=True)
class MoeTraining:
    """Recipe.

    Args:
        tokens: training tokens in total, padding left out.
        batch_tokens: positions per optimizer step, padding included.
        learning_rate: peak; linear warm-up over `warmup_share` of the tokens, then cosine to a twentieth.
        weight_decay: of AdamW, on matrices only.
        clip_norm: most gradient norm.
        router_aux: weight of the load-balancing loss, which is 1 for even routing.
        eval_tokens: training tokens between two evaluations.
        seed: of the first weights and the order of rows.
    """

    tokens: int
    batch_tokens: int = 4096
    learning_rate: float = 2.5e-3
    warmup_share: float = 0.03
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    router_aux: float = 0.02
    eval_tokens: int = 1_000_000
    seed: int = 7


@dataclass(frozen=True, slots=True)
class MoeProgress:
    """Where training stands: tokens seen, smoothed training loss (nats per token), latest held-out losses."""

    tokens: int
    total_tokens: int
    train_loss: float
    held_out: Mapping[str, float]


def train_moe(
    model: PreTrainedModel,
    rows: Sequence[Row],
    held_out: Mapping[str, Sequence[Row]],
    recipe: MoeTraining,
    *,
    work_dir: Path,
    facts: Mapping[str, Any] = MappingProxyType({}),
    on_progress: Callable[[MoeProgress], None] | None = None,
) -> PreTrainedModel:
    """Train a model; interrupted training goes on from the checkpoint in `work_dir`, which stays there.

    Args:
        model: float32, with a padding id in its config; trained in place. Parameters that need no gradient stay
            as they are.
        rows: training rows, read as often as `recipe.tokens` asks for.
        held_out: rows of unseen people by name; their losses go to the log in `work_dir`, the first before training.
        recipe: everything else; together with `rows` and the first weights it determines the result on one machine.
        work_dir: existing folder for log and checkpoint.
        facts: what else a checkpoint must agree with to be taken up, such as the shape of the model.
        on_progress: called every `TELL_EVERY` steps and after every evaluation.

    Returns:
        The model, in eval mode.

    Raises:
        TrainingError: when there are no rows, the loss is not finite, or the checkpoint in `work_dir`
            belongs to another recipe.
    """
    if not rows or not held_out or not all(held_out.values()):
        raise TrainingError("training a base needs training rows and held-out rows; got an empty list")
    fuse_experts(model)
    optimizer = torch.optim.AdamW(
        _parameter_groups(model, recipe.weight_decay), betas=(0.9, 0.98), fused=True
    )
    checkpoint, log = work_dir / CHECKPOINT, work_dir / LOG
    settings = asdict(recipe) | dict(facts)
    state = resume(checkpoint, model, optimizer, settings)
    if not state.lines:
        state.evaluate(model, held_out, 0.0, log)
    model.train()
    done = state.steps
    for step, batch_rows in enumerate(_endless(recipe, rows)):
        if state.tokens >= recipe.tokens:
            break
        if step < done:
            continue  # the order depends on the seed alone, so a resumed run skips what it has seen
        rate = _rate(recipe, state.tokens)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = collate(batch_rows, int(model.config.pad_token_id))
        state.count(batch.tokens, _step(model, optimizer, batch, recipe))
        due = state.tokens >= recipe.tokens or state.tokens // recipe.eval_tokens >= len(state.lines)
        if due:
            state.evaluate(model, held_out, rate, log)
            state.save(checkpoint, model, optimizer, settings)
        if on_progress and (due or state.steps % TELL_EVERY == 0):
            on_progress(MoeProgress(state.tokens, recipe.tokens, state.smooth_loss, state.held_out))
    return model.eval()


def _step(
    model: PreTrainedModel, optimizer: torch.optim.Optimizer, batch: Batch, recipe: MoeTraining
) -> float:
    """One optimizer step; returns the plain mean loss of the batch, nats per learned token."""
    out = model.model(input_ids=batch.ids, output_router_logits=True, use_cache=False)
    # Logits only where something is learned: most positions are context, and the vocabulary is half the work.
    logits = model.lm_head(out.last_hidden_state.flatten(0, 1)[batch.at])
    losses = functional.cross_entropy(logits, batch.target, reduction="none")
    loss = (losses * batch.weight).sum() / batch.weight.sum()
    if not torch.isfinite(loss):
        raise TrainingError(f"the loss is {loss.item()}; lower the learning rate ({recipe.learning_rate})")
    balance = load_balance(out.router_logits, int(model.config.num_experts_per_tok))
    torch.autograd.backward(loss + recipe.router_aux * balance)
    nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(losses.detach().mean())


def _parameter_groups(model: PreTrainedModel, weight_decay: float) -> list[dict[str, Any]]:
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim >= 2]
    others = [p for p in trained if p.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _rate(recipe: MoeTraining, tokens: int) -> float:
    done = tokens / recipe.tokens
    if done < recipe.warmup_share:
        return recipe.learning_rate * (done + 1e-3) / recipe.warmup_share
    cosine = 0.5 * (1 + np.cos(np.pi * min(1.0, (done - recipe.warmup_share) / (1 - recipe.warmup_share))))
    return float(recipe.learning_rate * (0.05 + 0.95 * cosine))


def _endless(recipe: MoeTraining, rows: Sequence[Row]) -> Iterator[list[Row]]:
    rng = np.random.default_rng(recipe.seed)
    while True:
        yield from batches(rng, rows, recipe.batch_tokens)
