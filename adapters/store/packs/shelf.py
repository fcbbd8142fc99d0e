"""The packed files that a store has open: mapped once, used for every row, replaced when the file is."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.errors import CorruptAdapterError, StoreError
from adapters.store.catalog.queries import PackRow
from adapters.store.folders import check_no_link
from adapters.store.layout import StoreLayout
from adapters.store.record import RevisionRecord

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter
    from adapters.store.packs.packed import PackedFile


class PackShelf:
    """Keeps the most recently used packed files open; safe to share between threads.

    Args:
        most: files open at once, at least 1.
    """

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._open: OrderedDict[Path, PackedFile] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, file: Path, revision: str, record_sha256: str) -> Adapter:
        """The adapter of a row.

        Args:
            file: packed file.
            revision: full id.
            record_sha256: what the catalog knows of its `manifest.json`.

        Raises:
            UnknownAdapterError: not in this file.
            CorruptAdapterError: a missing or damaged file, or another record than the catalog's.
            StoreError: written by a newer version.
            OSError: from the file system.
        """
        pack = self._get(file)
        _check_record(pack, revision, record_sha256)
        return pack.open(revision)

    def record(self, file: Path, revision: str, record_sha256: str) -> RevisionRecord:
        """The record of a row that was proved; arguments and errors as of `open`."""
        pack = self._get(file)
        _check_record(pack, revision, record_sha256)
        pack.prove(revision)
        return pack.record(revision)

    def prove(self, file: Path, revision: str, record_sha256: str) -> None:
        """Hash a row down to its values now; arguments and errors as of `open`."""
        pack = self._get(file)
        _check_record(pack, revision, record_sha256)
        pack.prove(revision, again=True)

    def _get(self, file: Path) -> PackedFile:
        from adapters.store.packs.packed import PackedFile

        with self._lock:
            pack = self._open.get(file)
            if pack is None or not pack.is_current:
                try:
                    pack = PackedFile(file)
                except FileNotFoundError as error:
                    self._open.pop(file, None)
                    raise CorruptAdapterError(
                        f"{file}: is missing. Restore it from a backup, or import or train its adapters again."
                    ) from error
                self._open[file] = pack
            self._open.move_to_end(file)
            while len(self._open) > self._most:
                self._open.popitem(last=False)  # closes by itself when nobody uses it any more
            return pack


def check_in_place(layout: StoreLayout, pack: PackRow) -> None:
    """Let a packed file pass that lies where its row says, with the size that its row says.

    Raises:
        StoreError: it does not.
    """
    check_no_link(layout.packs)
    file = layout.root / pack.file
    if file.parent != layout.packs or file.is_symlink() or not file.is_file():
        raise StoreError(
            f"{file}: no packed file there; move it into {layout.packs} and register it inside one "
            f"`with store.writing():`"
        )
    if (size := file.stat().st_size) != pack.size:
        raise StoreError(f"{file}: has {size} bytes, not {pack.size} as its row says; finish it first")


def _check_record(pack: PackedFile, revision: str, record_sha256: str) -> None:
    if hashlib.sha256(pack.record_bytes(revision)).hexdigest() != record_sha256:
        raise CorruptAdapterError(
            f"{pack.path}: the record of {revision} was altered: its hash is not the one in the catalog. "
            f"Restore the file from a backup, or import or train the adapter again."
        )
