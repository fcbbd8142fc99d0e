"""Writing the trained tiny base as a folder: half-precision weights, tokenizer, model card."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from adapters.bases.pretraining.evaluation import evaluate
from adapters.bases.pretraining.rows import Row
from adapters.bases.pretraining.training import MoeTraining


class Rounded(NamedTuple):
    """A model rounded to `dtype` and back to float32, with its mean held-out loss (nats per token)."""

    dtype: torch.dtype
    model: PreTrainedModel
    loss: float


def export_tiny_base(
    out: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    recipe: MoeTraining,
    held_out: Mapping[str, Sequence[Row]],
    *,
    facts: Mapping[str, object],
) -> None:
    """Write config, safetensors weights, tokenizer and `README.md` into `out`.

    Of bfloat16 and float16 the one with the lower held-out loss after rounding is kept.

    Args:
        out: existing folder.
        model: trained, float32.
        tokenizer: of the model.
        recipe: for the card.
        held_out: rows that choose the precision and give the card its figures.
        facts: about the training data, for the card.
    """
    exact = _mean_loss(model, held_out)
    options = [_rounded(model, dtype, held_out) for dtype in (torch.bfloat16, torch.float16)]
    best = min(options, key=lambda option: option.loss)
    best.model.to(best.dtype).save_pretrained(out, safe_serialization=True)
    tokenizer.save_pretrained(out)
    losses = {name: evaluate(best.model.float(), rows).loss for name, rows in held_out.items()}
    (out / "README.md").write_text(_card(model, recipe, losses, exact, options, facts), encoding="utf-8")


def _rounded(model: PreTrainedModel, dtype: torch.dtype, held_out: Mapping[str, Sequence[Row]]) -> Rounded:
    twin = copy.deepcopy(model).to(dtype).float()
    return Rounded(dtype, twin, _mean_loss(twin, held_out))


def _mean_loss(model: PreTrainedModel, held_out: Mapping[str, Sequence[Row]]) -> float:
    return sum(evaluate(model, rows).loss for rows in held_out.values()) / len(held_out)


def _card(
    model: PreTrainedModel,
    recipe: MoeTraining,
    losses: Mapping[str, float],
    exact: float,
    options: Sequence[Rounded],
    facts: Mapping[str, object],
) -> str:
    config = model.config
    count = sum(p.numel() for p in model.parameters())
    names = {torch.bfloat16: "bfloat16", torch.float16: "float16"}
    held = "\n".join(f"| {name} | {loss:.4f} |" for name, loss in losses.items())
    rounding = ", ".join(f"{names[o.dtype]} {o.loss:.5f}" for o in options)
    return f"""# tiny-moe: a TOY base model

**This is a toy.** It knows one invented town, writes its small talk and picks platform actions. It exists so
that the machinery of Plures runs offline in minutes. No result obtained with it says anything about people.

- Architecture: Qwen3-MoE, {count:,} parameters, {config.num_hidden_layers} layers, hidden {config.hidden_size},
  {config.num_experts} experts of width {config.moe_intermediate_size},
  top-{config.num_experts_per_tok}, tied embeddings, {config.max_position_embeddings} positions.
- Tokenizer: byte-level BPE, {config.vocab_size} ids, ChatML template.
- Data: {_listed(facts)}; entirely synthetic (`agents.synthetic`). Posts are seen bare and as replies,
  decisions as transcripts with the loss on the reply.
- Recipe: {_listed(asdict(recipe))}.
- Train it again: `plures base train tiny-moe`.

Held-out loss on people whom training never saw, nats per token, as stored:

| rows | loss |
| --- | --- |
{held}

Mean held-out loss by storage precision: float32 {exact:.5f}, {rounding}; the lower one is stored.
`training_log.csv` has the losses and the load of every expert at each evaluation.
Licence: Apache-2.0, like the rest of the project.
"""


def _listed(facts: Mapping[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
