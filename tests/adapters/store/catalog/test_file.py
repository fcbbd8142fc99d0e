from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.errors import StoreError, UnknownAdapterError
from adapters.store.catalog import listing, policies, queries, references, schema
from adapters.store.catalog.file import Catalog
from adapters.store.catalog.listing import EntryFilter
from adapters.store.catalog.queries import RevisionRow
from adapters.store.catalog.shape import Shape


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog(tmp_path / "catalog.sqlite", wait=5)
    made.create()
    return made


def row(revision: str) -> RevisionRow:
    return RevisionRow(
        revision, "tiny", "a" * 64, Shape(4), None, "personal", 0, "", "key", None, "2026", 1, "0" * 64
    )


def revisions(catalog: Catalog) -> list[str]:
    with catalog.reading() as db:
        return queries.all_revisions(db)


def test_what_is_written_can_be_read_and_what_raises_is_undone(catalog: Catalog) -> None:
    with catalog.writing() as db:
        queries.put_revision(db, row("a"))
    with pytest.raises(RuntimeError), catalog.writing() as db:
        queries.put_revision(db, row("b"))
        raise RuntimeError
    assert revisions(catalog) == ["a"]


def test_creating_again_changes_nothing(catalog: Catalog) -> None:
    with catalog.writing() as db:
        queries.put_revision(db, row("a"))
    catalog.create()
    assert revisions(catalog) == ["a"]


def test_a_reader_sees_one_moment_whatever_a_writer_does(catalog: Catalog) -> None:
    with catalog.reading() as db:
        before = queries.all_revisions(db)
        impatient = Catalog(catalog.path, wait=0)
        with pytest.raises(StoreError, match="locked"), impatient.writing() as other:
            queries.put_revision(other, row("a"))
        assert queries.all_revisions(db) == before


def test_a_reader_cannot_write(catalog: Catalog) -> None:
    with pytest.raises(StoreError, match="cannot be written"), catalog.reading() as db:
        queries.put_revision(db, row("a"))


def test_a_revision_that_does_not_exist_cannot_be_named(catalog: Catalog) -> None:
    with pytest.raises(UnknownAdapterError), catalog.writing() as db:
        policies.publish(db, "ada", "nothing", "2026")
    with pytest.raises(sqlite3.IntegrityError), catalog.writing() as db:
        queries.put_tag(db, "ada", "nothing", "2026")


def test_a_missing_catalog_is_said_to_be_missing(tmp_path: Path) -> None:
    missing = Catalog(tmp_path / "catalog.sqlite", wait=0)
    assert not missing.exists()
    with pytest.raises(StoreError, match=r"no adapter store there.*plures adapters train"), missing.reading():
        pass
    assert not any(tmp_path.iterdir())


def test_a_file_left_empty_by_a_crash_counts_as_missing_and_can_be_made_good(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.sqlite", wait=0)
    catalog.path.touch()
    assert not catalog.exists()
    with pytest.raises(StoreError, match="no adapter store there"), catalog.reading():
        pass
    catalog.create()
    assert revisions(catalog) == []


def test_a_catalog_that_somebody_is_creating_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one comes in between the questions that tell what a file is."""
    path = tmp_path / "catalog.sqlite"
    path.touch()
    other, refused = Catalog(path, wait=0), []
    connect = Catalog._connect

    def interrupted(catalog: Catalog, mode: str) -> sqlite3.Connection:
        def create(statement: str) -> None:
            if statement == "PRAGMA application_id":
                db.set_trace_callback(None)
                try:
                    other.create()
                except StoreError as error:
                    refused.append(str(error))

        db = connect(catalog, mode)
        if catalog is not other:
            db.set_trace_callback(create)
        return db

    monkeypatch.setattr(Catalog, "_connect", interrupted)
    assert not Catalog(path, wait=5).exists()
    assert len(refused) == 1
    monkeypatch.setattr(Catalog, "_connect", connect)
    other.create()
    assert Catalog(path, wait=5).exists()


def test_a_newer_catalog_asks_for_an_upgrade(catalog: Catalog) -> None:
    with catalog.writing() as db:
        db.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match=r"newer Plures.*Upgrade"), catalog.reading():
        pass


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "catalog.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    before = file.read_bytes()
    with pytest.raises(StoreError, match="no adapter catalog"):
        Catalog(file, wait=0).create()
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "catalog.sqlite"
    file.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(StoreError, match=r"catalog\.sqlite.*backup"):
        Catalog(file, wait=0).exists()


def test_a_truncated_catalog_is_named(catalog: Catalog) -> None:
    with catalog.writing() as db:
        for i in range(2000):
            queries.put_revision(db, row(f"{i:064d}"))
    catalog.path.write_bytes(catalog.path.read_bytes()[:20_000])
    with pytest.raises(StoreError, match=r"catalog\.sqlite.*backup"):
        revisions(catalog)


def test_a_full_disk_undoes_the_whole_block(catalog: Catalog) -> None:
    with pytest.raises(StoreError, match="disk is full"), catalog.writing() as db:
        db.execute("PRAGMA max_page_count = 20")
        for i in range(2000):
            queries.put_revision(db, row(f"{i:064d}"))
    assert revisions(catalog) == []


def test_a_folder_with_odd_characters_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "a?b#c %20 'd'"
    folder.mkdir()
    catalog = Catalog(folder / "catalog.sqlite", wait=0)
    catalog.create()
    assert [p.name for p in folder.iterdir()] == ["catalog.sqlite"]
    assert revisions(catalog) == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("abc")), max_size=12))
def test_a_names_history_is_what_it_stood_for_one_after_another(
    tmp_path: Path, moves: list[tuple[str, str]]
) -> None:
    """The head is the last; the same revision twice in a row is one entry."""
    catalog = Catalog(tmp_path / "catalog.sqlite", wait=0)
    catalog.path.unlink(missing_ok=True)
    catalog.create()
    expected: dict[str, list[str]] = {}
    with catalog.writing() as db:
        for revision in "abc":
            queries.put_revision(db, row(revision))
        for name, revision in moves:
            policies.publish(db, name, revision, "2026")
            past = expected.setdefault(name, [])
            if past[-1:] != [revision]:
                past.append(revision)
    with catalog.reading() as db:
        found = listing.entries(db, EntryFilter(history=True))
        heads = listing.entries(db, EntryFilter())
    for name, past in expected.items():
        mine = [e for e in found if e.name == name]
        assert [e.revision for e in reversed(mine)] == past
        assert [e.sequence for e in reversed(mine)] == list(range(1, len(past) + 1))
    assert {e.name: e.revision for e in heads} == {name: past[-1] for name, past in expected.items()}


def test_a_catalog_put_in_the_place_of_another_is_the_one_that_is_read(
    catalog: Catalog, tmp_path: Path
) -> None:
    """A connection that was kept never answers for a file that is gone."""
    with catalog.writing() as db:
        queries.put_revision(db, row("old"))
    assert revisions(catalog) == ["old"]
    backup = Catalog(tmp_path / "backup.sqlite", wait=0)
    backup.create()
    with backup.writing() as db:
        queries.put_revision(db, row("new"))
    backup.path.replace(catalog.path)
    assert revisions(catalog) == ["new"]
    catalog.path.unlink()
    assert not catalog.exists()


def test_reading_within_reading_and_many_threads_need_no_care(catalog: Catalog) -> None:
    with catalog.writing() as db:
        queries.put_revision(db, row("a"))

    def read(_: int) -> list[str]:
        with catalog.reading() as outer:
            assert revisions(catalog) == queries.all_revisions(outer)
            return queries.all_revisions(outer)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(100))) == [["a"]] * 100


def test_forks_use_connections_of_their_own(catalog: Catalog) -> None:
    """The parent's kept connection serves the parent before, during and after; each child writes a row."""
    with catalog.writing() as db:
        queries.put_revision(db, row("parent"))
    children = []
    for number in range(4):
        if (child := os.fork()) == 0:
            status = 1
            try:
                with catalog.writing() as db:
                    queries.put_revision(db, row(f"child-{number}"))
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert "parent" in revisions(catalog)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert revisions(catalog) == [*(f"child-{number}" for number in range(4)), "parent"]


def test_an_index_answers_every_look_up_that_resolving_makes(catalog: Catalog) -> None:
    """So that a look-up costs the same among a million as among a thousand; the benchmark measures it."""
    traced: list[str] = []
    with catalog.writing() as db:
        queries.put_revision(db, row("ab" * 32))
        policies.publish(db, "ada", "ab" * 32, "2026")
        queries.put_tag(db, "paper", "ab" * 32, "2026")
    with catalog.reading() as db:
        db.set_trace_callback(traced.append)
        for ref in ("ada", "paper", "ada@ab", "ab" * 32, "abababab"):
            references.resolve(db, ref)
        queries.revisions_trained_by(db, "key")
        db.set_trace_callback(None)
        plans = [row[3] for query in traced for row in db.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert len(plans) > 10
    assert not [step for step in plans if step.startswith("SCAN")]


def test_a_read_only_catalog_reads_and_never_writes(catalog: Catalog) -> None:
    with catalog.writing() as db:
        queries.put_revision(db, row("a"))
    before = catalog.path.read_bytes()
    looking = Catalog(catalog.path, wait=5, read_only=True)
    assert revisions(looking) == ["a"]
    with pytest.raises(StoreError, match="cannot be written"), looking.writing() as db:
        queries.put_revision(db, row("b"))
    assert catalog.path.read_bytes() == before


def test_a_read_only_catalog_leaves_an_older_version_as_it_is(catalog: Catalog) -> None:
    with sqlite3.connect(catalog.path) as db:
        db.execute("PRAGMA user_version = 1")
    db.close()
    before = catalog.path.read_bytes()
    with pytest.raises(StoreError, match=r"older version.*plures adapters stats"):
        revisions(Catalog(catalog.path, wait=5, read_only=True))
    assert catalog.path.read_bytes() == before
