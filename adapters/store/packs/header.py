"""Whether a safetensors file is a packed file: its format, its five tensors, and that they agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from adapters.safetensors_header import Header, TensorPlace
from adapters.store.packs.layout import RowLayout
from adapters.store.packs.writer import ID_BYTES, PACK_FORMAT
from adapters.store.record import NewerFormatError
from adapters.untrusted import UntrustedError

_TENSORS = {"record_ends", "adapters", "revisions", "record_hashes", "records"}
_MOST_SHOWN = 5


class PackHeader(NamedTuple):
    """What the header of a packed file says.

    Args:
        layout: of every row.
        places: of the five tensors.
        rows: how many, at least 1.
    """

    layout: RowLayout
    places: Mapping[str, TensorPlace]
    rows: int


def judge_header(header: Header) -> PackHeader:
    """Check what can be checked without a look at the data.

    Raises:
        UntrustedError: no packed file, or one that contradicts itself.
        NewerFormatError: written by a newer version.
    """
    if header.metadata.get("format") != "plures-pack":
        raise UntrustedError("is a safetensors file, but no packed adapters of Plures")
    version = header.metadata.get("version", "")
    if version != str(PACK_FORMAT):
        raise NewerFormatError(
            f"has pack format {version[:20]!r}, and this version of Plures reads {PACK_FORMAT}. "
            f"Upgrade Plures to use it."
        )
    places = header.tensors
    if places.keys() != _TENSORS:
        raise UntrustedError(f"holds the tensors {_few(places)}; expected {_few(_TENSORS)}")
    layout = RowLayout.from_json(header.metadata.get("layout", ""))
    n = places["revisions"].shape[0] if places["revisions"].shape else 0
    expected = {
        "record_ends": ("I64", (n,)),
        "adapters": (layout.dtype, (n, layout.length)),
        "revisions": ("U8", (n, ID_BYTES)),
        "record_hashes": ("U8", (n, ID_BYTES)),
        "records": ("U8", (places["records"].stop - places["records"].start,)),
    }
    for name, place in places.items():
        if (place.dtype, place.shape) != expected[name] or n == 0:
            raise UntrustedError(
                f"has {name} of {place.dtype} {list(place.shape)}; expected {expected[name][0]} "
                f"{list(expected[name][1])} and at least one row"
            )
    return PackHeader(layout, places, n)


def _few(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:_MOST_SHOWN])
