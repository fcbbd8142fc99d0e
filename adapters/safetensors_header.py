"""The header of a safetensors file, read strictly: every byte of the file belongs to exactly one tensor.

Written from the format's description: eight bytes of header length (little-endian), a JSON object of that
length, then the tensors' bytes. Nothing of the data is touched here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from adapters.untrusted import LARGEST_JSON, UntrustedError, strict_json

ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
"""dtype in the header → bytes of one value."""

_LENGTH_BYTES = 8
_MOST_DIMENSIONS = 8
_LONGEST_NAME = 512
_KEYS = {"dtype", "shape", "data_offsets"}


class TensorPlace(NamedTuple):
    """One tensor: type, shape, and where its bytes begin and end in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


class Header(NamedTuple):
    """What a file says of itself: free text by key, and its tensors in order of place."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorPlace]


class Source(Protocol):
    """Open file or memory map, at the beginning of a safetensors file."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`."""
        ...


def read_header(file: Source, size: int) -> Header:
    """Read and check a header; places count from where `file` was.

    Args:
        file: at the beginning of the safetensors file.
        size: bytes of the whole safetensors file.

    Raises:
        UntrustedError: truncated, oversized or malformed; a tensor out of the file, over another or beside a hole.
    """
    prefix = file.read(_LENGTH_BYTES)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < _LENGTH_BYTES or not 2 <= length <= min(size - _LENGTH_BYTES, LARGEST_JSON):
        raise UntrustedError(
            f"states a header of {length} bytes in a file of {size}; "
            f"expected 2 to {max(2, min(size - _LENGTH_BYTES, LARGEST_JSON))}"
        )
    content = file.read(length)
    if not content.startswith(b"{"):
        raise UntrustedError("has no JSON object as its header")
    value = strict_json(content)
    metadata = value.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise UntrustedError("has a __metadata__ that is not text by key")
    begin = _LENGTH_BYTES + length
    places = {name: _place(name, entry, begin) for name, entry in value.items()}
    return Header(metadata, _without_gaps(places, begin, size))


def header_bytes(metadata: Mapping[str, str], tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> bytes:
    """Length and header of a file whose tensors follow one another in the order given.

    Args:
        metadata: free text by key.
        tensors: name → dtype and shape.
    """
    entries: dict[str, Any] = {"__metadata__": dict(metadata)}
    stop = 0
    for name, (dtype, shape) in tensors.items():
        start, stop = stop, stop + ITEM_BYTES[dtype] * math.prod(shape)
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}
    content = json.dumps(entries, separators=(",", ":")).encode("ascii")
    content += b" " * (-len(content) % _LENGTH_BYTES)  # so that eight-byte values stay aligned
    return len(content).to_bytes(_LENGTH_BYTES, "little") + content


def _place(name: str, entry: object, begin: int) -> TensorPlace:
    if not name.isprintable() or not 1 <= len(name) <= _LONGEST_NAME:
        raise UntrustedError(f"has a tensor named {name[:40]!r}, which is no name")
    if not isinstance(entry, dict) or entry.keys() != _KEYS:
        raise UntrustedError(f"describes tensor {name!r} by other keys than {', '.join(sorted(_KEYS))}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise UntrustedError(f"gives tensor {name!r} the dtype {str(dtype)[:40]!r}, which is unknown here")
    if not _is_counts(shape) or len(shape) > _MOST_DIMENSIONS or not _is_counts(offsets) or len(offsets) != 2:
        raise UntrustedError(f"gives tensor {name!r} a shape or place that is none")
    start, stop = offsets
    if stop - start != ITEM_BYTES[dtype] * math.prod(shape):
        raise UntrustedError(f"gives tensor {name!r} a place of another size than its shape and dtype have")
    return TensorPlace(dtype, tuple(shape), begin + start, begin + stop)


def _is_counts(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 63 for item in value)


def _without_gaps(places: dict[str, TensorPlace], begin: int, size: int) -> dict[str, TensorPlace]:
    ordered = sorted(places.items(), key=lambda item: (item[1].start, item[1].stop))
    at = begin
    for name, place in ordered:
        if place.start != at:
            raise UntrustedError(f"has {'a hole before' if place.start > at else 'an overlap at'} {name!r}")
        at = place.stop
    if at != size:
        raise UntrustedError(f"has {size} bytes, but its tensors end at {at}")
    return dict(ordered)
