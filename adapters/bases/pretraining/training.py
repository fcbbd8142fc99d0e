"""Training a mixture-of-experts base on rows handed in: from first weights, or further."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from adapters.bases.experts import fuse_experts
from adapters.bases.pretraining.balance import load_balance
from adapters.bases.pretraining.forward import forward
from adapters.bases.pretraining.rows import Row, batches, collate, in_passes
from adapters.bases.pretraining.run import CHECKPOINT, LOG, resume
from adapters.errors import TrainingError
from adapters.training.heap import keep_freed_memory

TELL_EVERY = 10
"""Steps between two reports of progress."""

SAVE_EVERY = 240.0
"""Seconds between two checkpoints; every evaluation makes one besides."""


@dataclass(frozen=True, slots=True)
class MoeTraining:
    """Recipe.

    Args:
        tokens: training tokens in total.
        batch_tokens: most tokens per optimizer step, every row counted as the longest of the step.
        pass_tokens: most tokens that run at once; a step of more takes several passes, and less memory. Each pass
            balances its experts by itself.
        learning_rate: peak; linear warm-up over `warmup_share` of the tokens, then cosine to a twentieth.
        weight_decay: of AdamW, on matrices only.
        clip_norm: most gradient norm.
        router_aux: weight of the load-balancing loss, which is 1 for even routing.
        eval_tokens: training tokens between two evaluations.
        seed: of the first weights and the order of rows.

    Raises:
        TrainingError: a learning rate that is not above 0.
    """

    tokens: int
    batch_tokens: int = 4096
    pass_tokens: int = 4096
    learning_rate: float = 2.5e-3
    warmup_share: float = 0.03
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    router_aux: float = 0.02
    eval_tokens: int = 1_000_000
    seed: int = 7

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise TrainingError(f"learning_rate: got {self.learning_rate}; expected a number above 0")


@dataclass(frozen=True, slots=True)
class MoeProgress:
    """Where training stands: tokens seen, smoothed training loss (nats per token), latest held-out losses."""

    tokens: int
    total_tokens: int
    train_loss: float
    held_out: Mapping[str, float]


class _Step(NamedTuple):
    """Training tokens of a step, and its plain mean loss in nats per learned token."""

    tokens: int
    loss: float


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
        model: float32, a mixture of experts; trained in place. Parameters that need no gradient stay
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
    keep_freed_memory()
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
    done, saved = state.steps, time.monotonic()
    for step, batch_rows in enumerate(_endless(recipe, rows)):
        if state.tokens >= recipe.tokens:
            break
        if step < done:
            continue  # the order depends on the seed alone, so a resumed run skips what it has seen
        rate = _rate(recipe, state.tokens)
        for group in optimizer.param_groups:
            group["lr"] = rate
        state.count(*_step(model, optimizer, batch_rows, recipe))
        due = state.tokens >= recipe.tokens or state.tokens // recipe.eval_tokens >= len(state.lines)
        if due:
            state.evaluate(model, held_out, rate, log)
        if due or time.monotonic() - saved > SAVE_EVERY:
            state.save(checkpoint, model, optimizer, settings)
            saved = time.monotonic()
        if on_progress and (due or state.steps % TELL_EVERY == 0):
            on_progress(MoeProgress(state.tokens, recipe.tokens, state.smooth_loss, state.held_out))
    return model.eval()


def _step(
    model: PreTrainedModel, optimizer: torch.optim.Optimizer, rows: Sequence[Row], recipe: MoeTraining
) -> _Step:
    """One optimizer step, in as many passes as memory asks for; each pass counts by its share of the rows."""
    passes = [collate(part) for part in in_passes(rows, recipe.pass_tokens)]
    tokens = sum(batch.tokens for batch in passes)
    weight = sum(float(batch.weight.sum()) for batch in passes)
    plain = []
    for batch in passes:
        nll, router_logits = forward(model, batch)
        loss = (nll * batch.weight).sum() / weight
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss.item()}; lower the learning rate ({recipe.learning_rate})"
            )
        balance = load_balance(router_logits, int(model.config.num_experts_per_tok)) * (batch.tokens / tokens)
        torch.autograd.backward(loss + recipe.router_aux * balance)
        plain.append(nll.detach())
    nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return _Step(tokens, float(torch.cat(plain).mean()))


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
