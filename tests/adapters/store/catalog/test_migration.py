"""A store that version 0.1 of Plures made opens, and nothing in it is lost."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import StoreError
from adapters.store import AdapterStore, EntryFilter, MetricBound
from adapters.store.catalog.queries import RevisionRow
from adapters.store.catalog.schema import SCHEMA_VERSION
from adapters.store.catalog.shape import shape_of
from adapters.store.drafts import utc_now
from tests.adapters.store.samples import SPEC, adapter, publish, same_tensors

# The schema of catalog version 1, word for word as it was released.
VERSION_1 = """
CREATE TABLE revisions (
    revision TEXT PRIMARY KEY,
    base_name TEXT NOT NULL,
    base_fingerprint TEXT NOT NULL,
    kind TEXT NOT NULL,
    rank INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    data_hash TEXT NOT NULL,
    training_key TEXT NOT NULL,
    parent TEXT,
    created_at TEXT NOT NULL,
    size INTEGER NOT NULL,            -- bytes of all files
    manifest_sha256 TEXT NOT NULL     -- of the bytes of manifest.json
) WITHOUT ROWID;
CREATE INDEX revisions_by_training_key ON revisions (training_key);
CREATE TABLE history (
    name TEXT NOT NULL,
    sequence INTEGER NOT NULL,        -- 1, 2, 3, ...
    revision TEXT NOT NULL REFERENCES revisions (revision),
    published_at TEXT NOT NULL,
    PRIMARY KEY (name, sequence)
) WITHOUT ROWID;
CREATE INDEX history_by_revision ON history (revision);
CREATE TABLE tags (
    tag TEXT PRIMARY KEY,
    revision TEXT NOT NULL REFERENCES revisions (revision)
) WITHOUT ROWID;
CREATE INDEX tags_by_revision ON tags (revision);
PRAGMA application_id = 1347179858;
PRAGMA user_version = 1;
"""
NAMES = [("ada", 1, 0), ("ada", 2, 1), ("ada", 3, 0), ("ben", 1, 2), ("pool", 1, 3)]
"""Name, entry, seed of the revision."""


@pytest.fixture
def old(store: AdapterStore) -> AdapterStore:
    """ada: revisions of seeds 0, 1, 0; ben: 2; pool: 3, pooled; the tag paper on 1."""
    revisions = {
        seed: publish(
            store, f"n{seed}", seed, kind="pooled" if seed == 3 else "personal", metrics={"loss": seed}
        )
        for seed in range(4)
    }
    rows = {seed: store.row(revision) for seed, revision in revisions.items()}
    store.layout.catalog.unlink()
    with sqlite3.connect(store.layout.catalog) as db:
        db.executescript(VERSION_1)
        for row in rows.values():
            db.execute(
                "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", version_1_row(row)
            )
        for name, entry, seed in NAMES:
            db.execute("INSERT INTO history VALUES (?, ?, ?, ?)", (name, entry, revisions[seed], utc_now()))
        db.execute("INSERT INTO tags VALUES ('paper', ?)", (revisions[1],))
    db.close()
    return AdapterStore(store.root)


def version_1_row(row: RevisionRow) -> tuple[Any, ...]:
    return (*row[:3], row.kind, row.shape.rank, *row[6:13])


def contents(store: AdapterStore) -> list[tuple[Any, ...]]:
    entries = store.list(EntryFilter(history=True))
    return [
        (e.name, e.sequence, e.revision, e.is_head, e.published_at, e.tags, e.kind, e.seed) for e in entries
    ]


def test_an_old_store_keeps_names_histories_tags_and_adapters(old: AdapterStore) -> None:
    found = {(e.name, e.sequence): e for e in old.list(EntryFilter(history=True))}
    assert set(found) == {(name, entry) for name, entry, _ in NAMES}
    for name, entry, seed in NAMES:
        assert found[name, entry].seed == seed
        assert found[name, entry].event == "publish"
        assert same_tensors(old.open(found[name, entry].revision), adapter(seed))
    assert old.resolve("ada") == found["ada", 3].revision
    assert old.resolve("paper") == found["ada", 2].revision
    assert len(old.revisions()) == 4
    for revision in old.revisions():
        old.verify(revision)


def test_what_an_old_catalog_did_not_say_is_read_from_the_files(old: AdapterStore) -> None:
    record = old.policy("ada")
    assert record.shape == shape_of(adapter(0))
    assert record.shape.targets == SPEC.targets
    assert (record.kind, old.policy("pool").kind) == ("person", "role")
    assert old.row(record.head).state == "registered"
    best = old.list(EntryFilter(metric=MetricBound("loss", ">=", 2.0)))
    assert [e.name for e in best] == ["pool", "ben"]


def test_an_old_store_goes_on_like_a_new_one(old: AdapterStore) -> None:
    before = contents(old)
    new = publish(old, "ada", 7)
    assert old.rollback("ada") != new
    assert [row for row in contents(old) if row[0] != "ada"] == [row for row in before if row[0] != "ada"]
    with sqlite3.connect(old.layout.catalog) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()


def test_damaged_files_do_not_keep_an_old_store_from_opening(old: AdapterStore) -> None:
    """What a lost folder looked like is unknown; its row, its name and all the others stay."""
    with sqlite3.connect(old.layout.catalog) as db:
        lost = db.execute("SELECT revision FROM history WHERE name = 'ben'").fetchone()[0]
    db.close()
    shutil.rmtree(old.layout.folder(lost))
    assert old.resolve("ben") == lost
    assert old.policy("ben").shape.targets == ()
    assert publish(old, "ben", 2) == lost
    assert old.policy("ben").shape.rank == SPEC.rank
    assert len(contents(old)) == len(NAMES)


def test_an_old_store_that_cannot_be_brought_up_to_date_is_left_as_it_is(old: AdapterStore) -> None:
    with sqlite3.connect(old.layout.catalog) as db:
        db.execute("INSERT INTO history VALUES ('zoe', 1, 'nothing', '2026')")
    db.close()
    before = old.layout.catalog.read_bytes()
    with pytest.raises(StoreError, match=r"1 of 6 rows of its table history name what is not there.*backup"):
        old.list()
    assert old.layout.catalog.read_bytes() == before


def test_only_the_first_opening_migrates(old: AdapterStore, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(old.root, copy)
    first = contents(old)
    assert contents(AdapterStore(old.root)) == first
    assert contents(AdapterStore(copy)) == first
