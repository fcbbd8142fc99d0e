from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
import torch

from adapters.errors import StoreError, UnknownAdapterError
from adapters.store import AdapterStore, EntryFilter
from adapters.store.catalog.evidence import Evidence
from adapters.store.sessions.sessions import open_session
from adapters.store.sessions.state import SessionState
from adapters.store.upkeep.collection import Collection, collect
from adapters.store.upkeep.retention import Retention
from tests.adapters.store.samples import adapter, manifest, publish, same_tensors

NOW = datetime(2030, 1, 1, tzinfo=UTC)
AT_ONCE = timedelta(0)
ONLY_HEADS = Retention(history=1, ancestors=False)


def three(store: AdapterStore) -> list[str]:
    """Three revisions of `ada`, each trained from the one before."""
    revisions: list[str] = []
    for seed in range(3):
        parent = revisions[-1] if revisions else None
        revisions.append(publish(store, "ada", seed, parent=parent))
    return revisions


def gc(store: AdapterStore, wanted: Retention = ONLY_HEADS, grace: timedelta = AT_ONCE) -> Collection:
    return collect(store, wanted, grace=grace, apply=True, now=NOW)


def test_what_has_a_name_is_never_garbage(store: AdapterStore) -> None:
    three(store)
    done = gc(store, Retention())
    assert (done.names, done.entries, done.unnamed, done.deleted) == ((), 0, (), ())
    assert len(store.revisions()) == 3


def test_old_history_goes_when_asked_and_the_rest_stays_whole(store: AdapterStore) -> None:
    first, second, third = three(store)
    size = sum(file.stat().st_size for file in store.layout.folder(first).iterdir())
    done = gc(store, Retention(history=2, ancestors=False))
    assert done.entries == 1
    assert done.unnamed == (first,)
    assert done.deleted == (str(store.layout.folder(first).relative_to(store.root)),)
    assert done.size == size
    assert not store.layout.folder(first).exists()
    assert [entry.revision for entry in store.list(EntryFilter(history=True))] == [third, second]
    for revision in store.revisions():
        store.verify(revision)
    with pytest.raises(UnknownAdapterError):
        store.open(first)
    assert gc(store, Retention(history=2, ancestors=False)).unnamed == ()


def test_nothing_is_changed_unless_asked(store: AdapterStore) -> None:
    three(store)
    before = store.list(EntryFilter(history=True))
    planned = collect(store, ONLY_HEADS, grace=AT_ONCE, now=NOW)
    assert not planned.applied
    assert (planned.entries, len(planned.unnamed), len(planned.deleted)) == (2, 2, 2)
    assert store.list(EntryFilter(history=True)) == before
    assert len(store.revisions()) == 3
    done = gc(store)
    assert (done.entries, done.unnamed, done.deleted, done.size) == (
        planned.entries,
        planned.unnamed,
        planned.deleted,
        planned.size,
    )


def keep_by_tag(store: AdapterStore, revision: str) -> None:
    store.tag("paper", revision)


def keep_by_branch(store: AdapterStore, revision: str) -> None:
    store.branch(revision, "ada-b")
    publish(store, "ada-b", 7)  # its own head has moved on; where it began still is a name


def keep_by_evidence(store: AdapterStore, revision: str) -> None:
    store.evidence.add([Evidence(revision, "evaluation", "words", "loss", "local", {"loss": 1.0})])


def keep_by_session(store: AdapterStore, revision: str) -> None:
    with open_session(store, "ada") as session:
        session.save(SessionState({}, {"mean": torch.zeros(2)}, revision))


def keep_by_state(store: AdapterStore, revision: str) -> None:
    store.states.advance(revision, "prewarming", "test")


def keep_by_descendant(store: AdapterStore, revision: str) -> None:
    publish(store, "child", 8, parent=revision)


KEEPERS = {
    "tag": keep_by_tag,
    "branch": keep_by_branch,
    "evidence": keep_by_evidence,
    "session": keep_by_session,
    "state": keep_by_state,
    "descendant": keep_by_descendant,
}


@pytest.mark.parametrize("keeper", KEEPERS)
def test_each_kind_of_name_keeps_a_revision(store: AdapterStore, keeper: str) -> None:
    revision = publish(store, "ada", 0)
    publish(store, "ada", 1)
    KEEPERS[keeper](store, revision)
    done = gc(store, Retention(history=1))
    assert revision not in done.unnamed
    store.verify(revision)


def test_ancestors_may_be_let_go(store: AdapterStore) -> None:
    first, second, third = three(store)
    assert gc(store, Retention(history=1)).unnamed == ()
    assert set(gc(store, Retention(history=1, ancestors=False)).unnamed) == {first, second}
    assert store.revisions() == [third]
    assert store.manifest(third).parent == second


def test_names_retired_long_ago_are_forgotten_but_not_where_a_branch_began(store: AdapterStore) -> None:
    root = publish(store, "ada", 0)
    store.branch("ada", "ada-b")
    gone = publish(store, "ben", 1)
    for name in ("ada", "ben"):
        store.retire(name)
    assert gc(store, Retention(retired_days=36_500)).names == ()
    done = gc(store, Retention(retired_days=1))
    assert done.names == ("ben",)
    assert done.unnamed == (gone,)
    store.verify(root)
    store.retire("ada-b")
    assert gc(store, Retention(retired_days=0)).names == ("ada", "ada-b")
    assert store.revisions() == []


def test_a_retired_name_whose_training_goes_on_is_not_forgotten(store: AdapterStore) -> None:
    keep_by_session(store, publish(store, "ada", 0))
    store.retire("ada")
    assert gc(store, Retention(retired_days=0)).names == ()


def test_files_outlive_their_rows_for_the_grace_period(store: AdapterStore) -> None:
    """An engine may have the path registered: nothing moves or goes before the time is over."""
    first, *_ = three(store)
    folder = store.layout.folder(first)
    before = sorted(file.read_bytes() for file in folder.iterdir())
    done = gc(store, grace=timedelta(hours=24))
    assert len(done.unnamed) == len(done.waiting) == 2
    assert done.deleted == ()
    assert first not in store.revisions()
    assert sorted(file.read_bytes() for file in folder.iterdir()) == before
    early = collect(store, grace=timedelta(hours=24), apply=True, now=NOW + timedelta(hours=23))
    assert early.deleted == ()
    late = collect(store, grace=timedelta(hours=24), apply=True, now=NOW + timedelta(hours=24))
    assert len(late.deleted) == 2
    assert not folder.exists()


def test_publishing_the_same_again_within_the_grace_period_takes_the_files_back(store: AdapterStore) -> None:
    first, *_ = three(store)
    gc(store, grace=timedelta(hours=24))
    inode = store.layout.folder(first).stat().st_ino
    assert publish(store, "again", 0) == first
    assert store.layout.folder(first).stat().st_ino == inode
    late = gc(store, grace=AT_ONCE)
    assert first not in " ".join(late.deleted)
    assert same_tensors(store.open(first), adapter(0))


def test_what_dead_writers_left_goes_too(store: AdapterStore) -> None:
    publish(store, "ada")
    (store.layout.staging / "dead").mkdir()
    gc(store)
    assert not any(store.layout.staging.iterdir())


def test_a_link_where_a_folder_should_be_is_not_followed(store: AdapterStore) -> None:
    first, *_ = three(store)
    shard = store.layout.folder(first).parent
    aside = store.root.with_name(f"aside-{os.path.basename(store.root.parent)}")  # noqa: PTH119 - unique enough
    shard.rename(aside)
    shard.symlink_to(aside)
    with pytest.raises(StoreError, match="is a link"):
        gc(store)
    assert (aside / first).exists()


@pytest.mark.parametrize("wrong", [{"history": 0}, {"retired_days": -1.0}, {"retired_days": float("nan")}])
def test_impossible_wishes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: got"):
        Retention(**wrong)  # type: ignore[arg-type]


def test_an_endless_grace_period_is_refused(store: AdapterStore) -> None:
    publish(store, "ada")
    for grace in (timedelta.max, timedelta(seconds=-1)):
        with pytest.raises(ValueError, match="grace: got"):
            collect(store, grace=grace)


@pytest.mark.parametrize("apply", [False, True])
def test_there_must_be_a_store(store: AdapterStore, apply: bool) -> None:
    store.root.mkdir()
    with pytest.raises(StoreError, match="no adapter store there"):
        collect(store, apply=apply)
    assert not any(store.root.iterdir())


def test_publications_beside_a_collection_lose_nothing(store: AdapterStore) -> None:
    """A publisher that found its content whole just before its row went finds it again."""
    publish(store, "old", 0)
    publish(store, "old", 1)
    with store.writing():  # a writer at work keeps the collection waiting
        impatient = AdapterStore(store.root, wait=0)
        with pytest.raises(StoreError, match="try again"):
            gc(impatient)
    revision = store.publish(adapter(0), manifest(seed=0), name="new")
    assert revision not in gc(store).unnamed
    store.verify(revision)
