"""Policy records: one person or role, the revisions it stood for one after another, and the one it selects now.

All revisions of a record fit one base and have one shape, so that whoever serves the record can let its head
move without asking again. Every function works inside the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from typing import Literal, NamedTuple, get_args

from adapters.errors import BaseMismatchError, RetiredError, StoreError, UnknownAdapterError
from adapters.store.catalog.queries import (
    AFTER_HEX,
    RevisionRow,
    revision_number,
    revision_row,
    split_targets,
    tagged,
)
from adapters.store.catalog.shape import Shape

RecordKind = Literal["person", "role"]
"""A record of one person, or of no one in particular: a pooled adapter, a zero update, a moderator."""

Event = Literal["publish", "rollback", "branch"]
"""Why a record's head moved."""

EVENTS = get_args(Event)

_RECORD = """
    SELECT r.name, r.kind, r.person, b.name, b.fingerprint, s.rank, s.targets, s.layout, s.layers, s.parameters,
           s.dtype, v.revision, v.state, r.sequence, parent.name, source.revision, r.retired_at, r.created_at
    FROM records r JOIN bases b ON b.id = r.base JOIN shapes s ON s.id = r.shape
         JOIN revisions v ON v.id = r.head LEFT JOIN records parent ON parent.id = r.parent
         LEFT JOIN revisions source ON source.id = r.parent_revision
    WHERE r.name = ?"""


class PolicyRecord(NamedTuple):
    """One record as it stands.

    Args:
        name: by which people call it.
        kind: person or role.
        person: the person's id in the corpus, "" for none or unknown.
        base_name: a label of the base.
        base_fingerprint: of the base that every revision fits.
        shape: that every revision has.
        head: the revision that the name selects.
        state: serving state of the head.
        sequence: of the head's entry in the history, from 1.
        parent: record that this one was branched from, or None.
        parent_revision: at which it was branched.
        retired_at: ISO 8601, None while it is in use.
        created_at: ISO 8601.
    """

    name: str
    kind: RecordKind
    person: str
    base_name: str
    base_fingerprint: str
    shape: Shape
    head: str
    state: str
    sequence: int
    parent: str | None
    parent_revision: str | None
    retired_at: str | None
    created_at: str


class Standing(NamedTuple):
    """The revision that a name stands for, since which entry of its history, and whether it is retired."""

    revision: str
    sequence: int
    retired_at: str | None


def policy(db: sqlite3.Connection, name: str) -> PolicyRecord | None:
    """The record of a name."""
    row = db.execute(_RECORD, (name,)).fetchone()
    if row is None:
        return None
    rank, targets, *facts = row[5:11]
    found = Shape(rank, split_targets(targets), *facts)
    return PolicyRecord._make((*row[:5], found, *row[11:]))


def standing(db: sqlite3.Connection, name: str) -> Standing | None:
    """What a name stands for, retired or not."""
    query = (
        "SELECT v.revision, r.sequence, r.retired_at FROM records r JOIN revisions v ON v.id = r.head "
        "WHERE r.name = ?"
    )
    row = db.execute(query, (name,)).fetchone()
    return row and Standing(*row)


def past(db: sqlite3.Connection, name: str) -> list[str]:
    """The distinct revisions of a record, in the order in which it first stood for them."""
    query = (
        "SELECT v.revision FROM history h JOIN revisions v ON v.id = h.revision "
        "WHERE h.record = (SELECT id FROM records WHERE name = ?) GROUP BY v.id ORDER BY min(h.sequence)"
    )
    return [row[0] for row in db.execute(query, (name,))]


def past_starting_with(db: sqlite3.Connection, name: str, prefix: str) -> list[str]:
    """Distinct revisions of a record whose id begins with these hex digits."""
    query = (
        "SELECT DISTINCT v.revision FROM history h JOIN revisions v ON v.id = h.revision "
        "WHERE h.record = (SELECT id FROM records WHERE name = ?) AND v.revision >= ? AND v.revision < ? ORDER BY 1"
    )
    return [row[0] for row in db.execute(query, (name, prefix, prefix + AFTER_HEX))]


def check_live(name: str, retired: str | None, head: str) -> None:
    """Let a record in use pass.

    Raises:
        RetiredError: naming what can still be done.
    """
    if retired is not None:
        raise RetiredError(
            f"{name!r}: is retired since {retired[:19].replace('T', ' ')} UTC. Its revisions can still be opened "
            f"by id (the last is {head}); `plures adapters retire --undo {name}` takes it back into use."
        )


def admit(db: sqlite3.Connection, name: str, base: str, shape: Shape, *, person: str = "") -> None:
    """Let a revision into a record, or into a new one.

    Args:
        db: in a transaction.
        name: of the record.
        base: fingerprint of the revision's base.
        shape: of the revision.
        person: whose it is, "" when not said.

    Raises:
        BaseMismatchError: another base, rank, targets or layout than the record's.
        RetiredError: the record is retired.
        StoreError: the name is a tag, or the record is another person's.
    """
    if revision := tagged(db, name):
        raise StoreError(
            f"name: {name!r} is a tag in this store, on revision {revision}; choose another name"
        )
    record = policy(db, name)
    if record is None:
        return
    check_live(name, record.retired_at, record.head)
    if person and record.person and person != record.person:
        raise StoreError(
            f"{name!r}: is the record of {record.person!r}, not of {person!r}; choose another name"
        )
    check_fit(name, record.base_fingerprint, record.shape, base, shape)


def admit_tag(db: sqlite3.Connection, tag: str, revision: str, *, move: bool = False) -> None:
    """Let a tag onto a revision.

    Args:
        db: in a transaction.
        tag: a well-formed name.
        revision: full id.
        move: take the tag from the revision that has it.

    Raises:
        StoreError: the tag is a name or, unless `move`, another revision's.
    """
    if standing(db, tag):
        raise StoreError(f"tag: {tag!r} is a name in this store; choose another tag")
    current = tagged(db, tag)
    if current not in (None, revision) and not move:
        raise StoreError(f"tag: {tag!r} is on revision {current}; choose another tag, or move it")


def check_fit(name: str, base: str, shape: Shape, new_base: str, new_shape: Shape) -> None:
    """Let a base and shape pass that are a record's own.

    Raises:
        BaseMismatchError: naming every difference.
    """
    conflicts = shape.conflicts(new_shape)
    if new_base != base:
        conflicts.insert(0, f"base {new_base[:12]} in place of {base[:12]}")
    if conflicts:
        raise BaseMismatchError(
            f"{name!r}: holds revisions of one base and shape, and this one has {'; '.join(conflicts)}. "
            f"Publish it under another name."
        )


def fits(record: PolicyRecord, base: str, shape: Shape) -> bool:
    """Whether a record may hold revisions of this base (fingerprint) and shape."""
    return record.base_fingerprint == base and not record.shape.conflicts(shape)


def publish(
    db: sqlite3.Connection,
    name: str,
    revision: str,
    at: str,
    *,
    kind: RecordKind = "person",
    person: str = "",
) -> None:
    """Let a name stand for an admitted revision; nothing is added to the history when it does already.

    Args:
        db: in a writing transaction.
        name: of the record, which begins to exist if need be.
        revision: full id of a visible revision.
        at: ISO 8601.
        kind: of a new record.
        person: whose it is, "" when not said.

    Raises:
        RetiredError: the revision is retired.
    """
    row = _visible(db, revision)
    check_in_use(row)
    if now := standing(db, name):
        if person:
            db.execute("UPDATE records SET person = ? WHERE name = ?", (person, name))
        if now.revision != revision:
            move_head(db, name, revision, "publish", at)
    else:
        create(db, name, revision, "publish", at, kind=kind, person=person)


def create(
    db: sqlite3.Connection,
    name: str,
    revision: str,
    event: Event,
    at: str,
    *,
    kind: RecordKind,
    person: str,
    parent: str | None = None,
) -> None:
    """Begin a record with its first revision; `parent` is the record that it was branched from."""
    number = revision_number(db, revision)
    db.execute(
        "INSERT INTO records (name, kind, person, base, shape, head, sequence, parent, parent_revision, created_at) "
        "SELECT ?, ?, ?, base, shape, id, 1, (SELECT id FROM records WHERE name = ?), ?, ? "
        "FROM revisions WHERE id = ?",
        (name, kind, person, parent, number if event == "branch" else None, at, number),
    )
    db.execute(
        "INSERT INTO history SELECT id, 1, head, ?, ? FROM records WHERE name = ?",
        (event, at, name),
    )


def move_head(db: sqlite3.Connection, name: str, revision: str, event: Event, at: str) -> None:
    """Let an existing record stand for another revision of its base and shape."""
    number = revision_number(db, revision)
    db.execute(
        "INSERT INTO history SELECT id, sequence + 1, ?, ?, ? FROM records WHERE name = ?",
        (number, event, at, name),
    )
    db.execute(
        "UPDATE records SET head = v.id, base = v.base, shape = v.shape, sequence = sequence + 1 "
        "FROM (SELECT id, base, shape FROM revisions WHERE id = ?) v WHERE name = ?",
        (number, name),
    )


def check_in_use(row: RevisionRow) -> None:
    """Let a revision that is not retired pass.

    Raises:
        RetiredError: it is.
    """
    if row.state == "retired":
        raise RetiredError(
            f"{row.revision}: is retired, so no record may stand for it and nothing may serve it. "
            f"`plures adapters retire --undo {row.revision[:12]}` takes it back into use."
        )


def _visible(db: sqlite3.Connection, revision: str) -> RevisionRow:
    row = revision_row(db, revision)
    if row is None:
        raise UnknownAdapterError(f"{revision!r}: no revision of this store; a full id is expected here")
    return row
