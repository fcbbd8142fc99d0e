"""Small adapters, their manifests, and a store to put them in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.spec import LoraSpec
from adapters.store import AdapterStore, Manifest

SPEC = LoraSpec(rank=2, alpha=4.0, targets=("q_proj", "v_proj"))
FINGERPRINT = "ab" * 32
DATA = "cd" * 32


def adapter(seed: int = 0, *, dtype: torch.dtype = torch.float32, width: int = 8) -> Adapter:
    """Two layers of random factors."""
    generator = torch.Generator().manual_seed(seed)
    pairs = {
        f"model.layers.{layer}.self_attn.{target}": LoraPair(
            torch.randn(2, width, generator=generator).to(dtype),
            torch.randn(width, 2, generator=generator).to(dtype),
        )
        for layer in range(2)
        for target in SPEC.targets
    }
    return Adapter(SPEC, pairs)


def manifest(**changes: Any) -> Manifest:
    """A complete manifest, with whatever a test wants different."""
    plain = Manifest(
        base_name="tiny-moe",
        base_fingerprint=FINGERPRINT,
        spec=SPEC,
        recipe={"learning_rate": 0.01, "epochs": 2},
        data_hash=DATA,
        seed=0,
    )
    return replace(plain, **changes)


def publish(store: AdapterStore, name: str, seed: int = 0, **changes: Any) -> str:
    """Publish the adapter of a seed under a name."""
    return store.publish(adapter(seed), manifest(seed=seed, **changes), name=name)


def same_tensors(one: Adapter, other: Adapter) -> bool:
    """Bit for bit, types and layer names included."""
    return one.pairs.keys() == other.pairs.keys() and all(
        a.dtype == b.dtype and torch.equal(a, b)
        for path in one.pairs
        for a, b in zip(one.pairs[path], other.pairs[path], strict=True)
    )


def rewrite(file: Path, content: bytes) -> None:
    """Change a file that the store made read-only."""
    file.chmod(0o644)
    file.write_bytes(content)
