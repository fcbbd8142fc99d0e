from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from adapters.lora.adapter import Adapter
from adapters.store.catalog.shape import Linear, Shape, shape, shape_of
from tests.adapters.store.samples import SPEC, adapter


def test_the_shape_counts_what_the_tensors_hold() -> None:
    one = adapter(width=8)
    found = shape_of(one)
    values = sum(factor.numel() for pair in one.pairs.values() for factor in pair)
    assert (found.rank, found.targets, found.layers, found.parameters) == (SPEC.rank, SPEC.targets, 4, values)
    assert found.dtype == "F32"
    assert shape_of(adapter(dtype=torch.bfloat16)) == found._replace(dtype="BF16")


def test_the_layout_depends_on_paths_and_widths_and_not_on_order_or_values() -> None:
    assert shape_of(adapter(1)) == shape_of(adapter(2))
    linears = [Linear("a.q_proj", 8, 4), Linear("b.q_proj", 8, 4)]
    same = shape(2, reversed(linears), "F32")
    assert same == shape(2, linears, "F32")
    others = [
        [Linear("a.q_proj", 4, 8), linears[1]],
        [Linear("c.q_proj", 8, 4), linears[1]],
        linears[:1],
    ]
    assert len({same.layout, *(shape(2, other, "F32").layout for other in others)}) == 4


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (Shape(4, ("q_proj",), "1", 2, 10, "F32"), []),
        (Shape(4, ("q_proj",), "1", 2, 10, "BF16"), []),
        (Shape(4), []),
        (Shape(8), ["rank 8 in place of 4"]),
        (Shape(4, ("v_proj",), "2", 2, 10, "F32"), ["targets v_proj in place of q_proj"]),
        (
            Shape(4, ("q_proj",), "2", 3, 10, "F32"),
            ["other layers (3 linears in place of 2, or other names or widths)"],
        ),
    ],
)
def test_shapes_conflict_in_what_is_known_of_both(other: Shape, found: list[str]) -> None:
    assert Shape(4, ("q_proj",), "1", 2, 10, "F32").conflicts(other) == found


def test_the_spec_of_a_scaled_adapter_is_no_part_of_its_shape() -> None:
    """Engines keep a scale for each slot, so alpha may change from one revision to the next."""
    one = adapter()
    assert shape_of(Adapter(replace(SPEC, alpha=99.0), one.pairs)) == shape_of(one)
