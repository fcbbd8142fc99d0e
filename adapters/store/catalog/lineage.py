"""Moving records about: back to an earlier revision, off into a record of their own, out of use and back.

Nothing here touches files, and nothing is forgotten: every step is an entry in a history or in the log of
states. Every function works inside the caller's writing transaction.
"""

from __future__ import annotations

import sqlite3

from adapters.errors import BaseMismatchError, StoreError, UnknownAdapterError
from adapters.store.catalog import policies, states
from adapters.store.catalog.queries import RevisionRow, revision_row, tagged
from adapters.store.catalog.references import named_record


def rollback_target(db: sqlite3.Connection, name: str, to: str | None) -> RevisionRow:
    """Which revision a rollback selects, once it may.

    Args:
        db: in a transaction.
        name: of the record.
        to: id of an earlier revision or its beginning; None for the one that the record first stood for
            before it first stood for the present head.

    Raises:
        UnknownAdapterError: no such record, or no such revision in its history.
        StoreError: there is nothing to go back to.
        RetiredError: the record or the revision is retired.
        BaseMismatchError: an entry of a version 1 store that has another base or shape.
    """
    record = named_record(db, name)
    policies.check_live(name, record.retired_at, record.head)
    past = policies.past(db, name)
    if to is None:
        place = past.index(record.head)
        if place == 0:
            raise StoreError(
                f"{name!r}: {record.head[:12]} is its first revision; there is none to go back to"
            )
        revision = past[place - 1]
    else:
        revision = _one_of(name, past, to)
    if revision == record.head:
        raise StoreError(f"{name!r}: stands for {revision[:12]} already; nothing to roll back")
    row = _row(db, revision)
    policies.check_in_use(row)
    if not policies.fits(record, row.base_fingerprint, row.shape):
        raise BaseMismatchError(
            f"{name!r}: its entry {revision[:12]} has another base or shape than the head, from before records "
            f"were held to one. Give it a name of its own: `plures adapters branch {name}@{revision[:12]} NEW`."
        )
    return row


def branch(
    db: sqlite3.Connection, revision: str, name: str, at: str, *, source: str | None, person: str
) -> None:
    """Begin a record `name` at a revision of the record `source`, or at one that was given by its id.

    Args:
        db: in a writing transaction.
        revision: full id.
        name: of the new record; a fit name.
        at: ISO 8601.
        source: record that it comes from, or None for the first one that ever stood for the revision.
        person: whose the new record is, "" for whose the source is.

    Raises:
        StoreError: `name` is taken, by a record or a tag.
        RetiredError: the revision is retired.
    """
    if policies.policy(db, name):
        raise StoreError(f"name: {name!r} is a record in this store already; choose another name")
    if tagged(db, name):
        raise StoreError(f"name: {name!r} is a tag in this store; choose another name")
    row = _row(db, revision)
    policies.check_in_use(row)
    parent = policies.policy(db, source or _first_named(db, revision) or "")
    kind: policies.RecordKind = parent.kind if parent else "person" if row.kind == "personal" else "role"
    if parent and not person:
        person = parent.person
    policies.create(
        db, name, revision, "branch", at, kind=kind, person=person, parent=parent.name if parent else None
    )


def retire_record(db: sqlite3.Connection, name: str, reason: str, at: str) -> None:
    """Take a record out of use, and with it those of its revisions that no other record in use has.

    Raises:
        UnknownAdapterError: no such record.
        RetiredError: it is retired already.
    """
    record = named_record(db, name)
    policies.check_live(name, record.retired_at, record.head)
    db.execute("UPDATE records SET retired_at = ? WHERE name = ?", (at, name))
    for revision in policies.past(db, name):
        if not live_records(db, revision) and states.state_of(db, revision) != "retired":
            states.advance(db, revision, "retired", reason, at, record=name)
    stop_serving(db, name, reason, at)


def unretire_record(db: sqlite3.Connection, name: str, reason: str, at: str) -> None:
    """Take a record back into use, and with it the revisions that went out of use with it.

    Raises:
        UnknownAdapterError: no such record.
        StoreError: it is not retired.
        RetiredError: its head was retired by itself, too.
    """
    record = named_record(db, name)
    if record.retired_at is None:
        raise StoreError(f"{name!r}: is not retired")
    db.execute("UPDATE records SET retired_at = NULL WHERE name = ?", (name,))
    for revision in policies.past(db, name):
        log = states.transitions(db, revision)
        if states.state_of(db, revision) == "retired" and log[-1].record is not None:
            states.advance(db, revision, "registered", reason, at, record=name)
    policies.check_in_use(_row(db, record.head))


def retire_revision(db: sqlite3.Connection, revision: str, reason: str, at: str) -> None:
    """Take one revision out of use; no record in use may stand for it.

    Raises:
        UnknownAdapterError: no such revision.
        StoreError: a record in use stands for it.
        RetiredError: it is retired already.
    """
    policies.check_in_use(_row(db, revision))
    for name in live_records(db, revision):
        if (record := policies.policy(db, name)) and record.head == revision:
            raise StoreError(
                f"{revision[:12]}: {name!r} stands for it. Roll that back first "
                f"(`plures adapters rollback {name}`), or retire it (`plures adapters retire {name}`)."
            )
    states.advance(db, revision, "retired", reason, at)


def unretire_revision(db: sqlite3.Connection, revision: str, reason: str, at: str) -> None:
    """Take one revision back into use.

    Raises:
        UnknownAdapterError: no such revision.
        StoreError: it is not retired.
    """
    if states.state_of(db, revision) != "retired":
        raise StoreError(f"{revision[:12]}: is not retired")
    states.advance(db, revision, "registered", reason, at)


def served_revision(db: sqlite3.Connection, name: str) -> str | None:
    """The revision that a record's requests go to; None while nothing serves it."""
    query = """
        SELECT v.revision FROM records r JOIN revisions v ON v.id = r.served
        WHERE r.name = ? AND v.state = 'served'"""
    row = db.execute(query, (name,)).fetchone()
    return row and str(row[0])


def stop_serving(db: sqlite3.Connection, name: str, reason: str, at: str) -> str | None:
    """Send a record's requests nowhere; returns the revision that served.

    It is ready again, unless another record still sends requests to it.
    """
    revision = served_revision(db, name)
    db.execute("UPDATE records SET served = NULL WHERE name = ?", (name,))
    query = "SELECT 1 FROM records WHERE served = (SELECT id FROM revisions WHERE revision = ?)"
    if revision is not None and db.execute(query, (revision,)).fetchone() is None:
        states.advance(db, revision, "ready", reason, at)
    return revision


def live_records(db: sqlite3.Connection, revision: str) -> list[str]:
    """Names of the records in use whose history has this revision."""
    query = """
        SELECT DISTINCT r.name FROM revisions v JOIN history h ON h.revision = v.id JOIN records r ON r.id = h.record
        WHERE v.revision = ? AND r.retired_at IS NULL ORDER BY 1"""
    return [row[0] for row in db.execute(query, (revision,))]


def _first_named(db: sqlite3.Connection, revision: str) -> str | None:
    """The oldest record whose history has this revision."""
    query = """
        SELECT r.name FROM revisions v JOIN history h ON h.revision = v.id JOIN records r ON r.id = h.record
        WHERE v.revision = ? ORDER BY h.at, r.id LIMIT 1"""
    row = db.execute(query, (revision,)).fetchone()
    return row and str(row[0])


def _one_of(name: str, past: list[str], to: str) -> str:
    match [revision for revision in past if to and revision.startswith(to)]:
        case [revision]:
            return revision
        case []:
            shown = ", ".join(revision[:12] for revision in past[-5:])
            raise UnknownAdapterError(
                f"{to!r}: no revision in the history of {name!r}, whose last are {shown}. "
                f"Another record's can be had under a name of its own: `plures adapters branch`."
            )
        case several:
            shown = ", ".join(revision[:16] for revision in several)
            raise UnknownAdapterError(
                f"{to!r}: means several revisions of {name!r}: {shown}. Give more digits."
            )


def _row(db: sqlite3.Connection, revision: str) -> RevisionRow:
    row = revision_row(db, revision)
    if row is None:
        raise UnknownAdapterError(f"{revision!r}: no revision of this store; a full id is expected here")
    return row
