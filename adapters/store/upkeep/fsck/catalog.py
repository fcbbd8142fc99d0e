"""Checks of the catalog against itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from adapters.store.catalog.states import LEGAL
from adapters.store.drafts import utc_now
from adapters.store.store import AdapterStore
from adapters.store.upkeep.fsck.finding import Finding

_BACKUP = "restore catalog.sqlite from a backup"

# Rows that may go when what they name is gone: no name changes its meaning by that
_REMOVABLE = {
    "tags": "tags WHERE revision NOT IN (SELECT id FROM revisions)",
    "transitions": "transitions WHERE revision NOT IN (SELECT id FROM revisions)",
    "scores": "scores WHERE revision NOT IN (SELECT id FROM revisions)",
    "history": (
        "history WHERE record NOT IN (SELECT id FROM records) OR (revision NOT IN (SELECT id FROM revisions) "
        "AND sequence <> (SELECT sequence FROM records WHERE id = history.record))"
    ),
}

_WRONG_HEADS = """
    SELECT name FROM records r WHERE NOT EXISTS (
        SELECT 1 FROM history WHERE record = r.id AND sequence = r.sequence AND revision = r.head
    ) OR sequence <> (SELECT max(sequence) FROM history WHERE record = r.id) ORDER BY name"""

_STATES = """
    SELECT * FROM (
        SELECT revision, state, coalesce(
            (SELECT target FROM transitions WHERE revision = r.id ORDER BY id DESC LIMIT 1), 'registered'
        ) AS logged FROM revisions r WHERE state <> 'registered' OR id IN (SELECT revision FROM transitions)
    ) WHERE state <> logged ORDER BY revision"""

_PARENTS_ELSEWHERE = """
    SELECT count(*), min(revision) FROM revisions
    WHERE parent IS NOT NULL AND parent NOT IN (SELECT revision FROM revisions)"""


def integrity(store: AdapterStore) -> Iterator[Finding]:
    """SQLite's own check of the file."""
    with store.catalog.reading() as db:
        messages = [row[0] for row in db.execute("PRAGMA integrity_check(10)")]
    for message in messages:
        if message != "ok":
            yield Finding("catalog-damaged", str(store.layout.catalog), message, _BACKUP)


def references(store: AdapterStore) -> Iterator[Finding]:
    """Rows that name what is not there; those that are only remarks about it can go."""
    with store.catalog.reading() as db:
        broken = sorted({(row[0], row[2]) for row in db.execute("PRAGMA foreign_key_check")})
        removable = {
            table: db.execute(f"SELECT count(*) FROM {rows}").fetchone()[0]
            for table, rows in _REMOVABLE.items()
        }
    for table, target in broken:
        if count := removable.get(table, 0):
            problem = f"{count} rows name {target} that do not exist"
            mend = partial(_execute, store, f"DELETE FROM {_REMOVABLE[table]}")
            yield Finding("dangling-reference", table, problem, "the rows are removed", mend)
        else:
            yield Finding("dangling-reference", table, f"rows name {target} that do not exist", _BACKUP)


def heads(store: AdapterStore) -> Iterator[Finding]:
    """Names whose head and history disagree; which is right, only a person can say."""
    with store.catalog.reading() as db:
        names = [row[0] for row in db.execute(_WRONG_HEADS)]
    for name in names:
        yield Finding(
            "head-not-newest",
            name,
            "its head is not the newest entry of its history",
            f"choose the revision yourself: `plures adapters rollback {name} --to REVISION`",
        )


def states(store: AdapterStore) -> Iterator[Finding]:
    """Revisions whose state is not the one that its log of transitions ends with."""
    with store.catalog.reading() as db:
        found = db.execute(_STATES).fetchall()
    for revision, state, logged in found:
        right = logged if logged in LEGAL else "registered"
        yield Finding(
            "impossible-state",
            revision,
            f"its state is {state!r}, its log ends with {logged!r}",
            f"the state becomes {right!r}",
            partial(_set_state, store, revision, state, right, log=right != logged),
        )


def parents(store: AdapterStore) -> Iterator[Finding]:
    """Ancestors that are in another store, or were let go."""
    with store.catalog.reading() as db:
        count, first = db.execute(_PARENTS_ELSEWHERE).fetchone()
    if count:
        yield Finding(
            "dangling-parent",
            first,
            f"{count} revisions (this is the first) were trained from revisions that are not in this store",
            "nothing needs to be done; they serve as they are",
        )


CHECKS: tuple[Callable[[AdapterStore], Iterator[Finding]], ...] = (
    integrity,
    references,
    heads,
    states,
    parents,
)
"""In this order."""


def _execute(store: AdapterStore, statement: str) -> None:
    with store.catalog.writing() as db:
        db.execute(statement)


def _set_state(store: AdapterStore, revision: str, state: str, right: str, *, log: bool) -> None:
    with store.catalog.writing() as db:
        db.execute("UPDATE revisions SET state = ? WHERE revision = ?", (right, revision))
        if log:
            db.execute(
                "INSERT INTO transitions (revision, source, target, reason, at) "
                "SELECT id, ?, ?, 'fsck: not a state', ? FROM revisions WHERE revision = ?",
                (state, right, utc_now(), revision),
            )
