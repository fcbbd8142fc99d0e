"""One file from one machine to another: everything arrives or nothing does, and nothing else comes in."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.errors import (
    BaseMismatchError,
    CorruptAdapterError,
    StoreError,
    UnknownAdapterError,
)
from adapters.lora.peft_io import read_peft
from adapters.store import AdapterStore, EntryFilter
from adapters.store.handoff import archive_file
from adapters.store.handoff.archive import export_archive, import_archive
from adapters.store.handoff.archive_file import INDEX_NAME
from adapters.store.handoff.transfer import ImportedBase
from adapters.store.packs.packing import pack_in_place
from adapters.store.upkeep.collection import collect
from adapters.store.upkeep.retention import Retention
from tests.adapters.store.handoff.archives import everything, stocked
from tests.adapters.store.samples import FINGERPRINT, publish, rewrite, same_tensors


@pytest.fixture
def folder(fast_folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=fast_folder))


@pytest.fixture
def store(folder: Path) -> AdapterStore:
    return stocked(folder / "here")


@pytest.fixture
def there(folder: Path) -> AdapterStore:
    return AdapterStore(folder / "there")


def test_revisions_histories_and_tags_arrive_as_they_were(
    store: AdapterStore, there: AdapterStore, folder: Path
) -> None:
    done: list[tuple[int, int]] = []
    sent = export_archive(
        store, store.revisions(), folder / "all.tar", on_adapter=lambda *at: done.append(at)
    )
    got = import_archive(there, folder / "all.tar", on_adapter=lambda *at: done.append(at))
    assert got == sent
    assert done == [(1, 3), (2, 3), (3, 3)] * 2
    assert there.revisions() == store.revisions()
    assert there.heads() == store.heads()
    for name in ("ada", "ben"):
        assert [e.revision for e in there.log(name)] == [e.revision for e in store.log(name)]
    assert there.resolve("paper") == store.resolve("paper")
    for revision in store.revisions():
        assert same_tensors(there.open(revision), store.open(revision))
        assert there.record(revision).manifest == store.record(revision).manifest
        there.verify(revision)


def test_a_choice_takes_its_own_names_and_tags_along(
    store: AdapterStore, there: AdapterStore, folder: Path
) -> None:
    second = store.heads()["ben"]
    export_archive(store, [second], folder / "one.tar")
    import_archive(there, folder / "one.tar", prefix="guest.")
    assert there.heads() == {"guest.ada": second, "guest.ben": second}
    assert not [e for e in there.list(EntryFilter(revision=second)) if e.tags]


def test_packed_and_unpacked_revisions_give_the_same_bytes(store: AdapterStore, folder: Path) -> None:
    before = everything(store, folder).read_bytes()
    pack_in_place(store, store.revisions())
    export_archive(store, store.revisions(), folder / "packed.tar")
    assert (folder / "packed.tar").read_bytes() == before


def test_any_tar_opens_it_into_peft_folders(store: AdapterStore, folder: Path) -> None:
    with tarfile.open(everything(store, folder), "r:") as tar:
        tar.extractall(folder / "out", filter="data")
        assert tar.getnames()[0] == INDEX_NAME
    for revision in store.revisions():
        assert same_tensors(read_peft(folder / "out" / "plures" / revision), store.open(revision))


def test_importing_twice_changes_nothing_and_what_went_on_here_stays(
    store: AdapterStore, there: AdapterStore, folder: Path
) -> None:
    file = everything(store, folder)
    import_archive(there, file)
    before = [there.log(name) for name in ("ada", "ben")]
    import_archive(there, file)
    assert [there.log(name) for name in ("ada", "ben")] == before
    mine = publish(there, "ada", 9)
    import_archive(there, file)
    assert there.heads()["ada"] == mine


def test_importing_again_mends_what_was_damaged_and_moves_no_name(
    store: AdapterStore, there: AdapterStore, folder: Path
) -> None:
    import_archive(there, everything(store, folder))
    old, head = there.log("ada")[-1].revision, there.heads()["ada"]
    shutil.rmtree(there.path(old))
    pack_in_place(there, [head])
    rewrite(there.root / str(there.row(head).pack), b"cut")
    log = [(e.sequence, e.revision, e.event, e.published_at) for e in there.log("ada")]
    import_archive(there, folder / "all.tar")
    for revision in there.revisions():
        there.verify(revision)
    assert [(e.sequence, e.revision, e.event, e.published_at) for e in there.log("ada")] == log
    assert there.sweep() == 0


def test_a_revision_that_no_name_stood_for_is_refused_by_the_exporter(
    store: AdapterStore, folder: Path
) -> None:
    parent = store.heads()["ada"]
    publish(store, "child", 7, parent=parent)
    store.untag("paper")
    for name in ("ada", "ben"):
        store.retire(name)
    collect(store, Retention(retired_days=0), apply=True, now=datetime.now(UTC) + timedelta(days=1))
    assert parent in store.revisions()
    with pytest.raises(StoreError, match=f"{parent[:12]}: no name has stood for it.*adapters branch"):
        export_archive(store, store.revisions(), folder / "all.tar")
    assert not list(folder.glob("*.tar"))


def test_a_history_known_in_part_is_continued(store: AdapterStore, there: AdapterStore, folder: Path) -> None:
    first, second, third = [entry.revision for entry in reversed(store.log("ada"))]
    export_archive(store, [first, second], folder / "early.tar")
    import_archive(there, folder / "early.tar")
    assert there.heads()["ada"] == second
    import_archive(there, everything(store, folder))
    assert [e.revision for e in reversed(there.log("ada"))] == [first, second, third]


def test_a_name_that_means_something_else_is_never_moved(
    store: AdapterStore, there: AdapterStore, folder: Path
) -> None:
    mine = publish(there, "ben", 5)
    file = everything(store, folder)
    with pytest.raises(StoreError, match=r"names: ben stand for other revisions.*--prefix guest\."):
        import_archive(there, file)
    assert there.heads() == {"ben": mine}
    assert there.revisions() == [mine]
    import_archive(there, file, prefix="guest.")
    assert set(there.heads()) == {"ben", "guest.ada", "guest.ben"}


def test_a_tag_that_means_something_else_stops_everything(
    store: AdapterStore, there: AdapterStore, folder: Path
) -> None:
    mine = publish(there, "mine", 5)
    there.tag("paper", mine)
    with pytest.raises(StoreError, match="'paper' is on revision"):
        import_archive(there, everything(store, folder))
    assert there.heads() == {"mine": mine}


def test_only_adapters_of_the_named_base_come_in(
    store: AdapterStore, there: AdapterStore, folder: Path
) -> None:
    publish(store, "other", 7, base_fingerprint="0" * 64)
    file = everything(store, folder)
    with pytest.raises(BaseMismatchError, match="0" * 64):
        import_archive(there, file, base=ImportedBase("tiny-moe", FINGERPRINT))
    assert not there.root.exists()
    import_archive(there, file)
    assert len(there.revisions()) == 4


def test_export_spares_what_is_there_and_leaves_nothing_half_written(
    store: AdapterStore, folder: Path
) -> None:
    file = everything(store, folder)
    before = file.read_bytes()
    with pytest.raises(StoreError, match="is there already"):
        export_archive(store, store.revisions(), file)
    assert file.read_bytes() == before
    with pytest.raises(StoreError, match="no adapters chosen"):
        export_archive(store, [], folder / "none.tar")
    with pytest.raises(UnknownAdapterError):
        export_archive(store, ["0" * 64], folder / "none.tar")
    damaged = store.path(store.heads()["ada"]) / "adapter_config.json"
    rewrite(damaged, b"{}")
    with pytest.raises(CorruptAdapterError):
        export_archive(store, store.revisions(), folder / "none.tar")
    assert sorted(path.name for path in folder.iterdir()) == ["all.tar", "here"]


def test_what_does_not_fit_one_archive_is_refused_before_it_is_written(
    store: AdapterStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("LARGEST_JSON", "LARGEST_MEMBER"):
        with monkeypatch.context() as patch:
            patch.setattr(archive_file, limit, 100)
            with pytest.raises(StoreError, match="export fewer adapters into each"):
                everything(store, folder)
        assert [path.name for path in folder.iterdir()] == ["here"]
