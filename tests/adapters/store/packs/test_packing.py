"""Between folders and packed files: nothing visible changes but where the bytes lie."""

from __future__ import annotations

import errno
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.errors import BaseMismatchError, CorruptAdapterError, StoreError, UnknownAdapterError
from adapters.lora.peft_io import read_peft
from adapters.store import AdapterStore
from adapters.store.catalog import queries
from adapters.store.folders import read_sealed
from adapters.store.handoff.transfer import export_folder, import_folder
from adapters.store.packs.packed import PackedFile
from adapters.store.packs.packing import folder_files, pack_in_place, pack_out, unpack_in_place, unpack_out
from adapters.store.packs.writer import pack_id
from adapters.store.upkeep.collection import collect
from tests.adapters.store.samples import adapter, manifest, publish, rewrite, same_tensors

SEEDS = (0, 1, 2)


@pytest.fixture
def revisions(store: AdapterStore) -> list[str]:
    """Three adapters, published in folders."""
    return [publish(store, f"ada-{seed}", seed, metrics={"loss": float(seed)}) for seed in SEEDS]


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_packed_revision_reads_as_before(store: AdapterStore, revisions: list[str]) -> None:
    before = {revision: (store.record(revision), store.row(revision)) for revision in revisions}
    done: list[tuple[int, int]] = []
    (packed,) = pack_in_place(store, revisions, on_adapter=lambda *at: done.append(at))
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert packed.revisions == tuple(sorted(revisions))
    assert packed.file == store.layout.packs / f"{pack_id(revisions)}.safetensors"
    fresh = AdapterStore(store.root)
    for seed, revision in zip(SEEDS, revisions, strict=True):
        assert same_tensors(fresh.open(revision), adapter(seed))
        assert fresh.record(revision) == before[revision][0]
        row = fresh.row(revision)
        assert row.manifest_sha256 == before[revision][1].manifest_sha256
        assert row.pack == f"packs/{packed.file.name}"
        assert fresh.find(manifest(seed=seed).training_key) == revision
        fresh.verify(revision)
    assert fresh.heads() == {f"ada-{seed}": r for seed, r in zip(SEEDS, revisions, strict=True)}


def test_packing_and_unpacking_give_the_same_folder_bytes(store: AdapterStore, revisions: list[str]) -> None:
    before = {revision: content(store.path(revision)) for revision in revisions}
    pack_in_place(store, revisions)
    collect(store, grace=timedelta(0), apply=True)
    assert not any(store.layout.folder(revision).exists() for revision in revisions)
    assert [folder_files(store, revision) for revision in revisions] == list(before.values())
    for revision, folder in zip(sorted(revisions), unpack_in_place(store, revisions), strict=True):
        assert content(folder) == before[revision]
        read_sealed(folder, store.row(revision).manifest_sha256)
        assert store.row(revision).pack is None
        assert store.path(revision) == folder
    collect(store, grace=timedelta(0), apply=True)
    assert not any(store.layout.packs.iterdir())
    assert len(store.revisions()) == 3


def test_a_folder_stays_for_the_grace_period_after_packing(store: AdapterStore, revisions: list[str]) -> None:
    """An engine may have it registered by its path."""
    folders = [store.path(revision) for revision in revisions]
    pack_in_place(store, revisions)
    collect(store, apply=True)
    assert all(folder.is_dir() for folder in folders)
    with pytest.raises(StoreError, match="plures adapters unpack"):
        store.path(revisions[0])


def test_unpacking_at_once_takes_the_old_folder_back(store: AdapterStore, revisions: list[str]) -> None:
    pack_in_place(store, revisions)
    unpack_in_place(store, revisions[:1])
    collect(store, grace=timedelta(0), apply=True)
    assert store.path(revisions[0]).is_dir()
    assert store.row(revisions[1]).pack is not None
    store.verify(revisions[0])
    store.verify(revisions[1])


def test_packing_twice_changes_nothing_and_packing_more_moves_them_on(
    store: AdapterStore, revisions: list[str]
) -> None:
    (first,) = pack_in_place(store, revisions)
    state = first.file.stat()
    assert pack_in_place(store, revisions) == [first]
    assert first.file.stat() == state
    more = publish(store, "ben", 7)
    (second,) = pack_in_place(store, [*revisions, more])
    assert len(second.revisions) == 4
    collect(store, grace=timedelta(0), apply=True)
    assert [*store.layout.packs.iterdir()] == [second.file]
    for revision in second.revisions:
        store.verify(revision)


def test_bases_and_shapes_go_into_files_of_their_own(store: AdapterStore, revisions: list[str]) -> None:
    other = publish(store, "other", 3, base_fingerprint="0" * 64)
    wide = store.publish(adapter(4, width=16), manifest(seed=4), name="wide")
    packs = pack_in_place(store, [*revisions, other, wide])
    assert sorted(len(packed.revisions) for packed in packs) == [1, 1, 3]
    with pytest.raises(BaseMismatchError, match="pack them into separate files"):
        pack_out(store, [revisions[0], other], store.root.parent / "mixed.safetensors")
    assert not (store.root.parent / "mixed.safetensors").exists()


def test_publishing_packed_content_again_keeps_the_pack_and_mends_a_damaged_row(
    store: AdapterStore, revisions: list[str]
) -> None:
    (packed,) = pack_in_place(store, revisions)
    collect(store, grace=timedelta(0), apply=True)
    assert publish(store, "again", 0) == revisions[0]
    assert store.row(revisions[0]).pack is not None
    damaged = bytearray(packed.file.read_bytes())
    place = damaged.index(next(iter(adapter(0).pairs.values())).A.numpy().tobytes())
    damaged[place] ^= 1
    rewrite(packed.file, bytes(damaged))
    with pytest.raises(CorruptAdapterError, match=r"packs/.*tensors of"):
        store.open(revisions[0])
    assert store.find(manifest(seed=0).training_key) is None
    publish(store, "again", 0)
    assert store.row(revisions[0]).pack is None
    assert same_tensors(store.open(revisions[0]), adapter(0))
    assert same_tensors(store.open(revisions[1]), adapter(1))


def test_a_missing_pack_is_named(store: AdapterStore, revisions: list[str]) -> None:
    (packed,) = pack_in_place(store, revisions)
    store.open(revisions[0])
    packed.file.unlink()
    with pytest.raises(CorruptAdapterError, match=r"packs/.*is missing"):
        store.open(revisions[0])


def test_a_record_that_is_not_the_catalogs_is_refused(store: AdapterStore, revisions: list[str]) -> None:
    """The pack agrees with itself; the scores were embellished."""
    (packed,) = pack_in_place(store, revisions)
    with store.catalog.writing() as db:
        row = queries.revision_row(db, revisions[0])
        assert row is not None
        queries.put_revision(db, row._replace(manifest_sha256="0" * 64))
    with pytest.raises(CorruptAdapterError, match="not the one in the catalog"):
        AdapterStore(store.root).open(revisions[0])
    assert packed.file.exists()


def test_packed_revisions_are_exported_and_imported_like_others(
    store: AdapterStore, revisions: list[str], tmp_path: Path
) -> None:
    pack_in_place(store, revisions)
    export_folder(store, revisions[0], tmp_path / "out")
    assert same_tensors(read_peft(tmp_path / "out"), adapter(0))
    other = AdapterStore(tmp_path / "other")
    assert import_folder(other, tmp_path / "out", name="guest") == revisions[0]


def test_a_packed_file_to_hand_out_becomes_folders_again(
    store: AdapterStore, revisions: list[str], tmp_path: Path
) -> None:
    packed = pack_out(store, revisions, tmp_path / "crowd.safetensors")
    assert store.row(revisions[0]).pack is None
    with PackedFile(packed.file) as pack:
        folders = unpack_out(pack, tmp_path / "crowd")
        assert [folder.name for folder in folders] == sorted(revisions)
        for folder in folders:
            assert content(folder) == content(store.path(folder.name))
        with pytest.raises(StoreError, match="is there already"):
            unpack_out(pack, tmp_path / "crowd")
    with pytest.raises(StoreError, match="is there already"):
        pack_out(store, revisions, packed.file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crowd", "crowd.safetensors"]


def test_unknown_and_damaged_revisions_stop_packing_before_anything_moves(
    store: AdapterStore, revisions: list[str]
) -> None:
    with pytest.raises(UnknownAdapterError):
        pack_in_place(store, [*revisions, "0" * 64])
    file = store.path(revisions[1]) / "adapter_model.safetensors"
    rewrite(file, file.read_bytes()[:-4])
    with pytest.raises(CorruptAdapterError):
        pack_in_place(store, revisions)
    assert store.row(revisions[0]).pack is None
    assert not store.layout.packs.exists()
    assert not any(store.layout.staging.iterdir())


@pytest.mark.parametrize("work", [pack_in_place, unpack_in_place])
def test_a_full_disk_at_any_step_changes_nothing(
    store: AdapterStore, revisions: list[str], monkeypatch: pytest.MonkeyPatch, work: object
) -> None:
    """Each call of fsync, rename, chmod and mkdir fails once, the first, the second, …"""
    assert callable(work)
    if work is unpack_in_place:
        pack_in_place(store, revisions)
        collect(store, grace=timedelta(0), apply=True)
    packs = {revision: store.row(revision).pack for revision in revisions}
    for step in ("fsync", "rename", "replace", "chmod", "mkdir"):
        for fatal in range(40):
            calls = 0
            real = getattr(os, step)

            def fail(*arguments: object, real=real, fatal=fatal, **options: object) -> object:
                nonlocal calls
                calls += 1
                if calls == fatal + 1:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real(*arguments, **options)

            with monkeypatch.context() as patch:
                patch.setattr(os, step, fail)
                try:
                    work(store, revisions)
                except StoreError as error:
                    assert "No space left" in str(error)
                else:
                    break
            assert {r: store.row(r).pack for r in revisions} == packs
            for revision in revisions:
                store.verify(revision)
            assert not any(store.layout.staging.iterdir())
        (unpack_in_place if work is pack_in_place else pack_in_place)(store, revisions)
        collect(store, grace=timedelta(0), apply=True)
        packs = {revision: store.row(revision).pack for revision in revisions}


def test_readers_never_notice_that_adapters_move(store: AdapterStore, revisions: list[str]) -> None:
    """Packing and unpacking in turns, while others read."""
    stop = threading.Event()
    failures: list[BaseException] = []
    reads = [0]

    def read() -> None:
        reader = AdapterStore(store.root)
        try:
            while not stop.is_set():
                for seed, revision in zip(SEEDS, revisions, strict=True):
                    assert same_tensors(reader.open(revision), adapter(seed))
                    reads[0] += 1
        except BaseException as error:  # noqa: BLE001 - shown by the assert below
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(10):
        pack_in_place(store, revisions)
        unpack_in_place(store, revisions)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert reads[0] > 0
