"""The tensors of a safetensors file that is part of a memory map, as views of it."""

from __future__ import annotations

import mmap
from pathlib import Path

import torch
from torch import Tensor

from adapters.lora.peft_io import check_dtypes
from adapters.safetensors_header import TensorPlace, read_header
from adapters.store.packs.layout import TORCH_DTYPES


def mapped_tensors(content: mmap.mmap, start: int, size: int, *, where: Path) -> dict[str, Tensor]:
    """The tensors, by name; they stay valid as long as any of them is kept.

    Args:
        content: a private map, since tensors can be written to.
        start: where the safetensors file begins in it.
        size: bytes of the safetensors file.
        where: for messages.

    Raises:
        UntrustedError: a malformed header.
        UnsupportedAdapterError: a dtype that no adapter has.
    """
    content.seek(start)
    header = read_header(content, size)
    check_dtypes(where, header)
    return {name: _view(content, start, place) for name, place in header.tensors.items()}


def _view(content: mmap.mmap, start: int, place: TensorPlace) -> Tensor:
    dtype = TORCH_DTYPES[place.dtype]
    count = (place.stop - place.start) // dtype.itemsize
    if count == 0:
        return torch.empty(place.shape, dtype=dtype)
    return torch.frombuffer(content, dtype=dtype, count=count, offset=start + place.start).view(place.shape)
