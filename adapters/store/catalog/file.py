"""The SQLite file that says what exists in a store: opening it, keeping it at the present version, its errors.

Rollback journal, not WAL: a reader needs no write access, the file is whole by itself and can be copied, and
writers hold it for milliseconds. `synchronous = EXTRA` makes a commit survive a power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from adapters.errors import StoreError
from adapters.store.catalog.migration import from_version_1
from adapters.store.catalog.schema import SCHEMA, SCHEMA_VERSION
from adapters.store.layout import StoreLayout

_APPLICATION_ID = 0x504C5552  # "PLUR"
_BULK_CACHE_KIB = 256 * 1024

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

_LEFT_BEHIND = (
    "a writer was killed in the middle; any command on the store, such as `plures adapters stats`, undoes it"
)


class _State(NamedTuple):
    """What a file looks like from outside; another state may be another file."""

    device: int
    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> _State | None:
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class Catalog:
    """One catalog file, safe to share between threads and to inherit by forks.

    Connections are kept for the next operation, since opening one costs more than a look-up. One is used again only
    while the file is as it was left, and never in another process than the one that opened it.

    Args:
        path: of the SQLite file; nothing is opened or created until it is used.
        wait: seconds to wait for other writers.
        read_only: never write, not even to undo what a killed writer left or to bring an older version up to date.
    """

    def __init__(self, path: Path, *, wait: float, read_only: bool = False) -> None:
        self.path = path
        self._wait = wait
        self._read_only = read_only
        self._idle: list[tuple[sqlite3.Connection, _State]] = []
        self._inherited: list[tuple[sqlite3.Connection, _State]] = []
        self._process = os.getpid()

    def __reduce__(self) -> tuple[object, ...]:
        return _catalog, (self.path, self._wait, self._read_only)

    def exists(self) -> bool:
        """Whether there is a catalog with a schema; a file that a crash left empty is none.

        Raises:
            StoreError: when the file is something else, unreadable or of a newer version.
        """
        with self._plain_errors():
            db = self._borrow()
            if db is not None:
                self._give_back(db)
            return db is not None

    def create(self) -> None:
        """Make an empty catalog unless another process just did.

        Raises:
            StoreError: when the folder cannot be written or the file is something else.
        """
        with self._plain_errors():
            db = self._connect("rwc")
            try:
                db.execute("BEGIN IMMEDIATE")
                if self._version(db) == 0:
                    for statement in SCHEMA:
                        db.execute(statement)
                    db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                db.execute("COMMIT")
            finally:
                db.close()

    def require(self) -> None:
        """Do nothing where there is a catalog.

        Raises:
            StoreError: there is none, or one that cannot be read; see `reading`.
        """
        with self.reading():
            return

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A consistent view for the time of the block.

        Opened for writing where that is allowed, since only then can SQLite undo what a killed writer left; never
        for writing in a read-only catalog.

        Raises:
            StoreError: when there is no catalog, or it cannot be read.
        """
        with self._lent() as db:
            db.execute("PRAGMA query_only = ON")
            self._begin(db, "BEGIN")
            yield db
            db.execute("COMMIT")

    @contextmanager
    def writing(self, *, bulk: bool = False) -> Iterator[sqlite3.Connection]:
        """The only writer for the time of the block; committed at its end, undone when it raises.

        Args:
            bulk: many thousand rows are to come; lets SQLite use up to 256 MiB of memory and trust that every
                row points at one that is there.

        Raises:
            StoreError: when there is no catalog, or it cannot be written.
        """
        with self._lent() as db:
            db.execute("PRAGMA query_only = OFF")
            if bulk:
                db.execute(f"PRAGMA cache_size = -{_BULK_CACHE_KIB}")
                db.execute("PRAGMA foreign_keys = OFF")
            self._begin(db, "BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
            if bulk:
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA cache_size = -2000")
                db.execute("PRAGMA shrink_memory")

    def _begin(self, db: sqlite3.Connection, statement: str) -> None:
        """Begin a transaction; the catalog may have become a newer version's since the connection was made."""
        db.execute(statement)
        if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            self._version(db)

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own; closing it when the block raises undoes its open transaction."""
        with self._plain_errors():
            db = self._borrow()
            if db is None:
                raise self._missing()
            try:
                yield db
            except BaseException:
                db.close()
                raise
            self._give_back(db)

    def _borrow(self) -> sqlite3.Connection | None:
        """An idle connection, else a new one; None when there is no catalog."""
        if self._process != os.getpid():
            # SQLite must not use, nor even close, what another process opened.
            self._inherited, self._idle, self._process = self._idle, [], os.getpid()
        state = _State.of(self.path)
        while self._idle:
            db, left = self._idle.pop()
            if left == state:
                return db
            db.close()
        return self._open() if state else None

    def _give_back(self, db: sqlite3.Connection) -> None:
        if state := _State.of(self.path):
            self._idle.append((db, state))
        else:
            db.close()

    def _open(self) -> sqlite3.Connection | None:
        if not self.path.is_file():
            return None
        db = self._connect("ro" if self._read_only else "rw")
        try:
            db.execute(
                "BEGIN"
            )  # all that is asked for is of one moment: somebody may be creating the catalog
            version = self._version(db)
            db.execute("COMMIT")
            if 0 < version < SCHEMA_VERSION:
                self._migrate(db)
        except BaseException:
            db.close()
            raise
        if version == 0:
            db.close()
            return None
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        if self._read_only:
            raise StoreError(
                f"{self.path}: of an older version, and may only be read here. Any command on the store, such as "
                f"`plures adapters stats --store {self.path.parent}`, brings it up to date."
            )
        db.execute("PRAGMA foreign_keys = OFF")  # tables are about to be renamed
        db.execute("BEGIN IMMEDIATE")
        if self._version(db) < SCHEMA_VERSION:
            from_version_1(db, StoreLayout(self.path.parent))
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
        db.execute("PRAGMA foreign_keys = ON")

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        db = sqlite3.connect(
            uri, uri=True, timeout=self._wait, isolation_level=None, check_same_thread=False
        )  # lent to one thread at a time
        db.execute("PRAGMA synchronous = EXTRA")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0)
            cure = _LEFT_BEHIND if code == sqlite3.SQLITE_READONLY_ROLLBACK else _CURES.get(code & 0xFF)
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


def _catalog(path: Path, wait: float, read_only: bool) -> Catalog:
    """Copies and pickles of a catalog open connections of their own."""
    return Catalog(path, wait=wait, read_only=read_only)
