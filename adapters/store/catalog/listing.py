"""Listing what records stand for: filtered, in pages, at the same cost per page however many there are.

Each way of asking has its own order of joins, fixed by CROSS JOIN, so that SQLite starts from the index that
leaves the fewest rows and never sorts the whole catalog; a page begins behind the place that the last one ended.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from adapters.errors import StoreError
from adapters.store.catalog.queries import AFTER_HEX, split_targets
from adapters.store.catalog.states import STATES, State, in_state

_AFTER_NAME = "{"  # sorts behind every character of a name
_FINGERPRINT_PREFIX = re.compile(r"[0-9a-f]{8,64}")

Bound = Literal[">=", "<="]


class MetricBound(NamedTuple):
    """Revisions whose newest value of a metric is at least, or at most, some number.

    The newest is that of the last rollout or evaluation that has the metric, else that of the manifest.
    """

    metric: str
    bound: Bound
    value: float

    @classmethod
    def parse(cls, text: str) -> MetricBound:
        """Read `NAME>=NUMBER` or `NAME<=NUMBER`.

        Raises:
            StoreError: for anything else.
        """
        name, bound, number = _split(text)
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if math.isnan(value):
            raise StoreError(f"metric: got {text!r}; expected a number after {bound}")
        return cls(name, bound, value)


class EntryFilter(NamedTuple):
    """Which entries to list; all conditions hold together.

    Args:
        base: a base's name, or at least 8 digits of its fingerprint.
        name_prefix: how names begin.
        tag: entries of the revision with this tag, heads or not.
        revision: entries of this revision (full id), heads or not.
        history: all entries, not the heads only.
        person: the person's id in the corpus.
        metric: lists the best value first, in place of the order of names.
        state: serving state of the revision.
        retired: also records that are retired; those of a tag or revision are always listed.
    """

    base: str | None = None
    name_prefix: str = ""
    tag: str | None = None
    revision: str | None = None
    history: bool = False
    person: str | None = None
    metric: MetricBound | None = None
    state: State | None = None
    retired: bool = False


class Entry(NamedTuple):
    """One step in the history of a record: what its name stood for since `published_at` (ISO 8601, UTC).

    `event` says why: publish, rollback or branch. `score` is the value of the metric that was asked for, if one was.
    `cursor` is where the next page begins after this entry.
    """

    name: str
    sequence: int
    revision: str
    is_head: bool
    event: str
    published_at: str
    tags: tuple[str, ...]
    base_name: str
    base_fingerprint: str
    kind: str
    person: str
    rank: int
    targets: tuple[str, ...]
    seed: int
    parent: str | None
    size: int
    state: State
    retired: bool
    score: float | None
    cursor: str


_COLUMNS = """
    r.name, h.sequence, v.revision, h.sequence = r.sequence, h.event, h.at,
    (SELECT group_concat(tag) FROM (SELECT tag FROM tags WHERE revision = v.id ORDER BY 1)),
    b.name, b.fingerprint, v.kind, r.person, s.rank, s.targets, v.seed, v.parent, v.size, v.state,
    r.retired_at IS NOT NULL"""
_REST = "CROSS JOIN bases b ON b.id = v.base CROSS JOIN shapes s ON s.id = v.shape"

_BY_NAME = (
    f"records r CROSS JOIN history h ON h.record = r.id CROSS JOIN revisions v ON v.id = h.revision {_REST}"
)
_BY_REVISION = (
    f"revisions v CROSS JOIN history h ON h.revision = v.id CROSS JOIN records r ON r.id = h.record {_REST}"
)
_BY_METRIC = (
    f"scores c CROSS JOIN history h ON h.revision = c.revision CROSS JOIN records r ON r.id = h.record "
    f"CROSS JOIN revisions v ON v.id = c.revision {_REST}"
)


def entries(
    db: sqlite3.Connection, wanted: EntryFilter, *, limit: int | None = None, after: str | None = None
) -> list[Entry]:
    """Entries by name, the newest of each name first; by value, the best first, when a metric is asked for.

    Args:
        db: in a transaction.
        wanted: which.
        limit: at most so many, from 1; None for all.
        after: the cursor of the last entry of the page before.

    Raises:
        StoreError: for a limit below 1, a cursor of another list, or an unknown state.
    """
    if limit is not None and limit < 1:
        raise StoreError(f"limit: got {limit}; expected at least 1")
    if wanted.state not in (None, *STATES):
        raise StoreError(f"state: got {wanted.state!r}; expected one of {', '.join(STATES)}")
    clauses, values = _conditions(db, wanted)
    if wanted.metric:
        query = _metric_query(wanted.metric, clauses, values, after)
    else:
        by_revision = wanted.tag is not None or wanted.revision is not None
        by_state = wanted.state not in (None, "registered")
        query = _name_query(_BY_REVISION if by_revision or by_state else _BY_NAME, clauses, values, after)
    values.append(-1 if limit is None else limit)
    return [_entry(row) for row in db.execute(f"{query} LIMIT ?", values)]


def history(db: sqlite3.Connection, name: str) -> list[Entry]:
    """All entries of one record, the newest first."""
    query = _name_query(_BY_NAME, ["r.name = ?"], [], None)
    return [_entry(row) for row in db.execute(query, (name,))]


def _conditions(db: sqlite3.Connection, wanted: EntryFilter) -> tuple[list[str], list[object]]:
    clauses, values = list[str](), list[object]()

    def demand(clause: str, *given: object) -> None:
        clauses.append(clause)
        values.extend(given)

    if wanted.base is not None:
        bases = _bases(db, wanted.base)
        column = "v.base" if wanted.history else "r.base"
        marks = ", ".join("?" * len(bases))
        # One base is walked in order of names by its index; several are picked out of all names.
        demand(f"{column} = ?" if len(bases) == 1 else f"+{column} IN ({marks})", *bases)
    if wanted.name_prefix:
        demand("r.name >= ? AND r.name < ?", wanted.name_prefix, wanted.name_prefix + _AFTER_NAME)
    if wanted.tag is not None:
        demand("v.id = (SELECT revision FROM tags WHERE tag = ?)", wanted.tag)
    if wanted.revision is not None:
        demand("v.revision = ?", wanted.revision)
    if wanted.person is not None:
        demand("r.person = ? AND r.person <> ''", wanted.person)
    if wanted.state is not None:
        demand(in_state(wanted.state), wanted.state)
    of_one = wanted.tag is not None or wanted.revision is not None
    if not (wanted.history or of_one):
        demand("h.sequence = r.sequence")
    if not (wanted.retired or of_one):
        demand("r.retired_at IS NULL")
    return clauses, values


def _bases(db: sqlite3.Connection, ref: str) -> list[int]:
    """Numbers of the bases of a name, or whose fingerprint begins so."""
    query = "SELECT id FROM bases WHERE name = ?"
    values = [ref]
    if _FINGERPRINT_PREFIX.fullmatch(ref):
        query += " OR (fingerprint >= ? AND fingerprint < ?)"
        values += [ref, ref + AFTER_HEX]
    return [row[0] for row in db.execute(query, values)]


def _name_query(tables: str, clauses: list[str], values: list[object], after: str | None) -> str:
    if after is not None:
        name, sequence = _cursor(after, 2)
        clauses.append("r.name >= ? AND NOT (r.name = ? AND h.sequence >= ?)")
        values += [name, name, int(sequence)]
    return (
        f"SELECT {_COLUMNS}, NULL, r.name || ':' || h.sequence FROM {tables} {_where(clauses)} "
        f"ORDER BY r.name, h.sequence DESC"
    )


def _metric_query(metric: MetricBound, clauses: list[str], values: list[object], after: str | None) -> str:
    best_is_high = metric.bound == ">="
    clauses[:0] = [
        "c.metric = (SELECT id FROM metrics WHERE name = ?)",
        f"c.value {metric.bound} ?",
        "c.evidence = (SELECT max(evidence) FROM scores WHERE revision = c.revision AND metric = c.metric)",
    ]
    values[:0] = [metric.metric, metric.value]
    if after is not None:
        value, *place = _cursor(after, 4)
        number, record, sequence = map(int, place)
        clauses.append(f"(c.value, c.revision) {'<=' if best_is_high else '>='} (?, ?)")
        clauses.append("NOT (c.value = ? AND c.revision = ? AND (h.record, h.sequence) <= (?, ?))")
        values += [float(value), number, float(value), number, record, sequence]
    order = "DESC" if best_is_high else "ASC"
    return (
        f"SELECT {_COLUMNS}, c.value, c.revision || ':' || h.record || ':' || h.sequence FROM {_BY_METRIC} "
        f"{_where(clauses)} ORDER BY c.value {order}, c.revision {order}, h.record, h.sequence"
    )


def _where(clauses: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(clauses)}" if clauses else ""


def _entry(row: tuple[object, ...]) -> Entry:
    (
        name,
        sequence,
        revision,
        is_head,
        event,
        at,
        tags,
        base,
        fingerprint,
        kind,
        person,
        rank,
        targets,
        *rest,
    ) = row
    seed, parent, size, state, retired, score, place = rest
    return Entry._make(
        (
            name,
            sequence,
            revision,
            bool(is_head),
            event,
            at,
            tuple(str(tags).split(",")) if tags else (),
            base,
            fingerprint,
            kind,
            person,
            rank,
            split_targets(str(targets)),
            seed,
            parent,
            size,
            state,
            bool(retired),
            score,
            str(place) if score is None else f"{score}:{place}",
        )
    )


def _cursor(text: str, parts: int) -> list[str]:
    found = text.split(":")
    numbers = found if parts > 2 else found[1:]  # all but the name
    try:
        [float(number) for number in numbers]
    except ValueError:
        found = []
    if len(found) != parts:
        raise StoreError(f"after: got {text!r}; expected the cursor of an entry of this very list")
    return found


def _split(text: str) -> tuple[str, Bound, str]:
    for bound in get_args(Bound):
        name, found, number = text.partition(bound)
        if found and name.strip():
            return name.strip(), bound, number
    raise StoreError(f"metric: got {text!r}; expected NAME>=NUMBER or NAME<=NUMBER, such as 'last_loss<=2.5'")
