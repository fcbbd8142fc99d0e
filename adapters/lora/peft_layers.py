"""PEFT's way to say which decoder layers carry an adapter: `layers_to_transform` in its config."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adapters.errors import CorruptAdapterError, UnsupportedAdapterError
from adapters.lora.adapter import Adapter
from adapters.lora.depth import depth_of


def layers_config(adapter: Adapter) -> dict[str, Any]:
    """What to write into PEFT's config; nothing where every layer carries the adapter."""
    first = adapter.spec.first_layer
    if not first:
        return {}
    depths = {depth for path in adapter.pairs if (depth := depth_of(path))}
    last = max(depth.layer for depth in depths)
    return {
        "layers_to_transform": list(range(first, last + 1)),
        "layers_pattern": sorted({depth.stack for depth in depths}),
    }


def first_layer(config: Path, layers: object, paths: Iterable[str]) -> int:
    """The lowest layer that carries an adapter.

    Args:
        config: file, for messages.
        layers: its `layers_to_transform`; absent or empty means every layer.
        paths: of the linears that the weights belong to.

    Raises:
        UnsupportedAdapterError: layers are left out in between.
        CorruptAdapterError: no whole numbers, or others than the weights'.
    """
    if layers is None or layers == []:
        return 0
    listed: list[Any] = layers if isinstance(layers, list) else [layers]
    if not all(type(layer) is int and layer >= 0 for layer in listed):
        raise CorruptAdapterError(
            f"{config}: layers_to_transform is {str(layers)[:200]}; expected whole numbers from 0 up"
        )
    first: int = min(listed)
    last: int = max(listed)
    if len(set(listed)) != last - first + 1:
        raise UnsupportedAdapterError(
            f"{config}: layers_to_transform is {str(layers)[:200]}; only adapters of every layer from one on are "
            f"supported. Train the adapter on layers {first} to {last}."
        )
    for path in paths:
        depth = depth_of(path)
        if depth is None or not first <= depth.layer <= last:
            raise CorruptAdapterError(
                f"{config}: layers_to_transform goes from {first} to {last}, but there are weights of {path}; the two "
                f"files do not belong together"
            )
    return first
