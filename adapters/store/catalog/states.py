"""Serving states of a revision: which follow on which, and the log of every change.

`registered` (it exists) → `prewarming` (being loaded and tried) → `ready` (a canary request passed) → `served`
(requests go to it) → `evicted` (out of memory again) or `retired` (out of use). Source: MinT, arXiv 2605.13779.
The steps back are ours: a failed canary returns a revision to `registered`, another revision that takes its place
returns it to `ready`, and what was evicted or retired may come again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from adapters.errors import StateError, UnknownAdapterError
from adapters.store.drafts import utc_now

if TYPE_CHECKING:
    from adapters.store.catalog.file import Catalog

State = Literal["registered", "prewarming", "ready", "served", "evicted", "retired"]

STATES: tuple[State, ...] = get_args(State)

LEGAL: Mapping[State, frozenset[State]] = {
    "registered": frozenset({"prewarming", "retired"}),
    "prewarming": frozenset({"ready", "registered", "retired"}),
    "ready": frozenset({"served", "evicted", "retired"}),
    "served": frozenset({"ready", "evicted", "retired"}),
    "evicted": frozenset({"prewarming", "retired"}),
    "retired": frozenset({"registered"}),
}
"""State → the states that may come next."""


class Transition(NamedTuple):
    """One change of state; `record` is the one whose retirement caused it, `at` is ISO 8601 in UTC."""

    revision: str
    source: State
    target: State
    reason: str
    record: str | None
    at: str


class Move(NamedTuple):
    """A wish: bring a revision (full id) into a state, for a reason of one line."""

    revision: str
    to: State
    reason: str


class States:
    """The serving states in one catalog, safe between threads and processes.

    Args:
        catalog: where they are kept.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def of(self, revision: str) -> State:
        """The present state of a revision (full id).

        Raises:
            UnknownAdapterError: no such revision.
        """
        with self._catalog.reading() as db:
            return state_of(db, revision)

    def of_each(self, revisions: Collection[str]) -> dict[str, State]:
        """The present states of many revisions (full ids) at one moment; unknown ones are left out."""
        query = "SELECT revision, state FROM revisions WHERE revision IN (SELECT value FROM json_each(?))"
        with self._catalog.reading() as db:
            return dict(db.execute(query, (json.dumps(list(revisions)),)).fetchall())

    def where(self, state: State) -> list[str]:
        """The revisions in a state, in order of id; there may be a million `registered` ones."""
        with self._catalog.reading() as db:
            query = f"SELECT v.revision FROM revisions v WHERE {in_state(state)} ORDER BY v.revision"
            return [row[0] for row in db.execute(query, (state,))]

    def advance(self, revision: str, to: State, reason: str) -> State:
        """Bring a revision into another state.

        Args:
            revision: full id.
            to: a state that `LEGAL` allows after the present one.
            reason: one line for the log.

        Returns:
            The state before.

        Raises:
            StateError: not allowed from the present state.
            UnknownAdapterError: no such revision.
        """
        return self.advance_all({revision: to}, reason)[revision]

    def advance_all(self, moves: Mapping[str, State], reason: str) -> dict[str, State]:
        """Bring several revisions into other states at one moment, or none of them; see `advance`."""
        now = utc_now()
        with self._catalog.writing() as db:
            return {revision: advance(db, revision, to, reason, now) for revision, to in moves.items()}

    def follow(self, moves: Sequence[Move]) -> None:
        """Make moves one after another at one moment, leaving out those that are not legal.

        For a log of moves that is written later: what somebody else decided in between holds.

        Raises:
            UnknownAdapterError: no such revision; nothing was written.
        """
        now = utc_now()
        with self._catalog.writing() as db:
            for revision, to, reason in moves:
                if to in LEGAL[state_of(db, revision)]:
                    advance(db, revision, to, reason, now)

    def log(self, revision: str) -> list[Transition]:
        """All changes of a revision's state, the oldest first."""
        with self._catalog.reading() as db:
            return transitions(db, revision)


def in_state(state: State) -> str:
    """A condition on `v.state` with one parameter; names what the index of the few not `registered` is limited to."""
    return "v.state = ?" if state == "registered" else "v.state = ? AND v.state <> 'registered'"


def state_of(db: sqlite3.Connection, revision: str) -> State:
    """The present state of a revision.

    Raises:
        UnknownAdapterError: no such revision.
    """
    row = db.execute("SELECT state FROM revisions WHERE revision = ?", (revision,)).fetchone()
    if row is None:
        raise UnknownAdapterError(f"{revision!r}: no revision of this store; a full id is expected here")
    state: State = row[0]
    return state


def advance(
    db: sqlite3.Connection, revision: str, to: State, reason: str, at: str, *, record: str | None = None
) -> State:
    """`States.advance` inside the caller's transaction; `record` is the one whose retirement causes it.

    No record sends requests to a revision that leaves the state `served`.
    """
    before = state_of(db, revision)
    if to not in LEGAL[before]:
        allowed = ", ".join(state for state in STATES if state in LEGAL[before])
        raise StateError(f"{revision}: is {before}, and {to} cannot follow on that; expected {allowed}")
    db.execute("UPDATE revisions SET state = ? WHERE revision = ?", (to, revision))
    if before == "served":
        served = "served = (SELECT id FROM revisions WHERE revision = ?)"
        db.execute(f"UPDATE records SET served = NULL WHERE {served}", (revision,))
    db.execute(
        "INSERT INTO transitions (revision, source, target, reason, record, at) "
        "SELECT id, ?, ?, ?, (SELECT id FROM records WHERE name = ?), ? FROM revisions WHERE revision = ?",
        (before, to, reason, record, at, revision),
    )
    return before


def transitions(db: sqlite3.Connection, revision: str) -> list[Transition]:
    """All changes of a revision's state, the oldest first."""
    query = """
        SELECT v.revision, t.source, t.target, t.reason, r.name, t.at
        FROM revisions v JOIN transitions t ON t.revision = v.id LEFT JOIN records r ON r.id = t.record
        WHERE v.revision = ? ORDER BY t.id"""
    return [Transition(*row) for row in db.execute(query, (revision,))]
