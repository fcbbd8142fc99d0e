"""Checks of what lies in a store's folders against the catalog's rows; only while writers are kept out."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from adapters.errors import CorruptAdapterError, StoreError
from adapters.store.canonical import is_sha256
from adapters.store.catalog import queries
from adapters.store.catalog.condemned import acquit, condemned_files
from adapters.store.catalog.shape import shape_of
from adapters.store.drafts import catalog_row
from adapters.store.folders import read_sealed, sync
from adapters.store.store import AdapterStore
from adapters.store.upkeep.fsck.finding import Finding
from adapters.store.upkeep.fsck.quarantine import quarantine

_ASIDE = "it is moved to quarantine/"


def leftovers(store: AdapterStore) -> Iterator[Finding]:
    """What dead writers left in the staging folder."""
    for path in _entries(store.layout.staging):
        yield Finding("leftover", str(path), "its writer died", "it is removed", partial(_remove, path))


def folders(store: AdapterStore) -> Iterator[Finding]:
    """Everything below `revisions/`."""
    with store.catalog.reading() as db:
        condemned = set(condemned_files(db))
        for shard in _entries(store.layout.revisions):
            if shard.is_symlink() or not shard.is_dir() or len(shard.name) != 2:
                yield _stranger(store, shard)
                continue
            for path in _entries(shard):
                if not is_sha256(path.name) or path != store.layout.folder(path.name):
                    yield _stranger(store, path)
                elif row := queries.revision_row(db, path.name):
                    if row.pack is not None and _relative(store, path) not in condemned:
                        yield _double(store, path, row.pack)
                elif _relative(store, path) not in condemned:
                    yield _orphan(store, path)


def packs(store: AdapterStore) -> Iterator[Finding]:
    """Everything in `packs/`."""
    with store.catalog.reading() as db:
        known = {pack.file for pack in queries.packs(db)} | set(condemned_files(db))
        for path in _entries(store.layout.packs):
            if _relative(store, path) in known:
                continue
            if path.suffix != ".safetensors" or path.is_symlink() or not path.is_file():
                yield _stranger(store, path)
            elif _is_superfluous(store, db, path):
                problem = "without a row; all it holds is elsewhere in the store"
                yield Finding("orphan-pack", str(path), problem, "it is removed", partial(_remove, path))
            else:
                problem = "without a row; it is damaged, or holds what is nowhere else"
                yield Finding("orphan-pack", str(path), problem, _ASIDE, partial(_put_aside, store, path))


def cut_short(store: AdapterStore) -> Iterator[Finding]:
    """Files that garbage collection deleted before it was cut short."""
    with store.catalog.reading() as db:
        files = condemned_files(db)
    for file in files:
        if not os.path.lexists(store.root / file):
            mend = partial(_acquit, store, file)
            yield Finding("condemned-gone", file, "is deleted, its row is not", "the row is removed", mend)


def quarantined(store: AdapterStore) -> Iterator[Finding]:
    """What is in quarantine, as one remark."""
    if found := _entries(store.layout.quarantine):
        yield Finding(
            "quarantine",
            str(store.layout.quarantine),
            f"{len(found)} things are there",
            "look at them, then delete them by hand",
        )


CHECKS: tuple[Callable[[AdapterStore], Iterator[Finding]], ...] = (
    leftovers,
    folders,
    packs,
    cut_short,
    quarantined,
)
"""In this order."""


def _stranger(store: AdapterStore, path: Path) -> Finding:
    mend = partial(_put_aside, store, path)
    return Finding("stranger", str(path), "is no part of a store", _ASIDE, mend)


def _orphan(store: AdapterStore, path: Path) -> Finding:
    try:
        read_sealed(path)
    except CorruptAdapterError as error:
        mend = partial(_put_aside, store, path)
        return Finding("damaged-revision", str(path), f"has no row and is damaged: {error}", _ASIDE, mend)
    return Finding(
        "orphan-folder",
        str(path),
        "a whole revision without a row",
        "it becomes visible by its id; tag it to keep it, or let `gc` remove it",
        partial(_adopt, store, path),
    )


def _double(store: AdapterStore, path: Path, pack: str) -> Finding:
    problem = f"is in {pack} already"
    if _proves(store, path.name):
        return Finding("double-folder", str(path), problem, "it is removed", partial(_remove, path))
    problem += ", where it is damaged"
    if _is_sealed(path):
        cure, mend = "the folder takes its place", partial(_adopt, store, path)
    else:
        cure, mend = _ASIDE, partial(_put_aside, store, path)
    return Finding("double-folder", str(path), problem, cure, mend)


def _is_sealed(folder: Path) -> bool:
    try:
        read_sealed(folder)
    except CorruptAdapterError:
        return False
    return True


def _is_superfluous(store: AdapterStore, db: sqlite3.Connection, pack: Path) -> bool:
    from adapters.store.packs.packed import PackedFile

    try:
        with PackedFile(pack) as opened:
            members = opened.revisions
    except (CorruptAdapterError, StoreError):
        return False
    return all(queries.revision_row(db, member) and _proves(store, member) for member in members)


def _proves(store: AdapterStore, revision: str) -> bool:
    try:
        store.verify(revision)
    except CorruptAdapterError:
        return False
    return True


def _adopt(store: AdapterStore, path: Path) -> None:
    """Let a row say that the files of a revision are in this folder."""
    from adapters.lora.peft_io import read_peft

    sealed = read_sealed(path)
    row = catalog_row(sealed, shape_of(read_peft(path)))
    with store.catalog.writing() as db:
        queries.put_revision(db, row, sealed.record.manifest.metrics)


def _acquit(store: AdapterStore, file: str) -> None:
    with store.catalog.writing() as db:
        acquit(db, [file])


def _put_aside(store: AdapterStore, path: Path) -> None:
    quarantine(store.layout, path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    sync([path.parent])


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _relative(store: AdapterStore, path: Path) -> str:
    return str(path.relative_to(store.root))
