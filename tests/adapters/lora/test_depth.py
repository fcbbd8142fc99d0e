"""A path names its decoder layer by its first number."""

from __future__ import annotations

import pytest

from adapters.lora.depth import Depth, depth_of, layer_of


@pytest.mark.parametrize(
    ("path", "depth"),
    [
        ("model.layers.3.self_attn.q_proj", Depth("layers", 3)),
        ("model.layers.3.mlp.experts.17.up_proj", Depth("layers", 3)),
        ("transformer.h.11.attn.c_attn", Depth("h", 11)),
        ("0.q_proj", Depth("", 0)),
        ("lm_head", None),
        ("model.layer3.q_proj", None),
    ],
)
def test_the_first_number_is_the_layer(path: str, depth: Depth | None) -> None:
    assert depth_of(path) == depth
    assert layer_of(path) == (depth.layer if depth else 0)
