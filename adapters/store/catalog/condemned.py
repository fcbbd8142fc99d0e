"""Files that no row needs any more and that an engine may still use: they stay for a while, on a list.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from adapters.store.catalog import queries


def condemn(db: sqlite3.Connection, file: Path, now: str) -> None:
    """Put a revision's folder or a pack on the list.

    Args:
        file: path below the store's folder.
        now: ISO 8601 in UTC; the grace period counts from here.
    """
    db.execute("INSERT OR REPLACE INTO condemned VALUES (?, ?)", (str(file), now))


def acquit(db: sqlite3.Connection, files: Iterable[str]) -> None:
    """Take files off the list."""
    db.executemany("DELETE FROM condemned WHERE file = ?", [(file,) for file in files])


def condemned_files(db: sqlite3.Connection) -> list[str]:
    """The files on the list, as paths below the store's folder, in order."""
    return [row[0] for row in db.execute("SELECT file FROM condemned ORDER BY file")]


def condemned_before(db: sqlite3.Connection, deadline: str) -> list[str]:
    """Those that have been on the list since `deadline` (ISO 8601 in UTC) or longer."""
    query = "SELECT file FROM condemned WHERE condemned_at <= ? ORDER BY file"
    return [row[0] for row in db.execute(query, (deadline,))]


def taken_back(db: sqlite3.Connection) -> list[str]:
    """Those that rows name again, since the same content was published or packed once more."""
    packs = {pack.file for pack in queries.packs(db)}
    found = []
    for file in condemned_files(db):
        row = queries.revision_row(db, Path(file).name)
        if file in packs or (row is not None and row.pack is None):
            found.append(file)
    return found
