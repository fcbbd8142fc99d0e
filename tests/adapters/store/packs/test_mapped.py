"""Tensors of a safetensors file in the middle of a map, against the library."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

from adapters.errors import UnsupportedAdapterError
from adapters.store.packs.mapped import mapped_tensors

DTYPES = st.sampled_from([torch.float32, torch.float16, torch.bfloat16])
SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=3)


def mapped(content: bytes, before: int) -> mmap.mmap:
    found = mmap.mmap(-1, before + len(content) + 1)
    found[before:-1] = content
    return found


@given(st.lists(st.tuples(SHAPES, DTYPES), min_size=1, max_size=4), st.integers(0, 3))
def test_tensors_are_those_that_the_library_reads(
    wanted: list[tuple[list[int], torch.dtype]], before: int
) -> None:
    content = save({str(i): torch.randn(shape).to(dtype) for i, (shape, dtype) in enumerate(wanted)})
    found = mapped_tensors(mapped(content, 8 * before), 8 * before, len(content), where=Path("x"))
    expected = load(content)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_a_dtype_that_no_adapter_has_is_refused() -> None:
    content = save({"a": torch.zeros(2, dtype=torch.int8)})
    with pytest.raises(UnsupportedAdapterError, match="a has dtype I8"):
        mapped_tensors(mapped(content, 0), 0, len(content), where=Path("x"))
