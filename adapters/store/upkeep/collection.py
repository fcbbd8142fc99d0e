"""Garbage collection in two phases: what nothing names loses its row at once and its files later.

An engine may have a revision registered by its path long after the catalog forgot it, and breaks when the folder goes
(vLLM drops a name in its front end only; the weights leave when others need the room). So files stay where they are
for a grace period. Publishing the same content again within it takes them back.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.store.catalog import condemned, queries
from adapters.store.folders import check_no_link, disk_errors, sync
from adapters.store.locks import held
from adapters.store.upkeep import retention
from adapters.store.upkeep.retention import Retention

if TYPE_CHECKING:
    from adapters.store.store import AdapterStore

GRACE = timedelta(hours=24)
"""How long files outlive their names, unless a caller says otherwise."""

_EVERYTHING_NAMED = Retention()


@dataclass(frozen=True, slots=True)
class Collection:
    """What a garbage collection did, or would do.

    Args:
        applied: whether it was done.
        names: retired names that were forgotten.
        entries: history entries that were forgotten, those of forgotten names not counted.
        unnamed: revisions that lost their rows; their files stay for the grace period.
        deleted: folders and packs whose grace period was over, below the store's folder.
        waiting: folders and packs whose grace period is still running.
        size: bytes of `deleted`.
    """

    applied: bool
    names: tuple[str, ...]
    entries: int
    unnamed: tuple[str, ...]
    deleted: tuple[str, ...]
    waiting: tuple[str, ...]
    size: int


def collect(
    store: AdapterStore,
    wanted: Retention = _EVERYTHING_NAMED,
    *,
    grace: timedelta = GRACE,
    apply: bool = False,
    now: datetime | None = None,
) -> Collection:
    """Remove what nothing names (`retention.py` says what does), and what dead writers left.

    Args:
        store: to clean; others may use it meanwhile, writers wait for moments.
        wanted: what to let go beyond what is unnamed already.
        grace: how long files stay after losing their names, at most a hundred years.
        apply: do it; otherwise only say what would be done.
        now: the time; None for the clock's.

    Returns:
        What was done, or would be.

    Raises:
        ValueError: a negative or endless grace period.
        StoreError: no store there, writers that do not end, or a disk that refuses. Repeat it then: nothing
            named is ever touched.
    """
    if not timedelta(0) <= grace <= timedelta(days=retention.MOST_DAYS):
        raise ValueError(f"grace: got {grace}; expected 0 to {retention.MOST_DAYS} days")
    now = now or datetime.now(UTC)
    if not apply:
        with store.catalog.writing() as db:
            db.execute("SAVEPOINT rehearsal")
            planned = _unname(db, store, wanted, now, now - grace)
            db.execute("ROLLBACK TO rehearsal")
        return replace(planned, applied=False)
    store.catalog.require()  # where there is no store, no lock file is to be made
    store.sweep()
    with disk_errors(store.root), held(store.layout.lock, exclusive=True, wait=store.wait):
        with store.catalog.writing() as db:
            done = _unname(db, store, wanted, now, now - grace)
        _delete(store, done.deleted)
    return done


def _unname(
    db: sqlite3.Connection, store: AdapterStore, wanted: Retention, now: datetime, due: datetime
) -> Collection:
    """The whole of it in the catalog, but for the rows of files that are still to be deleted."""
    at = now.isoformat(timespec="microseconds")
    names = retention.forget_names(db, wanted, now)
    entries = retention.forget_history(db, wanted)
    unnamed = retention.unnamed_revisions(db, wanted)
    for revision in unnamed:
        row = queries.revision_row(db, revision)
        if row is not None and row.pack is None:
            condemned.condemn(db, store.layout.folder(revision).relative_to(store.root), at)
        queries.delete_revision(db, revision)
    for pack in retention.empty_packs(db):
        condemned.condemn(db, Path(pack), at)
        db.execute("DELETE FROM packs WHERE file = ?", (pack,))
    condemned.acquit(db, condemned.taken_back(db))
    deleted = condemned.condemned_before(db, due.isoformat(timespec="microseconds"))
    waiting = [file for file in condemned.condemned_files(db) if file not in set(deleted)]
    return Collection(
        applied=True,
        names=tuple(names),
        entries=entries,
        unnamed=tuple(unnamed),
        deleted=tuple(deleted),
        waiting=tuple(waiting),
        size=sum(_size(store.root / file) for file in deleted),
    )


def _delete(store: AdapterStore, files: Sequence[str]) -> None:
    """First out of sight, then out of the catalog, then off the disk: whatever is cut short, goes on next time."""
    doomed = store.layout.staging / uuid.uuid4().hex
    doomed.mkdir(parents=True)
    paths = [store.root / file for file in files if os.path.lexists(store.root / file)]
    for path in paths:
        check_no_link(path.parent)
        path.rename(doomed / path.name)
    sync({path.parent for path in paths})
    with store.catalog.writing() as db:
        condemned.acquit(db, files)
    shutil.rmtree(doomed)


def _size(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.exists())
