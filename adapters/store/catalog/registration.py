"""Registering very many revisions at once: those whose files a packed file holds, proved by who wrote it.

`publish_many` checks, writes and syncs every adapter by itself, hundreds a second. Here nothing but rows is
written, a batch at a time and in few statements, so that a million revisions enter within the minute.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from adapters.errors import StoreError
from adapters.store.catalog import policies
from adapters.store.catalog.queries import (
    PackRow,
    RevisionRow,
    base_number,
    metric_number,
    put_pack,
    shape_number,
)
from adapters.store.catalog.references import check_name
from adapters.store.catalog.shape import Shape

_BATCH = 50_000
_NO_METRICS: Mapping[str, float] = {}


class Registration(NamedTuple):
    """One revision of a packed file and the name that shall stand for it.

    Args:
        row: what the catalog keeps; its `pack` and `state` are not looked at.
        name: of the record, which begins to exist if need be.
        person: whose record it is, "" when not said.
        metrics: of the manifest.
    """

    row: RevisionRow
    name: str
    person: str = ""
    metrics: Mapping[str, float] = _NO_METRICS


class _Numbers(dict[object, int]):
    """Numbers of bases, shapes and metrics that were looked up before in this registration."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__()
        self._db = db

    def base(self, name: str, fingerprint: str) -> int:
        return self.get((name, fingerprint)) or self._keep(
            (name, fingerprint), base_number(self._db, name, fingerprint)
        )

    def shape(self, shape: Shape) -> int:
        return self.get(shape) or self._keep(shape, shape_number(self._db, shape))

    def metric(self, name: str) -> int:
        return self.get(name) or self._keep(name, metric_number(self._db, name))

    def _keep(self, key: object, number: int) -> int:
        self[key] = number
        return number


def register(db: sqlite3.Connection, pack: PackRow, items: Iterable[Registration], at: str) -> int:
    """Make the revisions of a packed file visible, and let their names stand for them.

    A revision that is there already keeps its row and its own files, and is only named.

    Args:
        db: in a writing transaction.
        pack: the file, finished, proved and synced by the caller.
        items: any number; read once.
        at: ISO 8601.

    Returns:
        How many revisions are new.

    Raises:
        StoreError: a bad name, or one that is a tag.
        BaseMismatchError, RetiredError: a name whose record does not admit its revision.
    """
    number = put_pack(db, pack)
    known = _Numbers(db)
    before = db.execute("SELECT count(*) FROM revisions WHERE pack = ?", (number,)).fetchone()[0]
    for batch in _batches(items):
        _check_names(db, batch)
        ids = _put_revisions(db, batch, number, known)
        _name(db, batch, ids, known, at)
    after = db.execute("SELECT count(*) FROM revisions WHERE pack = ?", (number,)).fetchone()[0]
    return int(after - before)


def _batches(items: Iterable[Registration]) -> Iterator[list[Registration]]:
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _check_names(db: sqlite3.Connection, batch: Sequence[Registration]) -> None:
    names = [check_name(item.name) for item in batch]
    query = "SELECT tag FROM tags WHERE tag IN (SELECT value FROM json_each(?)) LIMIT 1"
    if row := db.execute(query, (json.dumps(names),)).fetchone():
        raise StoreError(f"name: {row[0]!r} is a tag in this store; choose another name")


def _put_revisions(
    db: sqlite3.Connection, batch: Sequence[Registration], pack: int, known: _Numbers
) -> dict[str, int]:
    """Insert what is new, in order of numbers; revision → number for the whole batch."""
    found = _numbers(db, "SELECT revision, id FROM revisions", "revision", [i.row.revision for i in batch])
    fresh = {i.row.revision: i for i in sorted(batch, key=_revision) if i.row.revision not in found}
    first = _next(db, "revisions")
    ids = {revision: first + place for place, revision in enumerate(fresh)}
    db.executemany(
        "INSERT INTO revisions (id, revision, base, shape, pack, kind, seed, data_hash, training_key, parent, "
        "created_at, size, manifest_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                ids[revision],
                revision,
                known.base(row.base_name, row.base_fingerprint),
                known.shape(row.shape),
                pack,
                *row[5:13],
            )
            for revision, (row, *_) in fresh.items()
        ),
    )
    scores = [
        (known.metric(name), value, ids[revision])
        for revision, item in fresh.items()
        for name, value in item.metrics.items()
    ]
    db.executemany("INSERT INTO scores VALUES (?, ?, ?, 0)", sorted(scores))
    return found | ids


def _name(
    db: sqlite3.Connection, batch: Sequence[Registration], ids: Mapping[str, int], known: _Numbers, at: str
) -> None:
    """Those whose record is there, or begins within this batch, are admitted one by one; the rest at once."""
    there = _numbers(db, "SELECT name, id FROM records", "name", [item.name for item in batch])
    new: dict[str, Registration] = {}
    later: list[Registration] = []
    for item in batch:
        if item.name in there or item.name in new:
            later.append(item)
        else:
            new[item.name] = item
    first = _next(db, "records")
    rows = [
        (
            first + place,
            name,
            "person" if row.kind == "personal" else "role",
            person,
            known.base(row.base_name, row.base_fingerprint),
            known.shape(row.shape),
            ids[row.revision],
            at,
        )
        for place, (row, name, person, _) in enumerate(sorted(new.values(), key=_name_of))
    ]
    db.executemany(
        "INSERT INTO records (id, name, kind, person, base, shape, head, sequence, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)",
        rows,
    )
    db.executemany(
        "INSERT INTO history VALUES (?, 1, ?, 'publish', ?)",
        ((number, head, at) for number, *_, head, _ in rows),
    )
    for row, name, person, _ in later:
        policies.admit(db, name, row.base_fingerprint, row.shape, person=person)
        policies.publish(db, name, row.revision, at, person=person)


def _numbers(db: sqlite3.Connection, select: str, column: str, values: Sequence[str]) -> dict[str, int]:
    query = f"{select} WHERE {column} IN (SELECT value FROM json_each(?))"
    return dict(db.execute(query, (json.dumps(values),)).fetchall())


def _next(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])


def _revision(item: Registration) -> str:
    return item.row.revision


def _name_of(item: Registration) -> str:
    return item.name
