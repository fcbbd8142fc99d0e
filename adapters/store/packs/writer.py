"""Write packed files: the rows of many adapters of one shape, and their records, in one safetensors file.

The file has five tensors: `record_ends` [n] I64, where each record ends in `records`; `adapters` [n, length],
one row for each adapter; `revisions` [n, 32] U8, their ids in ascending order; `record_hashes` [n, 32] U8,
SHA-256 of each record; `records` U8, the bytes of every `manifest.json`, one after another. Any reader of
safetensors can open it; its metadata says where the factors lie in a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from adapters.errors import BaseMismatchError, CorruptAdapterError, StoreError
from adapters.lora.adapter import Adapter
from adapters.safetensors_header import header_bytes
from adapters.store.packs.layout import RowLayout
from adapters.store.record import FileSeal, RevisionRecord

PACK_FORMAT = 1
ID_BYTES = 32
_READ_ONLY = 0o444


class PackMember(NamedTuple):
    """One adapter on its way into a pack.

    Args:
        record: the bytes of its `manifest.json`.
        read: gives the adapter, proved; called once, so that not all need to be in memory together.
    """

    record: bytes
    read: Callable[[], Adapter]


class PackedRow(NamedTuple):
    """A member that has been read off its record."""

    revision: str
    record: RevisionRecord
    member: PackMember


def pack_id(revisions: Sequence[str]) -> str:
    """SHA-256 (hex) over the ids of all members: the same members, the same pack."""
    return hashlib.sha256("\n".join(["plures-pack", *sorted(revisions)]).encode("ascii")).hexdigest()


def write_pack(
    file: Path, members: Sequence[PackMember], *, on_row: Callable[[], None] | None = None
) -> FileSeal:
    """Write a pack, read-only; not yet durable.

    Args:
        file: does not exist yet.
        members: at least one; of one base, spec, dtype and set of linears, no revision twice.
        on_row: called after each row.

    Returns:
        Size and hash of the file.

    Raises:
        BaseMismatchError: members of different bases or shapes; names the two.
        CorruptAdapterError: a member's tensors are not those of its record.
        StoreError: no members, or one twice.
        OSError: from the file system.
    """
    rows = _in_order(members)
    layout = RowLayout.of(rows[0].member.read())
    ends = list(accumulate(len(row.member.record) for row in rows))
    n = len(rows)
    header = header_bytes(
        {"format": "plures-pack", "version": str(PACK_FORMAT), "layout": layout.to_json()},
        {
            "record_ends": ("I64", (n,)),
            "adapters": (layout.dtype, (n, layout.length)),
            "revisions": ("U8", (n, ID_BYTES)),
            "record_hashes": ("U8", (n, ID_BYTES)),
            "records": ("U8", (ends[-1],)),
        },
    )
    with file.open("xb") as handle:
        out = _Sealing(handle)
        out.write(header)
        out.write(np.asarray(ends, dtype="<i8").tobytes())
        values = torch.empty(layout.length, dtype=layout.torch_dtype)
        content = _bytes(values)
        for row in rows:
            _fill(values, content, row, layout, rows[0])
            out.write(content.data)
            if on_row is not None:
                on_row()
        out.write(bytes.fromhex("".join(row.revision for row in rows)))
        out.write(b"".join(hashlib.sha256(row.member.record).digest() for row in rows))
        for row in rows:
            out.write(row.member.record)
    file.chmod(_READ_ONLY)
    return out.seal()


class _Sealing:
    """Hashes what passes through on its way into a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._sha, self._size = file, hashlib.sha256(), 0

    def write(self, content: bytes | memoryview) -> None:
        """Write and hash."""
        self._file.write(content)
        self._sha.update(content)
        self._size += len(content)

    def seal(self) -> FileSeal:
        """Of everything written."""
        return FileSeal(self._size, self._sha.hexdigest())


def _in_order(members: Sequence[PackMember]) -> list[PackedRow]:
    """By revision; every member must fit the first."""
    if not members:
        raise StoreError("pack: no adapters given; name at least one")
    records = [RevisionRecord.from_bytes(member.record) for member in members]
    rows = [PackedRow(r.revision, r, member) for r, member in zip(records, members, strict=True)]
    rows.sort(key=lambda row: row.revision)
    for row, other in pairwise(rows):
        if row.revision == other.revision:
            raise StoreError(f"pack: revision {row.revision} is given twice; name it once")
    first = rows[0].record.manifest
    for row in rows:
        manifest = row.record.manifest
        if (manifest.base_fingerprint, manifest.spec) != (first.base_fingerprint, first.spec):
            raise BaseMismatchError(
                f"pack: {rows[0].revision[:12]} is for base {first.base_name} "
                f"({first.base_fingerprint[:12]}) with {first.spec}, but {row.revision[:12]} for "
                f"{manifest.base_name} ({manifest.base_fingerprint[:12]}) with {manifest.spec}. "
                f"One file holds adapters of one base and shape: pack them into separate files."
            )
    return rows


def _fill(
    values: torch.Tensor, content: NDArray[np.uint8], row: PackedRow, layout: RowLayout, first: PackedRow
) -> None:
    adapter = row.member.read()
    if (found := RowLayout.of(adapter)) != layout:
        raise BaseMismatchError(
            f"pack: {row.revision[:12]} has {len(found.modules)} modules of {found.dtype}, "
            f"{first.revision[:12]} has {len(layout.modules)} of {layout.dtype}, or their places differ. "
            f"One file holds adapters of one base and shape: pack them into separate files."
        )
    layout.flatten(adapter, values)
    if layout.digest(content.data) != row.record.tensors:
        raise CorruptAdapterError(
            f"pack: the tensors of {row.revision} are not those of its record. Import or train it again."
        )


def _bytes(values: torch.Tensor) -> NDArray[np.uint8]:
    content: NDArray[np.uint8] = values.view(torch.uint8).numpy()
    return content
