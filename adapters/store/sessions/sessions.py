"""Sessions: the training state of a name, apart from its revisions, with one writer at a time.

`sessions/NAME/` holds the file of the last save and the lease's lock file. The catalog says which file that is, so a
save becomes visible at one moment or not at all. Every writer gets a token, one more than any before
it, and the catalog takes a save from the newest token only: a writer that slept while another took over can
wake up at any point of its work and change nothing.

Source: the token is a fencing token, Kleppmann 2017, Designing Data-Intensive Applications, chapter 8.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters.errors import LostLeaseError, StoreError
from adapters.store.catalog import queries
from adapters.store.catalog.file import Catalog
from adapters.store.drafts import utc_now
from adapters.store.folders import disk_errors, sync
from adapters.store.record import FileSeal
from adapters.store.sessions.lease import leased
from adapters.store.sessions.state import SessionState, read_state, write_state

if TYPE_CHECKING:
    from adapters.store.store import AdapterStore

LOCK_NAME = "lock"


class SessionRow(NamedTuple):
    """What the catalog knows of a name's session; the columns of the table `sessions`, in order.

    Args:
        name: of the policy.
        token: of the newest writer.
        generation: how many saves there were.
        file: of the last save, in the session's folder; None when nothing is saved.
        size: of the file, in bytes.
        sha256: of the file.
        parent: revision whose training the state continues, or None.
        saved_at: ISO 8601 in UTC; "" before the first save.
    """

    name: str
    token: int
    generation: int
    file: str | None = None
    size: int = 0
    sha256: str = ""
    parent: str | None = None
    saved_at: str = ""

    @property
    def seal(self) -> FileSeal:
        """Of the file."""
        return FileSeal(self.size, self.sha256)


class Session:
    """The right to write one name's training state; made by `open_session`."""

    def __init__(self, catalog: Catalog, folder: Path, name: str, token: int) -> None:
        self.name = name
        self.token = token
        self._catalog = catalog
        self._folder = folder
        self._process = os.getpid()

    def load(self) -> SessionState | None:
        """The last state saved, whoever saved it; None when there is none.

        Raises:
            CorruptAdapterError: its file is damaged.
        """
        with self._catalog.reading() as db:
            row = session_row(db, self.name)
        if row is None or row.file is None:
            return None
        with disk_errors(self._folder):
            return read_state(self._folder / row.file, row.seal, row.parent)

    def save(self, state: SessionState) -> int:
        """Replace the state, at one moment.

        Returns:
            The generation: how many saves there were.

        Raises:
            LostLeaseError: another writer took over, or this is a forked child of the one that opened the session.
            StoreError: the parent is no revision of the store, or the disk refuses. Nothing was changed.
        """
        with disk_errors(self._folder):
            before = self._row()
            generation = before.generation + 1
            file = self._folder / f"{self.token}-{generation}.safetensors"
            seal = write_state(file, state)
            with self._catalog.writing() as db:
                self._check_lease(db)
                _check_parent(db, state.parent)
                saved = SessionRow(
                    self.name,
                    self.token,
                    generation,
                    file.name,
                    seal.size,
                    seal.sha256,
                    state.parent,
                    utc_now(),
                )
                put_session(db, saved)
            _remove_all_but(file.name, self._folder)
        return generation

    def discard(self) -> None:
        """Forget the state; the next `load` gives None.

        Raises:
            LostLeaseError: another writer took over.
            StoreError: the disk refuses.
        """
        with disk_errors(self._folder):
            before = self._row()
            with self._catalog.writing() as db:
                self._check_lease(db)
                put_session(db, SessionRow(self.name, self.token, before.generation))
            _remove_all_but(None, self._folder)

    def _row(self) -> SessionRow:
        with self._catalog.reading() as db:
            return self._check_lease(db)

    def _check_lease(self, db: sqlite3.Connection) -> SessionRow:
        row = session_row(db, self.name)
        if row is None or row.token != self.token:
            raise LostLeaseError(
                f"session {self.name!r}: another writer took over (token {row.token if row else 'gone'}, ours is "
                f"{self.token}), so nothing was written. End this process, or open the session again."
            )
        if os.getpid() != self._process:
            raise LostLeaseError(
                f"session {self.name!r}: opened by process {self._process}, used by its child {os.getpid()}; "
                f"nothing was written. Save in the process that opened the session."
            )
        return row


@contextmanager
def open_session(store: AdapterStore, name: str, *, take_over: bool = False) -> Iterator[Session]:
    """Become the only writer of a name's training state for the time of the block.

    Args:
        store: that holds the name.
        name: of a policy in the store.
        take_over: push out a writer that lives but hangs; it can save no more.

    Raises:
        StoreError: another process is writing it (the message names it), or the disk refuses.
        UnknownAdapterError: no such name in the store.
    """
    store.policy(name)
    folder = store.layout.sessions / name
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with leased(folder / LOCK_NAME, f"session {name!r}", take_over=take_over):
            with store.catalog.writing() as db:
                before = session_row(db, name) or SessionRow(name, token=0, generation=0)
                ours = before._replace(token=before.token + 1)
                put_session(db, ours)
            sync([store.root, folder.parent])
            _remove_all_but(ours.file, folder)
            yield Session(store.catalog, folder, name, ours.token)


def session_row(db: sqlite3.Connection, name: str) -> SessionRow | None:
    """What the catalog knows of a name's session."""
    row = db.execute("SELECT * FROM sessions WHERE name = ?", (name,)).fetchone()
    return row and SessionRow(*row)


def session_rows(db: sqlite3.Connection) -> list[SessionRow]:
    """All sessions, by name."""
    return [SessionRow(*row) for row in db.execute("SELECT * FROM sessions ORDER BY name")]


def put_session(db: sqlite3.Connection, row: SessionRow) -> None:
    """Replace what the catalog knows of a name's session."""
    db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def _check_parent(db: sqlite3.Connection, parent: str | None) -> None:
    if parent is not None and queries.revision_row(db, parent) is None:
        raise StoreError(
            f"parent: {parent} is no revision of this store; publish it before the session is saved"
        )


def _remove_all_but(file: str | None, folder: Path) -> None:
    """Remove older states, and those that a writer that died or lost its lease left behind."""
    for path in folder.glob("*.safetensors"):
        if path.name != file:
            path.unlink(missing_ok=True)
