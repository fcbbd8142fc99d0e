"""Where the bytes of revisions lie: in folders of their own, or together in packed files."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

_PACKS = """
    SELECT p.file, p.size, p.created_at, (SELECT count(*) FROM revisions v WHERE v.pack = p.id)
    FROM packs p ORDER BY p.size DESC, p.file"""


class Folders(NamedTuple):
    """Revisions that have folders of their own, and the bytes of their files."""

    revisions: int
    bytes: int


class Pack(NamedTuple):
    """A packed file: its path below the store's folder, bytes, when it was made, revisions that lie in it."""

    file: str
    bytes: int
    created_at: str
    revisions: int


def folders(db: sqlite3.Connection) -> Folders:
    """Count revisions outside packs; looks at every row."""
    return Folders(
        *db.execute("SELECT count(*), coalesce(sum(size), 0) FROM revisions WHERE pack IS NULL").fetchone()
    )


def packs(db: sqlite3.Connection) -> list[Pack]:
    """All packed files, the largest first."""
    return [Pack(*row) for row in db.execute(_PACKS)]
