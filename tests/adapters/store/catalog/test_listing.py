"""Lists against a plain model of the same store, filtered in Python, and page by page."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import StoreError
from adapters.store import AdapterStore, Entry, EntryFilter, Evidence, MetricBound, Publication
from adapters.store.catalog.file import Catalog
from adapters.store.catalog.listing import entries
from adapters.store.catalog.states import STATES
from tests.adapters.store.samples import FINGERPRINT, adapter, manifest

OTHER = "0" * 64
Everything = list[tuple[Entry, list[Mapping[str, float]]]]
"""Every entry of a store with the values of its metrics, the oldest first."""


@pytest.fixture(scope="module")
def many(fast_folder: Path) -> AdapterStore:
    """Thirty names over two bases, histories, losses with ties, two persons, tags, states, a retired record."""
    store = AdapterStore(Path(tempfile.mkdtemp(dir=fast_folder)) / "store")
    for turn in range(2):
        store.publish_many(
            [
                Publication(
                    adapter(100 * turn + i),
                    manifest(
                        seed=100 * turn + i,
                        base_name=("tiny-moe", "smollm2")[i % 2],
                        base_fingerprint=(FINGERPRINT, OTHER)[i % 2],
                        metrics={"loss": (i * 7 % 5) + turn, "steps": 3} if i % 4 else {},
                    ),
                    f"{'town' if i < 20 else 'city'}.user-{i:02d}",
                    ("Ada", "Ben", "")[i % 3],
                )
                for i in range(30)
                if turn == 0 or i % 3 == 0
            ]
        )
    heads = list(store.heads().values())
    store.tag("paper", heads[3])
    store.tag("draft", heads[3])
    store.states.advance_all({heads[1]: "prewarming", heads[5]: "prewarming"}, "test")
    store.retire("town.user-07")
    store.evidence.add([Evidence(heads[2], "evaluation", "r", "s", "p", {"loss": 0.5})])
    return store


FILTERS = st.builds(
    EntryFilter,
    base=st.sampled_from(
        [None, "tiny-moe", "smollm2", FINGERPRINT, FINGERPRINT[:8], FINGERPRINT[:7], "none"]
    ),
    name_prefix=st.sampled_from(["", "town", "town.user-0", "city.user-29", "x"]),
    tag=st.sampled_from([None, None, "paper", "nothing"]),
    revision=st.none(),
    history=st.booleans(),
    person=st.sampled_from([None, None, "Ada", "Ben", "", "Zoe"]),
    metric=st.none()
    | st.builds(
        MetricBound,
        st.sampled_from(["loss", "steps", "nothing"]),
        st.sampled_from([">=", "<="]),
        st.integers(0, 5),
    ),
    state=st.sampled_from([None, None, *STATES]),
    retired=st.booleans(),
)


@pytest.fixture(scope="module")
def everything(many: AdapterStore) -> Everything:
    return [
        (e, [many.manifest(e.revision).metrics, *(seen.metrics for seen in many.evidence.of(e.revision))])
        for e in many.list(EntryFilter(history=True, retired=True))
    ]


def expected(everything: Everything, wanted: EntryFilter) -> list[Entry]:
    """The same by looking at every entry."""

    def score(values: list[Mapping[str, float]]) -> float | None:
        if wanted.metric is None:
            return None
        return next((v[wanted.metric.metric] for v in reversed(values) if wanted.metric.metric in v), None)

    def holds(e: Entry, values: list[Mapping[str, float]]) -> bool:
        value = score(values)
        in_bound = wanted.metric is None or (
            value is not None
            and (
                value >= wanted.metric.value if wanted.metric.bound == ">=" else value <= wanted.metric.value
            )
        )
        by_base = wanted.base is None or e.base_name == wanted.base
        if wanted.base is not None and len(wanted.base) >= 8:
            by_base = by_base or e.base_fingerprint.startswith(wanted.base)
        return (
            in_bound
            and by_base
            and e.name.startswith(wanted.name_prefix)
            and (wanted.tag is None or wanted.tag in e.tags)
            and (wanted.person is None or (wanted.person != "" and e.person == wanted.person))
            and (wanted.state is None or e.state == wanted.state)
            and (e.is_head or wanted.history or wanted.tag is not None)
            and (not e.retired or wanted.retired or wanted.tag is not None)
        )

    return [e for e, values in everything if holds(e, values)]


@settings(max_examples=100, deadline=None)
@given(wanted=FILTERS, size=st.integers(1, 9))
def test_filters_and_pages_give_what_looking_at_everything_gives(
    many: AdapterStore,
    everything: Everything,
    wanted: EntryFilter,
    size: int,
) -> None:
    model = expected(everything, wanted)
    found = list(many.list(wanted))
    plain = [(e.name, e.sequence) for e in found]
    if wanted.metric is None:
        assert plain == [(e.name, e.sequence) for e in model]
        assert all(e.score is None for e in found)
    else:
        assert sorted(plain) == sorted((e.name, e.sequence) for e in model)
        scores = [e.score for e in found]
        assert scores == sorted(scores, key=lambda s: s or 0.0, reverse=wanted.metric.bound == ">=")
    paged: list[Entry] = []
    while page := many.list(wanted, limit=size, after=paged[-1].cursor if paged else None):
        paged += page
        assert len(page) <= size
    assert paged == found


def test_a_page_goes_on_where_the_last_one_ended_though_names_come_and_heads_move(
    store: AdapterStore,
) -> None:
    def publish(name: str, seed: int) -> None:
        store.publish(adapter(seed), manifest(seed=seed), name=name)

    for seed, name in enumerate("bdf"):
        publish(name, seed)
    first = store.list(limit=2)
    assert [e.name for e in first] == ["b", "d"]
    publish("a", 3)
    publish("e", 4)
    publish("d", 5)
    assert [e.name for e in store.list(limit=9, after=first[-1].cursor)] == ["e", "f"]


@pytest.mark.parametrize("cursor", ["", "town", "a:b", "1:2:3:4:5", "1:x:3:4"])
def test_a_cursor_of_no_list_is_refused(many: AdapterStore, cursor: str) -> None:
    for wanted in (EntryFilter(), EntryFilter(metric=MetricBound("loss", ">=", 0))):
        with pytest.raises(StoreError, match="the cursor of an entry of this very list"):
            many.list(wanted, after=cursor)


def test_a_cursor_or_limit_of_another_kind_is_refused(many: AdapterStore) -> None:
    by_name = many.list(limit=1)[0].cursor
    with pytest.raises(StoreError, match="this very list"):
        many.list(EntryFilter(metric=MetricBound("loss", ">=", 0)), after=by_name)
    with pytest.raises(StoreError, match="at least 1"):
        many.list(limit=0)
    with pytest.raises(StoreError, match="expected one of registered, prewarming"):
        many.list(EntryFilter(state="asleep"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("loss<=2.5", MetricBound("loss", "<=", 2.5)),
        (" own perplexity >= -1e3", MetricBound("own perplexity", ">=", -1000.0)),
    ],
)
def test_bounds_are_read_as_people_write_them(text: str, bound: MetricBound) -> None:
    assert MetricBound.parse(text) == bound


@pytest.mark.parametrize("text", ["loss", "loss=2", "loss<2", "<=2", "loss<=", "loss<=two", "loss>=nan"])
def test_what_is_no_bound_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(StoreError, match="metric: got"):
        MetricBound.parse(text)


PLANS: dict[str, tuple[EntryFilter, str]] = {
    "heads": (EntryFilter(), "SEARCH r USING INDEX sqlite_autoindex_records_1 (name>?"),
    "prefix": (EntryFilter(name_prefix="town"), "SEARCH r USING INDEX sqlite_autoindex_records_1 (name>?"),
    "base": (EntryFilter(base="smollm2"), "SEARCH r USING INDEX records_by_base (base=? AND name>?"),
    "person": (EntryFilter(person="Ada"), "SEARCH r USING INDEX records_by_person (person=? AND name>?"),
    "tag": (EntryFilter(tag="paper"), "SEARCH v USING INTEGER PRIMARY KEY (rowid=?)"),
    "state": (EntryFilter(state="served"), "SEARCH v USING INDEX revisions_by_state (state=?)"),
    "metric": (EntryFilter(metric=MetricBound("loss", ">=", 0)), "SEARCH c USING PRIMARY KEY (metric=? AND"),
}


@pytest.mark.parametrize("name", PLANS)
def test_every_list_starts_from_an_index_and_sorts_no_catalog(many: AdapterStore, name: str) -> None:
    """What keeps the cost of a page flat: SQLite's own plan, read back."""
    wanted, start = PLANS[name]
    catalog = Catalog(many.layout.catalog, wait=0)
    traced: list[str] = []
    cursor = None if wanted.metric else "a:1"
    with catalog.reading() as db:
        db.set_trace_callback(traced.append)
        entries(db, wanted, limit=5, after=cursor)
        db.set_trace_callback(None)
        plan: list[Any] = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {traced[-1]}")]
    assert plan[0].startswith(start) or any(step.startswith(start) for step in plan[:2]), plan
    if name not in ("tag", "state"):
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan
