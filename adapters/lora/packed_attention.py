"""Causal attention over packed rows, as a transformers attention implementation.

Spans of similar size are padded to one size, only here, and computed as one batched attention. Under a mask, the
queries of heads that share a key head are folded into one longer query, which spares copies of the keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

from adapters.lora.packing import Packed, Span

IMPLEMENTATION = "plures_packed"
ARCHITECTURES = frozenset({"llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe"})
"""Model types with nothing but rotary, causal and perhaps windowed attention, and a plain output head."""

_SIMILAR = 0.7
"""A span joins a bucket while its queries × keys are at least this share of the largest one's."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Spans computed together.

    Args:
        spans: how many.
        queries: padded length of a span's queries.
        keys: padded length of a span's keys.
        mask: [spans, 1, queries, keys], true where a query may see a key; None for whole rows, where
            plain causal attention says it, at two thirds of the time.
    """

    spans: int
    queries: int
    keys: int
    mask: Tensor | None


@dataclass(frozen=True, slots=True)
class AttentionPlan:
    """Where attention finds and leaves the packed tokens.

    Args:
        query_places: packed places of all buckets' queries, [Σ spans × queries].
        key_places: packed places of all buckets' keys, [Σ spans × keys].
        output_places: for each packed token, where among all buckets' queries it is, [total].
        buckets: how the first two fall into batches.
    """

    query_places: Tensor
    key_places: Tensor
    output_places: Tensor
    buckets: tuple[Bucket, ...]

    @classmethod
    def of(cls, packed: Packed) -> AttentionPlan:
        """Sort the spans of a packed batch into buckets."""
        device = packed.input_ids.device
        query_places: list[NDArray[np.int64]] = []
        key_places: list[NDArray[np.int64]] = []
        output_places = np.empty(packed.total, dtype=np.int64)
        buckets: list[Bucket] = []
        done = 0
        for spans in _similar_spans(packed.spans):
            width, length = max(s.queries for s in spans), max(len(s.keys) for s in spans)
            lengths = np.array([len(s.keys) for s in spans])
            before = lengths - np.array([s.queries for s in spans])
            first = np.cumsum(lengths) - lengths
            padded = np.minimum(np.arange(length), lengths[:, None] - 1)  # the last key again and again
            keys = np.concatenate([s.keys for s in spans])[first[:, None] + padded]
            # A padded query repeats the last key's place; its result is left where nobody reads it.
            at = np.minimum(before[:, None] + np.arange(width), length - 1)
            queries = np.take_along_axis(keys, at, axis=1)
            for i, span in enumerate(spans):
                output_places[span.keys[-span.queries :]] = done + i * width + np.arange(span.queries)
            query_places.append(queries.ravel())
            key_places.append(keys.ravel())
            mask = None
            if before.any():
                seen = np.arange(length) <= (before[:, None] + np.arange(width))[:, :, None]
                mask = torch.from_numpy(seen[:, None]).to(device)
            buckets.append(Bucket(len(spans), width, length, mask))
            done += queries.size
        return cls(
            query_places=torch.from_numpy(np.concatenate(query_places)).to(device),
            key_places=torch.from_numpy(np.concatenate(key_places)).to(device),
            output_places=torch.from_numpy(output_places).to(device),
            buckets=tuple(buckets),
        )

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """Attention of every packed token to those before it in its row.

        Args:
            query: [total, heads, dim].
            key: [total, key heads, dim].
            value: [total, key heads, dim].
            scale: of the scores; None is 1/√dim.

        Returns:
            [total, heads, dim].
        """
        heads, dim = query.shape[1:]
        key_heads = key.shape[1]
        fold = heads // key_heads
        q_sizes = [b.spans * b.queries for b in self.buckets]
        k_sizes = [b.spans * b.keys for b in self.buckets]
        q_parts = torch.split(query.flatten(1).index_select(0, self.query_places), q_sizes)
        k_parts = torch.split(key.flatten(1).index_select(0, self.key_places), k_sizes)
        v_parts = torch.split(value.flatten(1).index_select(0, self.key_places), k_sizes)
        outputs = []
        for bucket, q, k, v in zip(self.buckets, q_parts, k_parts, v_parts, strict=True):
            n, width, length = bucket.spans, bucket.queries, bucket.keys
            keys = k.view(n, length, key_heads, dim).transpose(1, 2)
            values = v.view(n, length, key_heads, dim).transpose(1, 2)
            if bucket.mask is None:
                queries = q.view(n, width, heads, dim).transpose(1, 2)
                out = scaled_dot_product_attention(
                    queries, keys, values, is_causal=True, scale=scale, enable_gqa=fold > 1
                ).transpose(1, 2)
            else:
                folded = q.view(n, width, key_heads, fold, dim).permute(0, 2, 3, 1, 4)
                out = scaled_dot_product_attention(
                    folded.reshape(n, key_heads, fold * width, dim),
                    keys,
                    values,
                    attn_mask=bucket.mask.repeat(1, 1, fold, 1),
                    scale=scale,
                )
                out = out.view(n, key_heads, fold, width, dim).permute(0, 3, 1, 2, 4)
            outputs.append(out.reshape(n * width, heads * dim))
        return torch.cat(outputs).index_select(0, self.output_places).view(-1, heads, dim)


def supports_packing(model: PreTrainedModel, longest_row: int) -> bool:
    """Whether `packed_attention` computes what the model's own attention would.

    Args:
        model: any transformers model.
        longest_row: in tokens; a sliding window shorter than that is not supported.
    """
    window = getattr(model.config, "sliding_window", None)
    return model.config.model_type in ARCHITECTURES and (window is None or window >= longest_row)


@contextmanager
def packed_attention(model: PreTrainedModel) -> Iterator[None]:
    """Within: the model takes packed batches, called with `**packed_inputs(packed)`."""
    AttentionInterface.register(IMPLEMENTATION, _attention)
    before = model.config._attn_implementation
    model.config._attn_implementation = IMPLEMENTATION
    try:
        yield
    finally:
        model.config._attn_implementation = before


def packed_inputs(packed: Packed) -> dict[str, Any]:
    """Arguments of a model's forward for a packed batch."""
    return {
        "input_ids": packed.input_ids,
        "position_ids": packed.position_ids,
        "use_cache": False,
        "attention_plan": AttentionPlan.of(packed),
    }


def _attention(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    attention_plan: AttentionPlan,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """The signature that transformers calls; query: [1, heads, total, dim] → [1, total, heads, dim]."""
    query, key, value = (t.squeeze(0).transpose(0, 1) for t in (query, key, value))
    return attention_plan.attend(query, key, value, scaling).unsqueeze(0), None


def _similar_spans(spans: Sequence[Span]) -> list[list[Span]]:
    """Buckets of spans whose sizes differ little; whole rows apart from those that follow a beginning."""
    ordered = sorted(spans, key=lambda s: (_is_whole(s), s.queries, len(s.keys)), reverse=True)
    buckets: list[list[Span]] = []
    longest = 0
    for span in ordered:
        longest = max(longest, len(span.keys))
        first = buckets[-1][0] if buckets else span
        alike = span.queries * len(span.keys) >= _SIMILAR * first.queries * longest
        if buckets and alike and _is_whole(span) == _is_whole(first):
            buckets[-1].append(span)
        else:
            buckets.append([span])
            longest = len(span.keys)
    return buckets


def _is_whole(span: Span) -> bool:
    return span.queries == len(span.keys)
