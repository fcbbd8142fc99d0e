"""Packed files for the tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.spec import LoraSpec
from adapters.store.packs.writer import PackMember, write_pack
from adapters.store.record import RevisionRecord
from adapters.store.tensors import tensor_digest
from tests.adapters.store.samples import adapter, manifest

EXPERT_TARGETS = ("down_proj", "gate_proj", "q_proj", "up_proj")


def record_of(one: Adapter, seed: int = 0) -> RevisionRecord:
    """The record of an adapter without files."""
    return RevisionRecord(manifest(seed=seed, spec=one.spec), tensor_digest(one), {})


def pack_of(file: Path, adapters: Iterable[Adapter]) -> dict[str, Adapter]:
    """Write a pack; the adapters by revision."""
    members, by_revision = [], {}
    for seed, one in enumerate(adapters):
        record = record_of(one, seed)
        members.append(PackMember(record.to_bytes(), lambda one=one: one))  # type: ignore[misc]
        by_revision[record.revision] = one
    write_pack(file, members)
    return by_revision


def small_pack(file: Path, count: int = 3, dtype: torch.dtype = torch.float32) -> dict[str, Adapter]:
    """A pack of random adapters."""
    return pack_of(file, [adapter(seed, dtype=dtype) for seed in range(count)])


def expert_adapter(
    layers: int = 2, experts: int = 3, *, rank: int = 1, hidden: int = 4, inner: int = 2, seed: int = 0
) -> Adapter:
    """One factor pair for q and for gate, up and down of every expert."""
    generator = torch.Generator().manual_seed(seed)

    def pair(d_in: int, d_out: int) -> LoraPair:
        return LoraPair(
            torch.randn(rank, d_in, generator=generator), torch.randn(d_out, rank, generator=generator)
        )

    pairs = {}
    for layer in range(layers):
        pairs[f"model.layers.{layer}.self_attn.q_proj"] = pair(hidden, hidden)
        for expert in range(experts):
            at = f"model.layers.{layer}.mlp.experts.{expert}"
            pairs[f"{at}.gate_proj"] = pair(hidden, inner)
            pairs[f"{at}.up_proj"] = pair(hidden, inner)
            pairs[f"{at}.down_proj"] = pair(inner, hidden)
    return Adapter(LoraSpec(rank, 2.0, EXPERT_TARGETS), pairs)
