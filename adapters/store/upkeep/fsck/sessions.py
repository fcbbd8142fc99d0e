"""Checks of training state: the files of sessions against their rows, and leases that nobody holds any more."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from adapters.errors import CorruptAdapterError
from adapters.store.folders import sync
from adapters.store.sessions.lease import holder, is_held
from adapters.store.sessions.sessions import LOCK_NAME, SessionRow, put_session, session_rows
from adapters.store.sessions.state import check_state
from adapters.store.store import AdapterStore
from adapters.store.upkeep.fsck.finding import Finding
from adapters.store.upkeep.fsck.quarantine import quarantine


def sessions(store: AdapterStore) -> Iterator[Finding]:
    """Everything in `sessions/` and its rows; what a living writer holds is its own business."""
    with store.catalog.reading() as db:
        rows = {row.name: row for row in session_rows(db)}
    folders = sorted(store.layout.sessions.iterdir()) if store.layout.sessions.is_dir() else []
    for folder in folders:
        if folder.is_symlink() or not folder.is_dir():
            yield _stranger(store, folder)
        elif not _is_busy(folder):
            yield from _folder(store, folder, rows.get(folder.name))
    for name, row in rows.items():
        folder = store.layout.sessions / name
        if row.file is not None and not _is_busy(folder):
            yield from _state(store, folder, row)


def _folder(store: AdapterStore, folder: Path, row: SessionRow | None) -> Iterator[Finding]:
    for path in sorted(folder.iterdir()):
        if path.name == LOCK_NAME and path.is_file() and not path.is_symlink():
            if dead := holder(path):
                mend = partial(os.truncate, path, 0)
                yield Finding("stale-lease", str(path), f"{dead} died", "its name is wiped out", mend)
        elif path.suffix != ".safetensors" or path.is_symlink() or not path.is_file():
            yield _stranger(store, path)
        elif row is None or path.name != row.file:
            problem = "is not the state of the last save"
            yield Finding("session-leftover", str(path), problem, "it is removed", partial(_remove, path))
    if row is None:
        problem = "its writer died before it began"
        yield Finding("session-leftover", str(folder), problem, "it is removed", partial(_remove, folder))


def _state(store: AdapterStore, folder: Path, row: SessionRow) -> Iterator[Finding]:
    file = folder / str(row.file)
    try:
        check_state(file, row.seal)
    except CorruptAdapterError as error:
        cure = "it is moved to quarantine/; the training goes on from a revision, with fresh moments"
        yield Finding("session-damaged", row.name, str(error), cure, partial(_discard, store, file, row))


def _discard(store: AdapterStore, file: Path, row: SessionRow) -> None:
    if os.path.lexists(file):
        quarantine(store.layout, file)
    with store.catalog.writing() as db:
        put_session(db, SessionRow(row.name, row.token, row.generation))


def _stranger(store: AdapterStore, path: Path) -> Finding:
    mend = partial(_put_aside, store, path)
    return Finding("stranger", str(path), "is no part of a store", "it is moved to quarantine/", mend)


def _put_aside(store: AdapterStore, path: Path) -> None:
    quarantine(store.layout, path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    sync([path.parent])


def _is_busy(folder: Path) -> bool:
    lock = folder / LOCK_NAME
    return lock.is_file() and is_held(lock)
