"""Rows of revisions, packs and tags; every function works inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from adapters.store.catalog.shape import Shape

AFTER_HEX = "g"
"""Sorts behind every hex digit."""

_ROW = """
    SELECT v.revision, b.name, b.fingerprint, s.rank, s.targets, s.layout, s.layers, s.parameters, s.dtype,
           p.file, v.kind, v.seed, v.data_hash, v.training_key, v.parent, v.created_at, v.size,
           v.manifest_sha256, v.state
    FROM revisions v JOIN bases b ON b.id = v.base JOIN shapes s ON s.id = v.shape
         LEFT JOIN packs p ON p.id = v.pack"""


class RevisionRow(NamedTuple):
    """A visible revision; `pack` is the file below the store's folder that holds it, None for a folder of its own."""

    revision: str
    base_name: str
    base_fingerprint: str
    shape: Shape
    pack: str | None
    kind: str
    seed: int
    data_hash: str
    training_key: str
    parent: str | None
    created_at: str
    size: int
    manifest_sha256: str
    state: str = "registered"


class PackRow(NamedTuple):
    """A file that holds many revisions; `file` is its path below the store's folder."""

    file: str
    sha256: str
    size: int
    created_at: str


def revision_row(db: sqlite3.Connection, revision: str) -> RevisionRow | None:
    """The row of a full revision id."""
    row = db.execute(f"{_ROW} WHERE v.revision = ?", (revision,)).fetchone()
    if row is None:
        return None
    rank, targets, *facts = row[3:9]
    found = Shape(rank, split_targets(targets), *facts)
    return RevisionRow._make((*row[:3], found, *row[9:]))


def revision_number(db: sqlite3.Connection, revision: str) -> int | None:
    """By which other tables point at a revision."""
    return _one(db, "SELECT id FROM revisions WHERE revision = ?", revision)


def all_revisions(db: sqlite3.Connection) -> list[str]:
    """Every visible revision, in order of id."""
    return [row[0] for row in db.execute("SELECT revision FROM revisions ORDER BY revision")]


def revisions_starting_with(db: sqlite3.Connection, prefix: str, at_most: int) -> list[str]:
    """Revisions whose id begins with these hex digits, in order of id."""
    query = "SELECT revision FROM revisions WHERE revision >= ? AND revision < ? ORDER BY revision LIMIT ?"
    return [row[0] for row in db.execute(query, (prefix, prefix + AFTER_HEX, at_most))]


def revisions_trained_by(db: sqlite3.Connection, training_key: str) -> list[str]:
    """Revisions with this training key, the oldest first."""
    query = (
        "SELECT revision FROM revisions WHERE substr(training_key, 1, 16) = ? AND +training_key = ? "
        "ORDER BY created_at, revision"
    )  # the index has 16 digits of each key; + keeps SQLite from computing them from the second condition
    return [row[0] for row in db.execute(query, (training_key[:16], training_key))]


def put_revision(
    db: sqlite3.Connection, row: RevisionRow, metrics: Mapping[str, float] | None = None
) -> None:
    """Make a revision visible; one that is there takes the new labels and place (its files were replaced).

    Args:
        db: in a writing transaction.
        row: its state matters for a new revision only.
        metrics: of its manifest, name → value, to be searched by.
    """
    base, shape = base_number(db, row.base_name, row.base_fingerprint), shape_number(db, row.shape)
    pack = _one(db, "SELECT id FROM packs WHERE file = ?", row.pack) if row.pack is not None else None
    db.execute(
        "INSERT INTO revisions (revision, base, shape, pack, kind, seed, data_hash, training_key, parent, "
        "created_at, size, manifest_sha256, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (revision) DO UPDATE SET base = excluded.base, shape = excluded.shape, "
        "pack = excluded.pack, created_at = excluded.created_at, size = excluded.size, "
        "manifest_sha256 = excluded.manifest_sha256",
        (row.revision, base, shape, pack, *row[5:]),
    )
    number = revision_number(db, row.revision)
    db.execute("DELETE FROM scores WHERE revision = ? AND evidence = 0", (number,))
    db.executemany(
        "INSERT INTO scores VALUES (?, ?, ?, 0)",
        [(metric_number(db, name), value, number) for name, value in (metrics or {}).items()],
    )


def delete_revision(db: sqlite3.Connection, revision: str) -> None:
    """Forget a revision with its scores and states.

    Raises:
        sqlite3.IntegrityError: when a history, a tag, a branch or an evidence names it.
    """
    db.execute("DELETE FROM revisions WHERE revision = ?", (revision,))


def put_pack(db: sqlite3.Connection, pack: PackRow) -> int:
    """Make a packed file known; its number. One that is there takes the new hash and size."""
    db.execute(
        "INSERT INTO packs (file, sha256, size, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (file) DO UPDATE "
        "SET sha256 = excluded.sha256, size = excluded.size, created_at = excluded.created_at",
        pack,
    )
    return _number(db, "SELECT id FROM packs WHERE file = ?", pack.file)


def packs(db: sqlite3.Connection) -> list[PackRow]:
    """Every packed file, in order of names."""
    return [
        PackRow(*row) for row in db.execute("SELECT file, sha256, size, created_at FROM packs ORDER BY file")
    ]


def packed_in(db: sqlite3.Connection, file: str) -> list[str]:
    """The revisions whose files a packed file holds, in order of id."""
    query = (
        "SELECT revision FROM revisions WHERE pack = (SELECT id FROM packs WHERE file = ?) ORDER BY revision"
    )
    return [row[0] for row in db.execute(query, (file,))]


def set_pack(db: sqlite3.Connection, revisions: Iterable[str], pack: int | None) -> None:
    """Say that the files of revisions are in a packed file (its number), or in folders of their own (None)."""
    db.executemany(
        "UPDATE revisions SET pack = ? WHERE revision = ?", [(pack, revision) for revision in revisions]
    )


def base_number(db: sqlite3.Connection, name: str, fingerprint: str) -> int:
    """The number of a base under one of its names, which is made known if need be."""
    query = "SELECT id FROM bases WHERE fingerprint = ? AND name = ?"
    if (found := _one(db, query, fingerprint, name)) is not None:
        return found
    db.execute("INSERT INTO bases (name, fingerprint) VALUES (?, ?)", (name, fingerprint))
    return _number(db, query, fingerprint, name)


def shape_number(db: sqlite3.Connection, shape: Shape) -> int:
    """The number of a shape, which is made known if need be."""
    values = (shape.rank, ",".join(shape.targets), *shape[2:])
    query = (
        "SELECT id FROM shapes WHERE rank = ? AND targets = ? AND layout = ? AND layers = ? AND parameters = ? "
        "AND dtype = ?"
    )
    if (found := _one(db, query, *values)) is not None:
        return found
    db.execute(
        "INSERT INTO shapes (rank, targets, layout, layers, parameters, dtype) VALUES (?, ?, ?, ?, ?, ?)",
        values,
    )
    return _number(db, query, *values)


def metric_number(db: sqlite3.Connection, name: str) -> int:
    """The number of a metric, which is made known if need be."""
    query = "SELECT id FROM metrics WHERE name = ?"
    if (found := _one(db, query, name)) is not None:
        return found
    db.execute("INSERT INTO metrics (name) VALUES (?)", (name,))
    return _number(db, query, name)


def split_targets(text: str) -> tuple[str, ...]:
    """Targets as the table `shapes` keeps them."""
    return tuple(text.split(",")) if text else ()


def tagged(db: sqlite3.Connection, tag: str) -> str | None:
    """The revision with this tag."""
    query = "SELECT v.revision FROM tags t JOIN revisions v ON v.id = t.revision WHERE t.tag = ?"
    row = db.execute(query, (tag,)).fetchone()
    return row and str(row[0])


def tags_on(db: sqlite3.Connection, revision: str) -> list[str]:
    """The tags on a revision, in order."""
    query = "SELECT tag FROM tags WHERE revision = (SELECT id FROM revisions WHERE revision = ?) ORDER BY tag"
    return [row[0] for row in db.execute(query, (revision,))]


def put_tag(db: sqlite3.Connection, tag: str, revision: str, at: str) -> None:
    """Put a tag on a revision, taking it from any other."""
    db.execute(
        "INSERT INTO tags VALUES (?, ?, ?) ON CONFLICT (tag) DO UPDATE SET revision = excluded.revision, "
        "at = excluded.at",
        (tag, revision_number(db, revision), at),
    )


def remove_tag(db: sqlite3.Connection, tag: str) -> None:
    """Take a tag off whatever revision has it."""
    db.execute("DELETE FROM tags WHERE tag = ?", (tag,))


def _one(db: sqlite3.Connection, query: str, *values: object) -> int | None:
    row = db.execute(query, values).fetchone()
    return row and int(row[0])


def _number(db: sqlite3.Connection, query: str, *values: object) -> int:
    return int(db.execute(query, values).fetchone()[0])
