"""How well a base knows people it never met: held-out loss and expert load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from adapters.bases.experts import expert_count
from adapters.bases.pretraining.balance import assignment_shares
from adapters.bases.pretraining.forward import forward
from adapters.bases.pretraining.rows import Row, batches, collate


class HeldOut(NamedTuple):
    """`loss`: mean nats per learned token, each counting once; `load`: (layers, E), each row summing to 1."""

    loss: float
    load: Tensor


@torch.no_grad()
def evaluate(model: PreTrainedModel, rows: Sequence[Row], batch_tokens: int = 4096) -> HeldOut:
    """Loss and expert load on `rows`; the model's mode is left as it was."""
    top_k = int(model.config.num_experts_per_tok)
    total, count = 0.0, 0
    load = torch.zeros(model.config.num_hidden_layers, expert_count(model.config))
    was_training = model.training
    model.eval()
    for group in batches(np.random.default_rng(0), rows, batch_tokens):
        batch = collate(group)
        said = forward(model, batch)
        total += float(said.nll.sum())
        count += len(said.nll)
        load += batch.tokens * torch.stack([assignment_shares(x, top_k) for x in said.router_logits])
    model.train(was_training)
    return HeldOut(total / count, load / load.sum(1, keepdim=True))
