"""A dense model made into a mixture of experts that computes the same, to be trained further.

Every expert begins as a copy of the dense layer's MLP, and the router's weights over the chosen experts sum to
one, so whatever the router chooses, the layer's output is the dense one.

Source: sparse upcycling, Komatsuzaki et al. 2022, arXiv 2212.05055, with the weights of the chosen experts normalised,
as Mixtral's layout has them.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers import MixtralConfig, MixtralForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaMLP
from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

from adapters.errors import BaseModelError

ROUTER_STD = 0.02
"""Standard deviation of the router's first weights: small, so that the first choices are close calls."""

_WIDTH_STEP = 32  # servers need widths that are multiples of it
_SAME_KEYS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_act",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
    "tie_word_embeddings",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
)


def upcycle(dense: PreTrainedModel, experts: int, top_k: int, rng: np.random.Generator) -> PreTrainedModel:
    """A Mixtral model with the output of a Llama model.

    Args:
        dense: of the Llama architecture, without biases; unchanged.
        experts: E, at least 2.
        top_k: experts that each token goes to, in 1 to `experts`.
        rng: draws the routers' first weights.

    Returns:
        A new model in the dtype of `dense`, in eval mode.

    Raises:
        BaseModelError: for another architecture or sizes that cannot be.
    """
    _check(dense.config, experts, top_k)
    kept = {key: getattr(dense.config, key) for key in _SAME_KEYS}
    config = MixtralConfig(
        **kept,
        head_dim=dense.config.head_dim,
        sliding_window=None,
        num_local_experts=experts,
        num_experts_per_tok=top_k,
        initializer_range=dense.config.initializer_range,
    )
    with torch.device("meta"):
        sparse = MixtralForCausalLM(config)
    sparse = sparse.to_empty(device="cpu").to(dense.dtype)
    missing = sparse.load_state_dict(_shared(dense), strict=False).missing_keys
    assert all(".block_sparse_moe." in key or key == "lm_head.weight" for key in missing)
    sparse.tie_weights()
    sparse.model.rotary_emb = type(sparse.model.rotary_emb)(config)  # its buffer is computed, not loaded
    for block, layer in zip(expert_blocks(sparse), dense.model.layers, strict=True):
        _fill(block, layer.mlp, rng)
    sparse.generation_config = dense.generation_config
    made: PreTrainedModel = sparse.eval()
    return made


def expert_blocks(model: PreTrainedModel) -> list[MixtralSparseMoeBlock]:
    """The mixture-of-experts blocks of an upcycled model, bottom first."""
    return [module for module in model.modules() if isinstance(module, MixtralSparseMoeBlock)]


def train_experts_only(model: PreTrainedModel) -> None:
    """Leave attention, norms and embeddings as they are in what training follows."""
    model.requires_grad_(False)
    for block in expert_blocks(model):
        block.requires_grad_(True)


def _shared(dense: PreTrainedModel) -> dict[str, torch.Tensor]:
    """What both architectures call by the same name: all but the MLPs."""
    return {key: value.clone() for key, value in dense.state_dict().items() if ".mlp." not in key}


@torch.no_grad()
def _fill(block: MixtralSparseMoeBlock, mlp: LlamaMLP, rng: np.random.Generator) -> None:
    for expert in block.experts:
        expert.w1.weight.copy_(mlp.gate_proj.weight)
        expert.w3.weight.copy_(mlp.up_proj.weight)
        expert.w2.weight.copy_(mlp.down_proj.weight)
    drawn = rng.normal(0.0, ROUTER_STD, tuple(block.gate.weight.shape))
    block.gate.weight.copy_(torch.from_numpy(drawn))


def _check(config: PretrainedConfig, experts: int, top_k: int) -> None:
    if config.model_type != "llama" or config.attention_bias or config.mlp_bias:
        raise BaseModelError(
            f"upcycling: got a {config.model_type} base; expected the Llama architecture without biases, such as "
            "smollm2, whose attention a mixture in Mixtral's layout can take over as it is"
        )
    if config.rope_scaling:
        raise BaseModelError(
            f"upcycling: rope_scaling {config.rope_scaling}; Mixtral's layout knows plain RoPE only"
        )
    if experts < 2 or not 1 <= top_k <= experts:
        raise BaseModelError(
            f"upcycling: {experts} experts with top-k {top_k}; expected at least 2 experts and 1 ≤ top-k ≤ experts"
        )
    for name in ("hidden_size", "intermediate_size"):
        if getattr(config, name) % _WIDTH_STEP:
            raise BaseModelError(
                f"upcycling: {name} {getattr(config, name)}; servers run mixtures only of widths that are multiples "
                f"of {_WIDTH_STEP}"
            )
