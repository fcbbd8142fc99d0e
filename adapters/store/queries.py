"""What is asked of the catalog and written into it; every function works inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

_AFTER_HEX = "g"  # sorts behind every hex digit
_AFTER_NAME = "{"  # sorts behind every character of a name


class RevisionRow(NamedTuple):
    """A visible revision; the columns of the table `revisions`, in order."""

    revision: str
    base_name: str
    base_fingerprint: str
    kind: str
    rank: int
    seed: int
    data_hash: str
    training_key: str
    parent: str | None
    created_at: str
    size: int
    manifest_sha256: str


class Entry(NamedTuple):
    """One step in the history of a name: what it stood for since `published_at` (ISO 8601, UTC)."""

    name: str
    sequence: int
    revision: str
    is_head: bool
    published_at: str
    tags: tuple[str, ...]
    base_name: str
    base_fingerprint: str
    kind: str
    rank: int
    seed: int
    parent: str | None
    size: int


class EntryFilter(NamedTuple):
    """Which entries to list; all conditions hold together.

    Args:
        base: a base's name, or at least 8 digits of its fingerprint.
        name_prefix: how names begin.
        tag: entries of the revision with this tag, heads or not.
        revision: entries of this revision (full id), heads or not.
        history: all entries, not the heads only.
    """

    base: str | None = None
    name_prefix: str = ""
    tag: str | None = None
    revision: str | None = None
    history: bool = False


def revision_row(db: sqlite3.Connection, revision: str) -> RevisionRow | None:
    """The row of a full revision id."""
    row = db.execute("SELECT * FROM revisions WHERE revision = ?", (revision,)).fetchone()
    return row and RevisionRow(*row)


def all_revisions(db: sqlite3.Connection) -> list[str]:
    """Every visible revision, in order of id."""
    return [row[0] for row in db.execute("SELECT revision FROM revisions ORDER BY revision")]


def revisions_starting_with(db: sqlite3.Connection, prefix: str, at_most: int) -> list[str]:
    """Revisions whose id begins with these hex digits, in order of id."""
    query = "SELECT revision FROM revisions WHERE revision >= ? AND revision < ? ORDER BY revision LIMIT ?"
    return [row[0] for row in db.execute(query, (prefix, prefix + _AFTER_HEX, at_most))]


def revisions_trained_by(db: sqlite3.Connection, training_key: str) -> list[str]:
    """Revisions with this training key, the oldest first."""
    query = "SELECT revision FROM revisions WHERE training_key = ? ORDER BY created_at, revision"
    return [row[0] for row in db.execute(query, (training_key,))]


def put_revision(db: sqlite3.Connection, row: RevisionRow) -> None:
    """Make a revision visible; one that is there takes the new labels (its files were replaced)."""
    db.execute(
        "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (revision) DO UPDATE "
        "SET base_name = excluded.base_name, created_at = excluded.created_at, size = excluded.size, "
        "manifest_sha256 = excluded.manifest_sha256",
        row,
    )


def head(db: sqlite3.Connection, name: str) -> tuple[int, str] | None:
    """Sequence and revision that a name stands for now."""
    query = "SELECT sequence, revision FROM history WHERE name = ? ORDER BY sequence DESC LIMIT 1"
    row = db.execute(query, (name,)).fetchone()
    return row and (row[0], row[1])


def append_head(db: sqlite3.Connection, name: str, revision: str, published_at: str) -> None:
    """Let a name stand for a revision; nothing happens when it does already."""
    sequence, current = head(db, name) or (0, None)
    if current != revision:
        db.execute("INSERT INTO history VALUES (?, ?, ?, ?)", (name, sequence + 1, revision, published_at))


def history_starting_with(db: sqlite3.Connection, name: str, prefix: str) -> list[str]:
    """Distinct revisions in a name's history whose id begins with these hex digits."""
    query = (
        "SELECT DISTINCT revision FROM history WHERE name = ? AND revision >= ? AND revision < ? ORDER BY 1"
    )
    return [row[0] for row in db.execute(query, (name, prefix, prefix + _AFTER_HEX))]


def tagged(db: sqlite3.Connection, tag: str) -> str | None:
    """The revision with this tag."""
    row = db.execute("SELECT revision FROM tags WHERE tag = ?", (tag,)).fetchone()
    return row and str(row[0])


def put_tag(db: sqlite3.Connection, tag: str, revision: str) -> None:
    """Put a tag on a revision, taking it from any other."""
    db.execute(
        "INSERT INTO tags VALUES (?, ?) ON CONFLICT (tag) DO UPDATE SET revision = excluded.revision",
        (tag, revision),
    )


def names_near(db: sqlite3.Connection, text: str, at_most: int) -> list[str]:
    """Names and tags around `text` in alphabetical order, at most so many on each side."""
    found: list[str] = []
    for column, table in (("name", "history"), ("tag", "tags")):
        for side, order in ((">=", ""), ("<", "DESC")):
            query = (
                f"SELECT DISTINCT {column} FROM {table} WHERE {column} {side} ? ORDER BY 1 {order} LIMIT ?"
            )
            found += [row[0] for row in db.execute(query, (text, at_most))]
    return found


def entries(db: sqlite3.Connection, wanted: EntryFilter) -> list[Entry]:
    """Entries by name, the newest of each name first."""
    clauses, values = ["1"], list[str]()
    if wanted.base is not None:
        clauses.append(
            "(base_name = ? OR (length(?) >= 8 AND base_fingerprint >= ? AND base_fingerprint < ?))"
        )
        values += [wanted.base, wanted.base, wanted.base, wanted.base + _AFTER_HEX]
    if wanted.name_prefix:
        clauses.append("name >= ? AND name < ?")
        values += [wanted.name_prefix, wanted.name_prefix + _AFTER_NAME]
    if wanted.tag is not None:
        clauses.append("revision = (SELECT revision FROM tags WHERE tag = ?)")
        values.append(wanted.tag)
    if wanted.revision is not None:
        clauses.append("revision = ?")
        values.append(wanted.revision)
    if not (wanted.history or wanted.tag or wanted.revision):
        clauses.append("is_head")
    query = f"""
        SELECT name, sequence, revision, is_head, published_at,
               (SELECT group_concat(tag) FROM (SELECT tag FROM tags WHERE revision = e.revision ORDER BY 1)),
               base_name, base_fingerprint, kind, rank, seed, parent, size
        FROM (SELECT *, sequence = (SELECT max(sequence) FROM history WHERE name = h.name) AS is_head
              FROM history h) e JOIN revisions USING (revision)
        WHERE {" AND ".join(clauses)} ORDER BY name, sequence DESC"""
    return [
        Entry._make((*row[:3], bool(row[3]), row[4], tuple(row[5].split(",")) if row[5] else (), *row[6:]))
        for row in db.execute(query, values)
    ]
