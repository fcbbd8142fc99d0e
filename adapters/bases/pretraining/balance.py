"""How evenly a router spreads tokens over its experts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def load_balance(router_logits: Sequence[Tensor], top_k: int) -> Tensor:
    """Mean over layers of E · Σ_e f_e · P_e, which is 1 when experts share tokens evenly.

    f_e is the share of assignments that go to expert e, P_e its mean router probability.
    Each layer counts alone, so that two lopsided layers cannot even each other out.

    Args:
        router_logits: one (tokens, E) tensor per layer.
        top_k: experts per token.

    Source: Fedus, Zoph & Shazeer 2021, arXiv 2101.03961, equations 4 to 6.
    """
    losses = []
    for logits in router_logits:
        shares = assignment_shares(logits, top_k)
        losses.append(logits.shape[-1] * (shares * logits.softmax(-1).mean(0)).sum())
    return torch.stack(losses).mean()


def assignment_shares(logits: Tensor, top_k: int) -> Tensor:
    """Share of (token, choice) assignments that each expert gets: (E,), summing to 1."""
    chosen = logits.topk(top_k, dim=-1).indices.flatten()
    return torch.bincount(chosen, minlength=logits.shape[-1]).to(torch.float32) / chosen.numel()
