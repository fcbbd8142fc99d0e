"""The network of the tiny base: its sizes, its first weights, and how evenly its router works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen3MoeConfig, Qwen3MoeForCausalLM

from adapters.bases.loader import TOY_KEY


@dataclass(frozen=True, slots=True)
class TinyShape:
    """Sizes of the network; every width is a multiple of 32 so that servers can run it."""

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    expert_width: int = 128
    experts: int = 8
    experts_per_token: int = 2
    max_positions: int = 2048


def new_model(shape: TinyShape, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """A freshly initialised model; its weights depend on `seed` alone."""
    config = Qwen3MoeConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        intermediate_size=shape.expert_width,
        moe_intermediate_size=shape.expert_width,
        num_experts=shape.experts,
        num_experts_per_tok=shape.experts_per_token,
        norm_topk_prob=True,
        decoder_sparse_step=1,
        mlp_only_layers=[],
        max_position_embeddings=shape.max_positions,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **{TOY_KEY: True},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = Qwen3MoeForCausalLM._from_config(config, attn_implementation="sdpa")
    return model


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
