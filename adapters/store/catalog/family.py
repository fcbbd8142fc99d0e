"""Records that come from one another by branching, and what each has stood for: one family's whole story."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from adapters.store.catalog.policies import Event
from adapters.store.catalog.states import State

_FAMILY = """
    WITH RECURSIVE
        up (id, parent, depth) AS (
            SELECT id, parent, 0 FROM records WHERE name = ?
            UNION ALL
            SELECT r.id, r.parent, up.depth + 1 FROM records r JOIN up ON r.id = up.parent
        ),
        down (id) AS (
            SELECT id FROM (SELECT id FROM up ORDER BY depth DESC LIMIT 1)
            UNION ALL
            SELECT r.id FROM records r JOIN down ON r.parent = down.id
            LIMIT ?
        )
    SELECT r.name, parent.name, source.revision, r.retired_at IS NOT NULL, h.sequence, v.revision, h.event, h.at,
           h.sequence = r.sequence, r.served IS h.revision, v.state
    FROM down JOIN records r ON r.id = down.id JOIN history h ON h.record = r.id
         JOIN revisions v ON v.id = h.revision LEFT JOIN records parent ON parent.id = r.parent
         LEFT JOIN revisions source ON source.id = r.parent_revision
    ORDER BY h.at, r.id, h.sequence"""


class Step(NamedTuple):
    """One entry in the history of one record of a family.

    Args:
        record: its name.
        parent: record that it was branched from, or None.
        parent_revision: at which it was branched.
        retired: whether the record is out of use.
        sequence: of the entry in the record's history, from 1.
        revision: that the record stood for since.
        event: why.
        at: ISO 8601, UTC.
        is_head: whether the record stands for it now.
        is_served: whether requests to the record go to this revision.
        state: serving state of the revision.
    """

    record: str
    parent: str | None
    parent_revision: str | None
    retired: bool
    sequence: int
    revision: str
    event: Event
    at: str
    is_head: bool
    is_served: bool
    state: State


def family(db: sqlite3.Connection, name: str, at_most: int) -> list[Step]:
    """Every step of the records that share an oldest ancestor with one, in order of time.

    Args:
        db: in a transaction.
        name: of any record of the family; empty result when there is none such.
        at_most: records to look at, the nearest to the ancestor first.
    """
    rows = db.execute(_FAMILY, (name, at_most))
    return [
        Step._make((*row[:3], bool(row[3]), *row[4:8], bool(row[8]), bool(row[9]), row[10])) for row in rows
    ]
