"""Bytes of revisions are found where they lie."""

from __future__ import annotations

from adapters.store import AdapterStore
from adapters.store.catalog import places, vocabulary
from adapters.store.packs.packing import pack_in_place
from tests.adapters.store.samples import publish


def test_revisions_move_from_folders_into_a_pack(store: AdapterStore) -> None:
    revisions = [publish(store, f"user-{i}", i) for i in range(3)]
    with store.catalog.reading() as db:
        assert places.folders(db).revisions == 3
        assert places.folders(db).bytes == sum(store.row(r).size for r in revisions)
        assert places.packs(db) == []
    pack_in_place(store, revisions[:2])
    with store.catalog.reading() as db:
        (packed,) = places.packs(db)
        assert places.folders(db).revisions == 1
    assert packed.revisions == 2
    assert (store.root / packed.file).stat().st_size == packed.bytes


def test_words_to_search_by(store: AdapterStore) -> None:
    publish(store, "ada", 0, metrics={"last_loss": 2.5, "first_loss": 3.0})
    with store.catalog.reading() as db:
        assert vocabulary.base_names(db) == ["tiny-moe"]
        assert vocabulary.metric_names(db) == ["first_loss", "last_loss"]
