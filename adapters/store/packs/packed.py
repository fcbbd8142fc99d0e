"""Read packed files: any adapter of many by one copy out of a memory map, proved when it is first opened.

Opening a file checks its header and its index. A row is proved when it is first asked for: id → record →
tensors, so that what is opened is the very content that the id names, whoever wrote the file. The proof holds
as long as the open file keeps size, inode and times; what serves thousands of requests is hashed once.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.errors import CorruptAdapterError, StoreError, UnknownAdapterError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.spec import LoraSpec
from adapters.safetensors_header import read_header
from adapters.store.canonical import is_sha256
from adapters.store.packs.header import judge_header
from adapters.store.packs.writer import ID_BYTES
from adapters.store.record import NewerFormatError, RevisionRecord, record_of
from adapters.store.tensors import all_finite
from adapters.untrusted import UntrustedError, open_regular


class Stacked(NamedTuple):
    """Many adapters of one shape as stacks, row i of each belonging to `revisions[i]`.

    Args:
        revisions: full ids.
        spec: rank, scale, targets and first layer.
        pairs: module path → A [n, r, d_in] and B [n, d_out, r]; with the experts of a projection stacked,
            `*` for their number in the path, [n, experts, r, d_in] and [n, experts, d_out, r].
    """

    revisions: tuple[str, ...]
    spec: LoraSpec
    pairs: Mapping[str, LoraPair]


class PackedFile:
    """An open packed file; safe to share between threads.

    What it gives belongs to the caller: it stays valid when the file is closed, cut or deleted, and writing to it
    changes neither the file nor what others get.

    Args:
        path: of the file.

    Raises:
        CorruptAdapterError: no packed file, a damaged or a hostile one.
        StoreError: written by a newer version.
        OSError: from the file system.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._judged(), open_regular(self.path) as file:
            self._state = _state(file.fileno())
            header = judge_header(read_header(file, self._state.size))
            self.layout, self._places, self._count = header
            self._map = mmap.mmap(file.fileno(), self._state.size, access=mmap.ACCESS_READ)
            self._descriptor = os.dup(file.fileno())
            self._close = weakref.finalize(self, os.close, self._descriptor)
            self._ids = self._array("revisions", f"S{ID_BYTES}")
            self._ends = self._array("record_ends", "<i8")
            self._check_index()
        self._proved: set[int] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> PackedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._count

    def __contains__(self, revision: object) -> bool:
        with self._judged():
            self._ensure_unchanged()
            return isinstance(revision, str) and self._find(revision) is not None

    @property
    def is_current(self) -> bool:
        """Whether the path still leads to this very file, untouched since it was opened."""
        try:
            return _state(self.path) == self._state
        except FileNotFoundError:
            return False

    @property
    def revisions(self) -> tuple[str, ...]:
        """Full ids of all members, in ascending order."""
        with self._judged():
            self._ensure_unchanged()
            content = bytes(self._bytes("revisions")).hex()
        return tuple(content[i : i + 2 * ID_BYTES] for i in range(0, len(content), 2 * ID_BYTES))

    def close(self) -> None:
        """Give the file back; adapters that were opened stay valid."""
        self._close()

    def record_bytes(self, revision: str) -> bytes:
        """The `manifest.json` of a member, as it was packed; raises as `record` does."""
        with self._judged():
            return self._record_bytes(self._row(revision))

    def record(self, revision: str) -> RevisionRecord:
        """Manifest and hashes of a member, proved to be those of the id.

        Raises:
            UnknownAdapterError: no member.
            CorruptAdapterError: altered, or the record of another revision.
            StoreError: written by a newer version.
        """
        with self._judged():
            return self._record(self._row(revision), revision)

    def open(self, revision: str) -> Adapter:
        """One adapter, proved; all its tensors are views of one copy of its row. Raises as `record` does."""
        with self._judged():
            row = self._row(revision)
            content = self._copy(row)
            if row not in self._proved:
                self._prove(row, revision, content)
            return self.layout.adapter(self._values(content))

    def prove(self, revision: str, *, again: bool = False) -> None:
        """Hash a member's record and tensors, unless that was done since the file was last touched.

        Args:
            revision: full id.
            again: hash now, whatever was proved before.

        Raises as `record` does.
        """
        with self._judged():
            row = self._row(revision)
            if again or row not in self._proved:
                self._prove(row, revision, self._copy(row))

    def stack(self, *, prove: bool = True) -> Stacked:
        """All adapters at once, as views of a private map of the file; nothing is copied or read yet.

        Args:
            prove: hash every row that was not proved yet. Without it, damage shows as wrong values only.

        Raises:
            CorruptAdapterError: a damaged row; names it.
        """
        with self._judged():
            revisions = self.revisions
            if prove:
                for row, revision in enumerate(revisions):
                    if row not in self._proved:
                        self._prove(row, revision, self._copy(row))
            own = mmap.mmap(self._descriptor, self._state.size, access=mmap.ACCESS_COPY)
            start, n = self._places["adapters"].start, self._count * self.layout.length
            rows = torch.frombuffer(own, dtype=self.layout.torch_dtype, count=n, offset=start)
            rows = rows.view(self._count, self.layout.length)
            return Stacked(revisions, self.layout.spec, self.layout.stacked(rows))

    def _ensure_unchanged(self) -> None:
        """Forget proofs of a file that was touched; reading past the end of a cut one would kill the process."""
        found = _state(self._descriptor)
        if found == self._state:
            return
        if found.size != self._state.size:
            raise UntrustedError(f"has {found.size} bytes now; it had {self._state.size} when it was opened")
        with self._lock:
            self._proved.clear()
            self._state = found

    def _prove(self, row: int, revision: str, content: bytearray) -> None:
        record = self._record(row, revision)
        if record.manifest.spec != self.layout.spec:
            raise UntrustedError(f"has a layout for {self.layout.spec}, but {revision} is of another spec")
        if self.layout.digest(memoryview(content)) != record.tensors:
            raise UntrustedError(f"was altered: the tensors of {revision} are not those of its record")
        if not all_finite(self._values(content)):
            raise UntrustedError(f"holds NaN or infinity among the values of {revision}")
        self._proved.add(row)

    def _record(self, row: int, revision: str) -> RevisionRecord:
        return record_of(self._record_bytes(row), revision)

    def _record_bytes(self, row: int) -> bytes:
        start = int(self._ends[row - 1]) if row else 0
        content = bytes(self._bytes("records")[start : int(self._ends[row])])
        stated = self._bytes("record_hashes")[ID_BYTES * row : ID_BYTES * (row + 1)]
        if hashlib.sha256(content).digest() != stated:
            raise UntrustedError(f"was altered: the record in row {row} has another hash")
        return content

    def _row(self, revision: str) -> int:
        self._ensure_unchanged()
        row = self._find(revision)
        if row is None:
            raise UnknownAdapterError(
                f"{self.path}: holds no revision {revision!r}; it holds {self._count} others"
            )
        return row

    def _find(self, revision: str) -> int | None:
        """By bisection in the map: nothing is built, however many members there are."""
        if not is_sha256(revision):
            return None
        wanted = np.frombuffer(bytes.fromhex(revision), dtype=self._ids.dtype)
        row = int(np.searchsorted(self._ids, wanted)[0])
        return row if row < self._count and self._ids[row] == wanted[0] else None

    def _values(self, content: bytearray) -> Tensor:
        return torch.frombuffer(content, dtype=self.layout.torch_dtype)

    def _copy(self, row: int) -> bytearray:
        """The bytes of a row: views of the map would let one reader change what the next one gets."""
        size = self.layout.row_bytes
        return bytearray(self._bytes("adapters")[row * size : (row + 1) * size])

    def _bytes(self, tensor: str) -> memoryview:
        place = self._places[tensor]
        return memoryview(self._map)[place.start : place.stop]

    def _array(self, tensor: str, dtype: str) -> NDArray[Any]:
        return np.frombuffer(self._bytes(tensor), dtype=dtype)

    def _check_index(self) -> None:
        if not (self._ids[:-1] < self._ids[1:]).all():
            raise UntrustedError("has revisions out of order, or one twice")
        records = self._places["records"]
        ends = np.concatenate([[0], self._ends])
        if ends[-1] != records.stop - records.start or (np.diff(ends) <= 0).any():
            raise UntrustedError("has records that overlap or end outside their place")

    @contextmanager
    def _judged(self) -> Iterator[None]:
        try:
            yield
        except NewerFormatError as error:
            raise StoreError(f"{self.path}: {error}") from error
        except UntrustedError as error:
            raise CorruptAdapterError(
                f"{self.path}: {error}. Copy the file again from where it is whole, or pack the adapters again."
            ) from error


class _State(NamedTuple):
    """What changes when somebody touches a file."""

    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def _state(file: int | Path) -> _State:
    found = os.stat(file)  # noqa: PTH116 - of a descriptor, too
    return _State(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
