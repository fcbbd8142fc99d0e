"""Adapter stores as tables: what a search finds, what a record is, what a whole store holds. Nothing is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, cast

import pandas as pd

from adapters.errors import AdapterError
from adapters.store.catalog import lineage, listing, places, references, totals, vocabulary
from adapters.store.catalog.file import Catalog
from adapters.store.catalog.listing import Entry, EntryFilter, MetricBound
from adapters.store.catalog.states import STATES, State
from adapters.store.layout import StoreLayout

PAGE = 50
"""Records in one page of a search."""
_WAIT = 5.0

SearchBy = Literal["name", "person", "tag", "revision"]
"""The beginning of a name, a person's id in the corpus, a tag, or a revision (8 digits of its id do)."""

ServingState = State
STATE_MEANINGS: Mapping[ServingState, str] = {
    "registered": "in the store; nothing serves it",
    "prewarming": "being loaded and tried; requests wait for its canary",
    "ready": "in an engine's memory; its canary has passed",
    "served": "requests of a record go to it",
    "evicted": "was in memory, and is on disk alone again",
    "retired": "out of use; kept, and never served",
}
"""Serving state → what it says about where the adapter is and whom it may answer."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for among the records of a store.

    Args:
        by: what `text` is.
        text: "" finds everything.
        state: only revisions in this serving state.
        base: only for bases of this name.
        metric: list by this number, the best first.
        low_is_good: whether a small value of it is the best.
        retired: records out of use, too.
    """

    by: SearchBy = "name"
    text: str = ""
    state: State | None = None
    base: str | None = None
    metric: str | None = None
    low_is_good: bool = True
    retired: bool = False


class Found(NamedTuple):
    """One page of a search.

    Args:
        frame: columns name, person, revision, state, kind, base, rank, published, event, tags, bytes, and the metric
            when the search is by one.
        following: where the next page begins; None after the last.
        unknown: what the search asks for and nothing in the store has, in words.
    """

    frame: pd.DataFrame
    following: str | None
    unknown: tuple[str, ...]


class Words(NamedTuple):
    """By what a store can be searched."""

    bases: list[str]
    metrics: list[str]


class Totals(NamedTuple):
    """What a store holds.

    Args:
        facts: columns what, value.
        states: columns state, revisions, meaning.
        places: columns place, revisions, bytes, made; revisions with folders of their own first.
    """

    facts: pd.DataFrame
    states: pd.DataFrame
    places: pd.DataFrame


def catalog_of(store: Path) -> Catalog:
    """The catalog of a store, for reading alone."""
    return Catalog(StoreLayout(store).catalog, wait=_WAIT, read_only=True)


def when(at: str) -> str:
    """A time of the catalog (ISO 8601, UTC) as people read it, to the second."""
    return at[:19].replace("T", " ")


def store_with(stores: Sequence[Path], revision: str) -> Path | None:
    """The first store that holds a revision (id, or at least 8 digits of it); broken stores hold none."""
    for store in stores:
        try:
            with catalog_of(store).reading() as db:
                references.resolve(db, revision)
        except AdapterError:
            continue
        return store
    return None


def words(store: Path) -> Words:
    """Names of bases and metrics that a search may use.

    Raises:
        StoreError: no store, or one that cannot be read.
    """
    with catalog_of(store).reading() as db:
        return Words(vocabulary.base_names(db), vocabulary.metric_names(db))


def find_records(store: Path, search: Search, after: str | None = None) -> Found:
    """One page of what a search finds; as quick among a million records as among ten.

    Args:
        store: its folder.
        search: what for.
        after: `following` of the page before.

    Raises:
        StoreError: no store, or one that cannot be read.
    """
    with catalog_of(store).reading() as db:
        wanted = _filter(search)
        if search.by == "revision" and search.text:
            wanted = wanted._replace(revision=references.resolve(db, search.text))
        entries = listing.entries(db, wanted, limit=PAGE + 1, after=after)
        unknown = () if entries else tuple(references.unknown_in(db, wanted))
    shown = entries[:PAGE]
    more = len(entries) > PAGE
    return Found(_found_frame(shown, search.metric), shown[-1].cursor if more else None, unknown)


def record_facts(store: Path, name: str) -> pd.DataFrame:
    """What a policy record is; columns what, value.

    Raises:
        UnknownAdapterError: no such record.
    """
    with catalog_of(store).reading() as db:
        record = references.named_record(db, name)
        served = lineage.served_revision(db, name)
    shape = record.shape
    facts = {
        "record": record.name,
        "kind": record.kind,
        "person": record.person or "–",
        "base": f"{record.base_name} {record.base_fingerprint[:8]}",
        "rank": str(shape.rank),
        "targets": ", ".join(shape.targets) or "–",
        "layers": f"{shape.layers:,}" if shape.layers else "–",
        "parameters": f"{shape.parameters:,}" if shape.parameters else "–",
        "head": record.head,
        "state of the head": f"{record.state}: {STATE_MEANINGS[cast('State', record.state)]}",
        "served": served or "nothing: no revision was activated",
        "branched from": f"{record.parent} at {(record.parent_revision or '')[:12]}"
        if record.parent
        else "–",
        "made": when(record.created_at),
        "retired": when(record.retired_at) if record.retired_at else "–",
    }
    return pd.DataFrame(list(facts.items()), columns=["what", "value"])


def history(store: Path, name: str) -> pd.DataFrame:
    """What a record has stood for, the newest first.

    Returns:
        Columns entry (from 1), event, at, revision (full id), head, state, tags, bytes.
    """
    with catalog_of(store).reading() as db:
        references.named_record(db, name)
        entries = listing.history(db, name)
    return pd.DataFrame(
        [
            (
                e.sequence,
                e.event,
                when(e.published_at),
                e.revision,
                e.is_head,
                e.state,
                " ".join(e.tags),
                e.size,
            )
            for e in entries
        ],
        columns=["entry", "event", "at", "revision", "head", "state", "tags", "bytes"],
    )


def store_totals(store: Path) -> Totals:
    """Count everything; looks at every row, which takes seconds when there are a million.

    Raises:
        StoreError: no store, or one that cannot be read.
    """
    with catalog_of(store).reading() as db:
        counted, own, packed = totals.statistics(db), places.folders(db), places.packs(db)
    facts = [
        ("records in use", f"{counted.records:,}"),
        ("records retired", f"{counted.retired_records:,}"),
        ("revisions", f"{counted.revisions:,}"),
        ("entries in histories", f"{counted.entries:,}"),
        ("bytes of revisions", f"{counted.bytes:,}"),
        ("bytes saved by sharing", f"{counted.bytes_saved:,}"),
        ("tags", f"{counted.tags:,}"),
        ("rollouts and evaluations", f"{counted.evidence:,}"),
        *((f"revisions on {base}", f"{number:,}") for base, number in counted.by_base.items()),
        *((f"revisions of kind {kind}", f"{number:,}") for kind, number in counted.by_kind.items()),
    ]
    states = [(state, counted.by_state[state], STATE_MEANINGS[state]) for state in STATES]
    where = [("folders of their own", own.revisions, own.bytes, "")]
    where += [(pack.file, pack.revisions, pack.bytes, when(pack.created_at)) for pack in packed]
    return Totals(
        pd.DataFrame(facts, columns=["what", "value"]),
        pd.DataFrame(states, columns=["state", "revisions", "meaning"]),
        pd.DataFrame(where, columns=["place", "revisions", "bytes", "made"]),
    )


def _filter(search: Search) -> EntryFilter:
    bound = None
    if search.metric:
        bound = (
            MetricBound(search.metric, "<=", math.inf)
            if search.low_is_good
            else MetricBound(search.metric, ">=", -math.inf)
        )
    return EntryFilter(
        base=search.base,
        name_prefix=search.text if search.by == "name" else "",
        tag=search.text if search.by == "tag" and search.text else None,
        person=search.text if search.by == "person" and search.text else None,
        metric=bound,
        state=search.state,
        retired=search.retired,
    )


def _found_frame(entries: list[Entry], metric: str | None) -> pd.DataFrame:
    rows = [
        (
            e.name,
            e.person,
            e.revision[:12],
            e.state,
            e.kind,
            f"{e.base_name} {e.base_fingerprint[:8]}",
            e.rank,
            when(e.published_at),
            e.event,
            " ".join(e.tags),
            e.size,
            e.score,
        )
        for e in entries
    ]
    columns = [
        "name",
        "person",
        "revision",
        "state",
        "kind",
        "base",
        "rank",
        "published",
        "event",
        "tags",
        "bytes",
    ]
    frame = pd.DataFrame(rows, columns=[*columns, "score"])
    return frame.rename(columns={"score": metric}) if metric else frame.drop(columns="score")
