"""What a store holds, in totals."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from adapters.store.catalog.states import STATES, State

_SHARED = """
    SELECT coalesce(sum(copies - 1), 0), coalesce(sum((copies - 1) * v.size), 0)
    FROM (SELECT revision, count(DISTINCT record) AS copies FROM history GROUP BY revision) h
         JOIN revisions v ON v.id = h.revision"""


class StoreStatistics(NamedTuple):
    """Totals over one store.

    Args:
        records: policy records in use.
        retired_records: those out of use.
        revisions: distinct revisions.
        entries: steps in all histories.
        tags: how many.
        evidence: rollouts and evaluations.
        bytes: of all revisions' files; packed ones count by their share of the pack.
        by_base: name and 8 digits of the base → revisions.
        by_state: serving state → revisions; every state is there.
        by_kind: personal, pooled or zero → revisions.
        packs: packed files.
        shared: how often a record stood for a revision that another record had already.
        bytes_saved: what these would take if every record kept a copy of its own.
    """

    records: int
    retired_records: int
    revisions: int
    entries: int
    tags: int
    evidence: int
    bytes: int
    by_base: dict[str, int]
    by_state: dict[State, int]
    by_kind: dict[str, int]
    packs: int
    shared: int
    bytes_saved: int


def statistics(db: sqlite3.Connection) -> StoreStatistics:
    """Count; looks at every row, which takes seconds when there are a million."""

    def number(query: str) -> int:
        return int(db.execute(query).fetchone()[0])

    by_base = db.execute(
        "SELECT b.name || ' ' || substr(b.fingerprint, 1, 8), count(*) FROM revisions v "
        "JOIN bases b ON b.id = v.base GROUP BY 1 ORDER BY 1"
    )
    by_kind = db.execute("SELECT kind, count(*) FROM revisions GROUP BY 1 ORDER BY 1")
    states: dict[State, int] = dict.fromkeys(STATES, 0)
    states.update(db.execute("SELECT state, count(*) FROM revisions GROUP BY 1"))
    shared, saved = db.execute(_SHARED).fetchone()
    return StoreStatistics(
        records=number("SELECT count(*) FROM records WHERE retired_at IS NULL"),
        retired_records=number("SELECT count(*) FROM records WHERE retired_at IS NOT NULL"),
        revisions=number("SELECT count(*) FROM revisions"),
        entries=number("SELECT count(*) FROM history"),
        tags=number("SELECT count(*) FROM tags"),
        evidence=number("SELECT count(*) FROM evidence"),
        bytes=number("SELECT coalesce(sum(size), 0) FROM revisions"),
        by_base=dict(by_base.fetchall()),
        by_state=states,
        by_kind=dict(by_kind.fetchall()),
        packs=number("SELECT count(*) FROM packs"),
        shared=shared,
        bytes_saved=saved,
    )
