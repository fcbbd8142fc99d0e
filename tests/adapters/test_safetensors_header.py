"""Our reader of headers against the safetensors library, and against everything that is no safetensors file."""

from __future__ import annotations

import io
import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

from adapters.safetensors_header import header_bytes, read_header
from adapters.untrusted import UntrustedError
from tests.adapters.hostile import mutations, short

DTYPES = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "U8": torch.uint8,
}
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
TENSORS = st.dictionaries(
    st.text("abz.0_", min_size=1, max_size=8),
    st.tuples(st.sampled_from(sorted(DTYPES)), SHAPES),
    min_size=1,
    max_size=4,
)
VALID = save(
    {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16)}, {"format": "pt"}
)


def read(content: bytes):
    return read_header(io.BytesIO(content), len(content))


def file(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@given(TENSORS, st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2))
def test_what_the_library_writes_is_read_where_it_lies(
    wanted: dict[str, tuple[str, tuple[int, ...]]], metadata: dict[str, str]
) -> None:
    tensors = {
        name: torch.arange(math.prod(shape), dtype=torch.int64).reshape(shape).to(DTYPES[dtype])
        for name, (dtype, shape) in wanted.items()
    }
    content = save(tensors, metadata)
    header = read(content)
    assert dict(header.metadata) == metadata
    assert {name: (place.dtype, place.shape) for name, place in header.tensors.items()} == wanted
    for name, place in header.tensors.items():
        assert (
            content[place.start : place.stop] == tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes()
        )


@given(TENSORS)
def test_what_we_write_is_read_by_the_library(wanted: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    head = header_bytes({"format": "x"}, wanted)
    size = sum(math.prod(shape) * DTYPES[dtype].itemsize for dtype, shape in wanted.values())
    found = load(head + bytes(size))
    assert {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in found.items()} == {
        name: (DTYPES[dtype], shape) for name, (dtype, shape) in wanted.items()
    }


def entry(start: int, stop: int, shape: object = None, dtype: object = "U8") -> dict[str, object]:
    return {
        "dtype": dtype,
        "shape": [stop - start] if shape is None else shape,
        "data_offsets": [start, stop],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "states a header of 0 bytes"),
        (b"\x02\0\0\0", "states a header of"),
        ((1 << 63).to_bytes(8, "little") + b"{}", "states a header of 9223372036854775808 bytes"),
        ((100).to_bytes(8, "little") + b"{}", "states a header of 100 bytes"),
        (file(b"[]"), "no JSON object"),
        (file(b"  {}"), "no JSON object"),
        (file(b"{}}"), "not JSON"),
        (file({"__metadata__": {"a": 1}}), "__metadata__"),
        (file(b'{"a":{},"a":{}}'), "twice"),
        (file({"a": []}), "other keys"),
        (file({"a": {**entry(0, 4), "more": 1}}, bytes(4)), "other keys"),
        (file({"a": entry(0, 4, dtype="F99")}, bytes(4)), "unknown"),
        (file({"a": entry(0, 4, dtype=["F32"])}, bytes(4)), "unknown"),
        (file({"a": entry(0, 4, [-4])}, bytes(4)), "shape or place"),
        (file({"a": entry(0, 4, [True, 4])}, bytes(4)), "shape or place"),
        (file({"a": entry(0, 4, [4.0])}, bytes(4)), "shape or place"),
        (file({"a": entry(0, 4, [4] + [1] * 8)}, bytes(4)), "shape or place"),
        (file({"a": entry(0, 4, [1 << 62, 1 << 62])}, bytes(4)), "another size"),
        (file({"a": entry(4, 0, [4])}, bytes(4)), "another size"),
        (file({"a": entry(0, 4, [5])}, bytes(4)), "another size"),
        (file({"a": entry(0, 4), "b": entry(2, 6)}, bytes(6)), "overlap"),
        (file({"a": entry(0, 4), "b": entry(5, 6)}, bytes(6)), "a hole"),
        (file({"a": entry(1, 4)}, bytes(4)), "a hole"),
        (file({"a": entry(0, 4)}, bytes(3)), "end at"),
        (file({"a": entry(0, 4)}, bytes(5)), "end at"),
        (file({"a\n": entry(0, 4)}, bytes(4)), "no name"),
        (file({"": entry(0, 4)}, bytes(4)), "no name"),
        (file({"a" * 600: entry(0, 4)}, bytes(4)), "no name"),
    ],
    ids=short,
)
def test_what_is_no_safetensors_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(UntrustedError, match=message):
        read(content)


@given(st.binary(max_size=300) | mutations(VALID))
def test_no_bytes_do_worse_than_being_refused(content: bytes) -> None:
    """And what passes lies within the file, tensor after tensor."""
    try:
        header = read(content)
    except UntrustedError:
        return
    stops = [place.stop for place in header.tensors.values()]
    starts = [place.start for place in header.tensors.values()]
    assert starts[1:] == stops[:-1]
    assert not stops or stops[-1] == len(content)
