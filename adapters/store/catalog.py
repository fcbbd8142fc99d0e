"""The SQLite file that says which revisions exist: opening it, its schema, its errors in plain words.

Rollback journal, not WAL: a reader needs no write access, the file is whole by itself and can be copied, and
writers hold it for milliseconds. `synchronous = EXTRA` makes a commit survive a power cut. Every
operation has a connection of its own, so that a catalog may be shared by threads and inherited by forks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from adapters.errors import StoreError

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x504C5552  # "PLUR"

_SCHEMA = """
CREATE TABLE revisions (
    revision TEXT PRIMARY KEY,
    base_name TEXT NOT NULL,
    base_fingerprint TEXT NOT NULL,
    kind TEXT NOT NULL,
    rank INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    data_hash TEXT NOT NULL,
    training_key TEXT NOT NULL,
    parent TEXT,
    created_at TEXT NOT NULL,
    size INTEGER NOT NULL,            -- bytes of all files
    manifest_sha256 TEXT NOT NULL     -- of the bytes of manifest.json
) WITHOUT ROWID;
CREATE INDEX revisions_by_training_key ON revisions (training_key);

-- What each name has stood for (the entry with the highest sequence is its head)
CREATE TABLE history (
    name TEXT NOT NULL,
    sequence INTEGER NOT NULL,        -- 1, 2, 3, ...
    revision TEXT NOT NULL REFERENCES revisions (revision),
    published_at TEXT NOT NULL,
    PRIMARY KEY (name, sequence)
) WITHOUT ROWID;
CREATE INDEX history_by_revision ON history (revision);

CREATE TABLE tags (
    tag TEXT PRIMARY KEY,
    revision TEXT NOT NULL REFERENCES revisions (revision)
) WITHOUT ROWID;
CREATE INDEX tags_by_revision ON tags (revision);
"""

_CURES = {
    sqlite3.SQLITE_BUSY: "another process keeps it locked; try again when it is done",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the owner and permissions of the store's folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the store's folder exists and may be read",
    sqlite3.SQLITE_PERM: "it may not be opened; check the owner and permissions of the store's folder",
    sqlite3.SQLITE_FULL: "the disk is full; free space and try again, nothing was changed",
    sqlite3.SQLITE_IOERR: "the disk failed; check it, then try again",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite file; restore it from a backup",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a backup",
}


class Catalog:
    """One catalog file.

    Args:
        path: of the SQLite file; nothing is opened or created until it is used.
        wait: seconds to wait for other writers.
    """

    def __init__(self, path: Path, *, wait: float) -> None:
        self.path = path
        self._wait = wait

    def exists(self) -> bool:
        """Whether there is a catalog with a schema; a file that a crash left empty is none.

        Raises:
            StoreError: when the file is something else, unreadable or of a newer version.
        """
        if not self.path.is_file():
            return False
        with self._connected("rw") as db:
            return self._version(db) > 0

    def create(self) -> None:
        """Make an empty catalog unless another process just did.

        Raises:
            StoreError: when the folder cannot be written or the file is something else.
        """
        with self._connected("rwc") as db:
            db.execute("BEGIN IMMEDIATE")
            if self._version(db) == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A consistent view for the time of the block.

        Opened for writing where that is allowed, since only then can SQLite undo what a killed writer left.

        Raises:
            StoreError: when there is no catalog, or it cannot be read.
        """
        with self._existing() as db:
            db.execute("PRAGMA query_only = ON")
            db.execute("BEGIN")
            yield db
            db.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The only writer for the time of the block; committed at its end, undone when it raises.

        Raises:
            StoreError: when there is no catalog, or it cannot be written.
        """
        with self._existing() as db:
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    @contextmanager
    def _existing(self) -> Iterator[sqlite3.Connection]:
        if not self.path.is_file():
            raise self._missing()
        with self._connected("rw") as db:
            if self._version(db) == 0:
                raise self._missing()
            yield db

    @contextmanager
    def _connected(self, mode: str) -> Iterator[sqlite3.Connection]:
        """Closing a connection undoes its open transaction."""
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=self._wait, isolation_level=None)) as db:
                yield db
        except sqlite3.DatabaseError as error:
            cure = _CURES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
            if cure is None:
                raise
            raise StoreError(f"{self.path}: {cure} ({error})") from error

    def _version(self, db: sqlite3.Connection) -> int:
        """0 for a file without content, else the schema version."""
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        application = int(db.execute("PRAGMA application_id").fetchone()[0])
        tables = int(db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        if application == 0 and tables == 0:
            return 0
        if application != _APPLICATION_ID:
            raise StoreError(
                f"{self.path}: an SQLite file, but no adapter catalog; choose another folder as store"
            )
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path}: written by a newer Plures (catalog version {version}; this one reads up to "
                f"{SCHEMA_VERSION}). Upgrade Plures to use this store."
            )
        return version

    def _missing(self) -> StoreError:
        return StoreError(
            f"{self.path.parent}: no adapter store there (no {self.path.name}). Give the folder of a store, "
            f"or make one by publishing into it: `plures adapters train` or `plures adapters import`."
        )
