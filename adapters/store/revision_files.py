"""The files of visible revisions, wherever they lie: a folder of their own or a row of a packed file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from adapters.errors import CorruptAdapterError, StoreError, UnknownAdapterError
from adapters.store import folders
from adapters.store.catalog import queries
from adapters.store.catalog.file import Catalog
from adapters.store.catalog.queries import RevisionRow
from adapters.store.layout import StoreLayout
from adapters.store.packs.shelf import PackShelf
from adapters.store.record import RevisionRecord

if TYPE_CHECKING:  # torch takes seconds to import, and listing needs none of it
    from adapters.lora.adapter import Adapter

_T = TypeVar("_T")


class RevisionFiles:
    """Reading one store's revisions; whatever is read was proved.

    Args:
        layout: of the store.
        catalog: that says what exists.
    """

    def __init__(self, layout: StoreLayout, catalog: Catalog) -> None:
        self._layout = layout
        self._catalog = catalog
        self._packs = PackShelf()

    def row(self, revision: str) -> RevisionRow:
        """What the catalog knows of a revision.

        Raises:
            UnknownAdapterError: no such revision.
        """
        with self._catalog.reading() as db:
            row = queries.revision_row(db, revision)
        if row is None:
            raise UnknownAdapterError(
                f"{revision!r}: no revision of the store {self._layout.root}. Full ids are expected here; "
                f"resolve() turns names, tags and the beginnings of ids into them."
            )
        return row

    def record(self, revision: str) -> RevisionRecord:
        """The manifest with the hashes of tensors and files."""
        return self._read(revision, self._record)

    def open(self, revision: str) -> Adapter:
        """The adapter itself."""
        return self._read(revision, self._open)

    def verify(self, revision: str) -> None:
        """Prove a revision down to the values of its tensors."""
        self._read(revision, self._verify)

    def folder(self, revision: str) -> Path:
        """A revision's own folder.

        Raises:
            StoreError: it has none, since it is in a packed file.
        """
        return self._read(revision, self._folder)

    def is_whole(self, revision: str) -> bool:
        """Whether a revision is there, and undamaged."""
        try:
            self.record(revision)
        except (UnknownAdapterError, CorruptAdapterError):
            return False
        return True

    def _read(self, revision: str, read: Callable[[RevisionRow], _T]) -> _T:
        """Once more when the revision moved, into a pack or out of it, between the look-up and the reading."""
        with folders.disk_errors(self._layout.root):
            row = self.row(revision)
            try:
                return read(row)
            except CorruptAdapterError:
                now = self.row(revision)
                if now.pack == row.pack:
                    raise
                return read(now)

    def _record(self, row: RevisionRow) -> RevisionRecord:
        if row.pack is not None:
            return self._packs.record(self._layout.root / row.pack, row.revision, row.manifest_sha256)
        folder = self._layout.folder(row.revision)
        if folder.parent.is_symlink():
            raise CorruptAdapterError(
                f"{folder.parent}: is a link, which could lead anywhere. Put a folder there."
            )
        return folders.read_sealed(folder, row.manifest_sha256).record

    def _open(self, row: RevisionRow) -> Adapter:
        if row.pack is not None:
            return self._packs.open(self._layout.root / row.pack, row.revision, row.manifest_sha256)
        from adapters.lora.peft_io import read_peft

        record = self._record(row)
        folder = self._layout.folder(row.revision)
        adapter = read_peft(folder)
        if adapter.spec != record.manifest.spec:
            raise CorruptAdapterError(
                f"{folder}: the PEFT config says {adapter.spec}, the manifest {record.manifest.spec}. "
                f"Import or train the adapter again."
            )
        return adapter

    def _verify(self, row: RevisionRow) -> None:
        if row.pack is not None:
            self._packs.prove(self._layout.root / row.pack, row.revision, row.manifest_sha256)
            return
        from adapters.store.tensors import tensor_digest

        if tensor_digest(self._open(row)) != self._record(row).tensors:
            raise CorruptAdapterError(
                f"{self._layout.folder(row.revision)}: the tensors are not those of the revision. "
                f"Import or train the adapter again."
            )

    def _folder(self, row: RevisionRow) -> Path:
        if row.pack is not None:
            raise StoreError(
                f"{row.revision[:12]}: is in the packed file {row.pack} and has no folder of its own; "
                f"`plures adapters unpack {row.revision[:12]}` gives it one."
            )
        self._record(row)
        return self._layout.folder(row.revision)
