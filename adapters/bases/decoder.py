"""The decoder layers of a base, walked by ourselves, so that a walk may begin and end at any layer.

Norms, linears, experts and rotary angles are the model's own modules; how queries find their keys is the caller's.
This is what lets layers under the first adapted one be shared or kept, keys go straight into a pool, and the top layer
be computed for the tokens whose output somebody reads.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from adapters.bases.in_place import mixed, normed
from adapters.bases.rotary import rotated
from adapters.errors import BaseModelError
from adapters.lora.packed_attention import ARCHITECTURES, AttentionPlan


class Attend(Protocol):
    """How the queries of a layer find their keys; scores are scaled by 1/√dim, as all of `ARCHITECTURES` do."""

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, /) -> Tensor:
        """query [batch, tokens, heads, dim], key and value [batch, all tokens, key heads, dim] → as query."""
        ...


class Angles(NamedTuple):
    """Rotary cosines and sines of tokens, each [batch, tokens, 1, dim]."""

    cos: Tensor
    sin: Tensor

    def at(self, places: Tensor) -> Angles:
        """Those of some of the tokens: places [tokens'] → [batch, tokens', 1, dim]."""
        return Angles(self.cos.index_select(1, places), self.sin.index_select(1, places))

    def of_rows(self, places: Tensor) -> Angles:
        """Those of one token for each row: places [rows] in a batch of one → [rows, 1, 1, dim]."""
        return Angles(self.cos[0, places, None], self.sin[0, places, None])


class KeysAndValues(NamedTuple):
    """What the queries of one layer may attend to, each [batch, tokens, key heads, dim]; keys are rotated."""

    keys: Tensor
    values: Tensor


class Decoder:
    """The layers of one base; with and without gradients.

    Args:
        model: a causal language model of transformers; its modules are used as they are at each call, so adapters
            may be attached and detached between calls.

    Raises:
        BaseModelError: an architecture whose layers are not known to be plain.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        if model.config.model_type not in ARCHITECTURES:
            raise BaseModelError(
                f"model type {model.config.model_type!r} cannot be run layer by layer; supported are "
                f"{', '.join(sorted(ARCHITECTURES))}. Serve others with vLLM."
            )
        self._decoder: Any = model.get_decoder()
        self.layers = len(self._decoder.layers)

    def embed(self, ids: Tensor) -> Tensor:
        """ids [batch, tokens] → what enters layer 0, [batch, tokens, d]."""
        hidden: Tensor = self._decoder.embed_tokens(ids)
        return hidden

    def angles(self, hidden: Tensor, position_ids: Tensor) -> Angles:
        """The rotary angles of a walk: position_ids [batch, tokens]; `hidden` gives type and device."""
        cos, sin = self._decoder.rotary_emb(hidden, position_ids)
        return Angles(cos[:, :, None], sin[:, :, None])

    def run(
        self, hidden: Tensor, angles: Angles, attend: Attend, *, first: int = 0, last: int | None = None
    ) -> Tensor:
        """Walk the layers first … last − 1.

        Args:
            hidden: what enters layer `first`, [batch, tokens, d]; left unchanged.
            angles: of the tokens.
            attend: called once for each layer.
            first: 0 … layers.
            last: `first` … layers; None is all.

        Returns:
            What enters layer `last` (what `norm` takes, after the last one), [batch, tokens, d].
        """
        for i in range(first, self.layers if last is None else last):
            layer = self._decoder.layers[i]
            states = _norm(layer.input_layernorm, hidden)
            kept = _keys_and_values(layer.self_attn, states, angles)
            hidden = _rest_of_layer(layer, i, hidden, states, angles, kept, attend)
        return hidden

    def keys_and_values(self, i: int, hidden: Tensor, angles: Angles) -> KeysAndValues:
        """The first half of layer `i`, which all its tokens need: hidden [batch, tokens, d]."""
        layer = self._decoder.layers[i]
        return _keys_and_values(layer.self_attn, _norm(layer.input_layernorm, hidden), angles)

    def outputs(self, i: int, hidden: Tensor, angles: Angles, kept: KeysAndValues, attend: Attend) -> Tensor:
        """The second half of layer `i`, for the tokens whose output is wanted.

        Args:
            i: 0 … layers − 1.
            hidden: of the wanted tokens, what enters the layer, [batch, wanted, d].
            angles: of the wanted tokens.
            kept: of all tokens, by `keys_and_values`.
            attend: for queries of the wanted tokens.

        Returns:
            What enters the next layer, [batch, wanted, d].
        """
        layer = self._decoder.layers[i]
        states = _norm(layer.input_layernorm, hidden)
        return _rest_of_layer(layer, i, hidden, states, angles, kept, attend)

    def norm(self, hidden: Tensor) -> Tensor:
        """The last norm: what the output head takes, [batch, tokens, d]."""
        return _norm(self._decoder.norm, hidden)


def packed_attend(plan: AttentionPlan) -> Attend:
    """Attention among packed tokens, [1, total, …]."""

    def attend(_layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return plan.attend(query[0], key[0], value[0], None)[None]

    return attend


def _keys_and_values(attention: Any, states: Tensor, angles: Angles) -> KeysAndValues:
    keys = _heads(attention.k_proj(states), attention.head_dim)
    if hasattr(attention, "k_norm"):
        keys = attention.k_norm(keys)
    return KeysAndValues(rotated(keys, *angles), _heads(attention.v_proj(states), attention.head_dim))


def _rest_of_layer(
    layer: Any, i: int, hidden: Tensor, states: Tensor, angles: Angles, kept: KeysAndValues, attend: Attend
) -> Tensor:
    attention = layer.self_attn
    queries = _heads(attention.q_proj(states), attention.head_dim)
    if hasattr(attention, "q_norm"):
        queries = attention.q_norm(queries)
    context = attend(i, rotated(queries, *angles), kept.keys, kept.values)
    mixer = layer.block_sparse_moe if hasattr(layer, "block_sparse_moe") else layer.mlp
    attended = attention.o_proj(context.flatten(2))
    if torch.is_grad_enabled():
        hidden = hidden + attended
        out = mixer(layer.post_attention_layernorm(hidden))
        total: Tensor = hidden + (out[0] if isinstance(out, tuple) else out)  # experts return routing too
        return total
    hidden = attended.add_(hidden)
    return mixed(mixer, normed(layer.post_attention_layernorm, hidden)).add_(hidden)


def _norm(norm: Any, hidden: Tensor) -> Tensor:
    if not torch.is_grad_enabled():
        return normed(norm, hidden)
    y: Tensor = norm(hidden)
    return y


def _heads(states: Tensor, dim: int) -> Tensor:
    return states.view(*states.shape[:-1], -1, dim)
