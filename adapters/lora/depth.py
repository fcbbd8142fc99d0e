"""How deep in a base a linear stands: the decoder layer that its module path names."""

from __future__ import annotations

from typing import NamedTuple


class Depth(NamedTuple):
    """A place in a base's stack of decoder layers.

    Args:
        stack: name of the list of layers, such as `layers`; "" where the number begins the path.
        layer: index in it, from 0, which is the layer next to the embedding.
    """

    stack: str
    layer: int


def depth_of(path: str) -> Depth | None:
    """Where a module stands; None outside of the decoder layers, as the output head.

    The first whole number among a path's parts is the layer; a later one is an expert's
    (`model.layers.3.mlp.experts.7.up_proj` stands in layer 3), as PEFT reads it too.
    """
    parts = path.split(".")
    for place, part in enumerate(parts):
        if part.isdecimal():
            return Depth(parts[place - 1] if place else "", int(part))
    return None


def layer_of(path: str) -> int:
    """The decoder layer that a module stands in; 0 for what stands in none."""
    depth = depth_of(path)
    return depth.layer if depth else 0
