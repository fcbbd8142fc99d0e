"""Move revisions of a store between folders of their own and packed files, and write packed files to hand out.

Nothing that is visible changes but where the bytes lie: ids, names, records and hashes stay. A folder whose
revision was packed is condemned like any other that nothing needs, and goes with `gc` after its grace period,
since an engine may still have it registered by its path.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters.errors import StoreError
from adapters.store.catalog import condemned, queries
from adapters.store.catalog.queries import PackRow, RevisionRow
from adapters.store.drafts import utc_now
from adapters.store.folders import RECORD_NAME, check_no_link, disk_errors, install, sync, sync_folders
from adapters.store.record import FileSeal, RevisionRecord

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter
    from adapters.store.packs.packed import PackedFile
    from adapters.store.packs.writer import PackMember
    from adapters.store.store import AdapterStore

_READ_ONLY, _WRITABLE = 0o444, 0o644

Report = Callable[[int, int], None]
"""Called with how many adapters are done, and how many there are."""


class Packed(NamedTuple):
    """A packed file, and the full ids of what it holds in ascending order."""

    file: Path
    revisions: tuple[str, ...]


def seal(content: bytes) -> FileSeal:
    """Size and hash of a file's content."""
    return FileSeal(len(content), hashlib.sha256(content).hexdigest())


def folder_files(store: AdapterStore, revision: str) -> dict[str, bytes]:
    """The three files of a revision's folder by name, whether it has one or lies in a packed file.

    Raises:
        UnknownAdapterError: no such revision.
        CorruptAdapterError: a damaged one.
    """
    from adapters.lora.peft_io import CONFIG_NAME, WEIGHTS_NAME

    if store.row(revision).pack is None:
        folder = store.path(revision)
        return {name: (folder / name).read_bytes() for name in (CONFIG_NAME, WEIGHTS_NAME, RECORD_NAME)}
    return _files_of(store.open(revision), store.record(revision))


def pack_in_place(
    store: AdapterStore, revisions: Sequence[str], *, on_adapter: Report | None = None
) -> list[Packed]:
    """Bring revisions of a store together in packed files, one for each base and shape.

    Args:
        store: where they are, in folders or in other packed files.
        revisions: full ids.
        on_adapter: see `Report`.

    Returns:
        The files, those that were there already included.

    Raises:
        UnknownAdapterError: no such revision.
        CorruptAdapterError: a damaged one. Nothing was moved of its group.
        StoreError: a store that cannot be written, or a revision that changed meanwhile.
    """
    chosen = sorted(set(revisions))
    report = Count(on_adapter, len(chosen))
    return [_pack_group(store, group, report) for group in _groups(store, chosen)]


def unpack_in_place(
    store: AdapterStore, revisions: Sequence[str], *, on_adapter: Report | None = None
) -> list[Path]:
    """Give revisions folders of their own again, which PEFT and vLLM can read.

    Args:
        store: where they are; those that have a folder are left alone.
        revisions: full ids.
        on_adapter: see `Report`.

    Returns:
        The folders.

    Raises:
        UnknownAdapterError: no such revision.
        CorruptAdapterError: a damaged one. Nothing was moved.
        StoreError: a store that cannot be written.
    """
    chosen = sorted(set(revisions))
    report = Count(on_adapter, len(chosen))
    moved: dict[RevisionRow, RevisionRecord] = {}
    with store.writing() as batch:
        for row in map(store.row, chosen):
            report.one()
            if row.pack is None:
                continue
            files = folder_files(store, row.revision)
            write_files(batch / row.revision, files, mode=_READ_ONLY)
            size = sum(map(len, files.values()))
            changed = row._replace(pack=None, size=size, manifest_sha256=seal(files[RECORD_NAME]).sha256)
            moved[changed] = RevisionRecord.from_bytes(files[RECORD_NAME])
        sync_folders([batch / row.revision for row in moved])
        with store.catalog.writing() as db:
            for row, record in moved.items():
                folder = store.layout.folder(row.revision)
                install(batch / row.revision, folder, row.manifest_sha256)
                queries.put_revision(db, row, record.manifest.metrics)
            condemned.acquit(db, condemned.taken_back(db))
            sync({store.layout.folder(row.revision).parent for row in moved} | {store.layout.revisions})
    return [store.layout.folder(revision) for revision in chosen]


def pack_out(
    store: AdapterStore, revisions: Sequence[str], file: str | Path, *, on_adapter: Report | None = None
) -> Packed:
    """Write revisions of one base and shape to a packed file of one's own; the store stays as it is.

    Args:
        store: where they are.
        revisions: full ids.
        file: must not exist; appears whole or not at all.
        on_adapter: see `Report`.

    Raises:
        BaseMismatchError: revisions of several bases or shapes.
        UnknownAdapterError: no such revision.
        CorruptAdapterError: a damaged one.
        StoreError: no revisions, a file that exists or cannot be written.
    """
    from adapters.store.packs.writer import write_pack

    chosen = sorted(set(revisions))
    file = Path(file).absolute()
    with disk_errors(file):
        if os.path.lexists(file):
            raise StoreError(f"{file}: is there already; choose a new name")
        partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
        try:
            write_pack(
                partial, [_member(store, r) for r in chosen], on_row=Count(on_adapter, len(chosen)).one
            )
            sync([partial])
            os.link(partial, file)  # fails where another process was faster
            sync([file.parent])
        finally:
            partial.unlink(missing_ok=True)
    return Packed(file, tuple(chosen))


def unpack_out(pack: PackedFile, folder: str | Path, *, on_adapter: Report | None = None) -> list[Path]:
    """Write every member of a packed file as a PEFT folder with its manifest, named by its revision.

    Args:
        pack: an open packed file.
        folder: must not exist; appears whole or not at all.
        on_adapter: see `Report`.

    Raises:
        CorruptAdapterError: a damaged member.
        StoreError: a folder that exists or cannot be written.
    """
    folder = Path(folder).absolute()
    report = Count(on_adapter, len(pack))
    with disk_errors(folder):
        if os.path.lexists(folder):
            raise StoreError(f"{folder}: is there already; choose a new name")
        partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        try:
            partial.mkdir(parents=True)
            for revision in pack.revisions:
                files = _files_of(pack.open(revision), pack.record(revision))
                write_files(partial / revision, files, mode=_WRITABLE)
                report.one()
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # gone after the move
    return [folder / revision for revision in pack.revisions]


def write_files(folder: Path, files: Mapping[str, bytes], *, mode: int) -> None:
    """Write a new folder; not yet durable.

    Raises:
        OSError: from the file system.
    """
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(mode)


class Count:
    """Adapters done so far.

    Args:
        report: whom to tell, or None.
        total: how many there are.
    """

    def __init__(self, report: Report | None, total: int) -> None:
        self._report, self._done, self._total = report, 0, total

    def one(self) -> None:
        """One more is done."""
        self._done += 1
        if self._report is not None:
            self._report(self._done, self._total)


def _groups(store: AdapterStore, revisions: Sequence[str]) -> list[list[RevisionRow]]:
    """Rows that can share a file, in order of their first revision."""
    groups: dict[object, list[RevisionRow]] = {}
    for row in map(store.row, revisions):
        spec = store.manifest(row.revision).spec
        groups.setdefault((row.base_fingerprint, spec, row.shape), []).append(row)
    return list(groups.values())


def _pack_group(store: AdapterStore, rows: Sequence[RevisionRow], report: Count) -> Packed:
    from adapters.store.packs.writer import pack_id, write_pack

    revisions = tuple(row.revision for row in rows)
    name = f"{pack_id(revisions)}.safetensors"
    file = store.layout.packs / name
    place = str(file.relative_to(store.root))
    if all(row.pack == place for row in rows):
        for _ in rows:
            report.one()
        return Packed(file, revisions)
    members = [_member(store, revision) for revision in revisions]
    with store.writing() as batch:
        sealed = write_pack(batch / name, members, on_row=report.one)
        sync([batch / name])
        now = utc_now()
        with store.catalog.writing() as db:
            _check_unchanged(db, rows)
            store.layout.packs.mkdir(exist_ok=True)
            check_no_link(store.layout.packs)
            (batch / name).replace(file)
            sync([store.layout.packs, store.root])
            queries.put_pack(db, PackRow(place, sealed.sha256, sealed.size, now))
            for row, member in zip(rows, members, strict=True):
                packed = row._replace(
                    pack=place, size=sealed.size // len(rows), manifest_sha256=seal(member.record).sha256
                )
                metrics = RevisionRecord.from_bytes(member.record).manifest.metrics
                queries.put_revision(db, packed, metrics)
                if row.pack is None:
                    folder = store.layout.folder(row.revision).relative_to(store.root)
                    condemned.condemn(db, folder, now)
            condemned.acquit(db, [place])
    return Packed(file, revisions)


def _check_unchanged(db: sqlite3.Connection, rows: Sequence[RevisionRow]) -> None:
    for row in rows:
        now = queries.revision_row(db, row.revision)
        if now is None or (now.pack, now.manifest_sha256) != (row.pack, row.manifest_sha256):
            raise StoreError(
                f"{row.revision}: was moved or removed by another process meanwhile. Nothing was packed; try again."
            )


def _member(store: AdapterStore, revision: str) -> PackMember:
    from adapters.store.packs.writer import PackMember

    return PackMember(store.record(revision).to_bytes(), lambda: store.open(revision))


def _files_of(adapter: Adapter, record: RevisionRecord) -> dict[str, bytes]:
    """The folder of a packed adapter; its record is the packed one, unless files are written otherwise today."""
    from adapters.lora.peft_io import peft_files

    files = peft_files(adapter, base_ref=record.manifest.base_name)
    seals = {name: seal(content) for name, content in files.items()}
    return {**files, RECORD_NAME: replace(record, files=seals).to_bytes()}
