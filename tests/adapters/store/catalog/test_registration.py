from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from adapters.errors import BaseMismatchError, StoreError
from adapters.store import AdapterStore, EntryFilter, MetricBound, PackRow, Registration, RevisionRow
from adapters.store.catalog import registration
from adapters.store.catalog.shape import Shape
from tests.adapters.store.samples import publish

PACK = PackRow("packs/one.safetensors", "1" * 64, 1000, "2026-01-01T00:00:00+00:00")
SHAPE = Shape(4, ("q_proj",), "2" * 64, 8, 1024, "F32")


@pytest.fixture
def store(store: AdapterStore) -> AdapterStore:
    """With a file in the place of the pack."""
    with store.writing():
        store.layout.packs.mkdir()
        (store.root / PACK.file).write_bytes(bytes(PACK.size))
    return store


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def row(number: int, **changes: object) -> RevisionRow:
    plain = RevisionRow(
        revision=digest("revision", number),
        base_name="tiny-moe",
        base_fingerprint=digest("base"),
        shape=SHAPE,
        pack=None,
        kind="personal",
        seed=number,
        data_hash="",
        training_key=digest("key", number),
        parent=None,
        created_at="2026-01-01T00:00:00+00:00",
        size=10,
        manifest_sha256=digest("manifest", number),
    )
    return plain._replace(**changes)  # type: ignore[arg-type]


def items(first: int, last: int) -> Iterator[Registration]:
    for number in range(first, last):
        yield Registration(row(number), f"user-{number:05d}", f"U{number}", {"loss": number % 10})


def test_many_are_registered_as_if_published_one_by_one(
    store: AdapterStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "_BATCH", 7)
    assert store.register(PACK, items(0, 50)) == 50
    assert store.register(PACK, items(40, 60)) == 10
    assert len(store.revisions()) == 60
    entry = store.list(EntryFilter(person="U33"))[0]
    assert (
        entry.revision == row(33).revision == store.resolve("user-00033") == store.resolve(entry.revision[:8])
    )
    assert (entry.event, entry.sequence, entry.is_head) == ("publish", 1, True)
    assert store.row(entry.revision) == row(33)._replace(pack=PACK.file)
    assert store.policy("user-00033").shape == SHAPE
    assert len(store.list(EntryFilter(metric=MetricBound("loss", ">=", 9)))) == 6
    with store.catalog.reading() as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_name_that_is_there_gets_the_new_revision_when_its_record_admits_it(store: AdapterStore) -> None:
    store.register(PACK, items(0, 3))
    again = [
        Registration(row(7), "user-00001"),
        Registration(row(8), "user-00001"),
        Registration(row(9), "new"),
    ]
    again.append(Registration(row(10), "new"))
    assert store.register(PACK, again) == 4
    assert [e.revision for e in store.log("user-00001")] == [row(n).revision for n in (8, 7, 1)]
    assert [e.revision for e in store.log("new")] == [row(10).revision, row(9).revision]
    misfit = [Registration(row(11), "good"), Registration(row(12, shape=Shape(8, ("q_proj",))), "new")]
    with pytest.raises(BaseMismatchError, match="rank 8 in place of 4"):
        store.register(PACK, misfit)
    assert "good" not in store.heads()


@pytest.mark.parametrize(("name", "message"), [("Bad Name", "a-z"), ("paper", "is a tag")])
def test_one_bad_name_registers_none(store: AdapterStore, name: str, message: str) -> None:
    store.tag("paper", publish(store, "ada"))
    with pytest.raises(StoreError, match=message):
        store.register(PACK, [*items(0, 3), Registration(row(5), name)])
    assert store.heads().keys() == {"ada"}


def test_a_published_revision_keeps_its_own_files(store: AdapterStore) -> None:
    revision = publish(store, "ada")
    known = store.row(revision)
    assert store.register(PACK, [Registration(known, "alias")]) == 0
    assert store.row(revision).pack is None
    assert store.resolve("alias") == revision
    store.verify(revision)


@pytest.mark.parametrize(
    ("pack", "message"),
    [
        (PACK._replace(file="packs/two.safetensors"), "two.safetensors: no packed file there"),
        (PACK._replace(file="packs/../../one.safetensors"), "no packed file there"),
        (PACK._replace(size=1001), "has 1000 bytes, not 1001"),
    ],
)
def test_no_row_points_at_a_file_that_is_not_in_place(
    store: AdapterStore, pack: PackRow, message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        store.register(pack, items(0, 3))
    assert not store.revisions()


def test_registering_keeps_those_out_who_clean_up(store: AdapterStore) -> None:
    """Nor does it wait for a caller who moved the file into place under the same lock."""
    impatient = AdapterStore(store.root, wait=0)

    def items_while_others_sweep() -> Iterator[Registration]:
        with pytest.raises(StoreError, match="held by another process"):
            AdapterStore(store.root, wait=0).sweep()
        yield from items(0, 3)

    assert impatient.register(PACK, items_while_others_sweep()) == 3
    with store.writing():
        assert impatient.register(PACK, items(3, 6)) == 3


def test_totals_count_everything_once(store: AdapterStore) -> None:
    empty = store
    store.register(PACK, items(0, 5))
    revision = publish(store, "ada", 1)
    publish(store, "ben", 1)
    publish(store, "ada", 2)
    store.tag("paper", revision)
    store.retire("user-00000")
    totals = empty.statistics()
    assert (totals.records, totals.retired_records, totals.revisions, totals.entries) == (6, 1, 7, 8)
    assert (totals.tags, totals.packs, totals.evidence) == (1, 1, 0)
    assert totals.by_state["retired"] == 1
    assert sum(totals.by_state.values()) == sum(totals.by_base.values()) == sum(totals.by_kind.values()) == 7
    size = store.row(revision).size
    assert (totals.shared, totals.bytes_saved) == (1, size)
    assert totals.bytes == 5 * 10 + size + store.row(store.resolve("ada")).size
