"""What breaks, and what hostile hands do, to a store's files: always one clear error, never a wrong adapter."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.errors import CorruptAdapterError, StoreError
from adapters.store import AdapterStore
from adapters.store.locks import held
from tests.adapters.store.samples import adapter, manifest, publish, rewrite, same_tensors

CONFIG, TENSORS, RECORD = "adapter_config.json", "adapter_model.safetensors", "manifest.json"


def truncate(folder: Path) -> None:
    rewrite(folder / TENSORS, (folder / TENSORS).read_bytes()[:-8])


def raise_alpha(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    rewrite(folder / CONFIG, json.dumps(config | {"lora_alpha": 64}).encode())


def embellish_scores(folder: Path) -> None:
    """A change that the revision id does not see."""
    record = json.loads((folder / RECORD).read_text())
    record["manifest"]["metrics"] = {"loss": 0.0}
    rewrite(folder / RECORD, json.dumps(record, indent=2, sort_keys=True).encode() + b"\n")


def link_file(folder: Path) -> None:
    aside = folder.parent.parent / "aside"
    (folder / TENSORS).rename(aside)
    (folder / TENSORS).symlink_to(aside)


def link_folder(folder: Path) -> None:
    aside = folder.parent.parent / "aside"
    folder.rename(aside)
    folder.symlink_to(aside)


def link_shard(folder: Path) -> None:
    aside = folder.parent.parent.parent / "aside"
    folder.parent.rename(aside)
    folder.parent.symlink_to(aside)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (truncate, rf"{TENSORS}: has \d+ bytes; expected"),
    "empty": (lambda f: rewrite(f / TENSORS, b""), rf"{TENSORS}: has 0 bytes"),
    "config altered": (raise_alpha, rf"{CONFIG}: (was altered|has)"),
    "scores embellished": (embellish_scores, rf"{RECORD}: was altered"),
    "record gone": (lambda f: (f / RECORD).unlink(), rf"{RECORD}: is missing"),
    "tensors gone": (lambda f: (f / TENSORS).unlink(), rf"{TENSORS}: is missing"),
    "folder gone": (shutil.rmtree, "is missing"),
    "folder is a file": (lambda f: (shutil.rmtree(f), f.touch()), "is not a folder"),  # type: ignore[dict-item]
    "pickle added": (lambda f: (f / "adapter_model.bin").touch(), "adapter_model.bin: does not belong"),
    "file is a link": (link_file, rf"{TENSORS}: is a link"),
    "folder is a link": (link_folder, "is a link"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_with_a_cure_that_works(store: AdapterStore, damage: str) -> None:
    """Reading refuses, a rerun does not reuse it, publishing the same again mends it."""
    harm, message = DAMAGES[damage]
    revision = publish(store, "ada")
    other = publish(store, "ben", 1)
    harm(store.path(revision))
    for read in (store.open, store.manifest, store.path, store.verify):
        with pytest.raises(
            CorruptAdapterError, match=message + "(?s:.*)publishing the same content mends a revision"
        ):
            read(revision)
    assert store.find(manifest().training_key) is None
    assert same_tensors(store.open(other), adapter(1))
    assert publish(store, "ada") == revision
    assert same_tensors(store.open(revision), adapter())
    store.verify(revision)
    assert not any((store.root / "staging").iterdir())


def test_a_linked_shard_is_refused_for_reading_and_writing(store: AdapterStore) -> None:
    revision = publish(store, "ada")
    link_shard(store.path(revision))
    with pytest.raises(CorruptAdapterError, match="is a link"):
        store.open(revision)
    with pytest.raises(StoreError, match="is a link"):
        publish(store, "ada")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from([CONFIG, TENSORS, RECORD]),
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_any_flipped_bit_is_noticed(store: AdapterStore, name: str, place: float, bit: int) -> None:
    revision = publish(store, "ada")
    file = store.path(revision) / name
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    rewrite(file, bytes(content))
    with pytest.raises((CorruptAdapterError, StoreError), match=name):
        store.open(revision)
    publish(store, "ada")
    store.verify(revision)


def test_a_folder_swapped_for_another_revision_is_noticed(store: AdapterStore) -> None:
    one, two = (store.path(publish(store, name, seed)) for name, seed in (("ada", 1), ("ben", 2)))
    shutil.rmtree(one)
    shutil.copytree(two, one)
    with pytest.raises(CorruptAdapterError, match="hash is not the one in the catalog"):
        store.open(one.name)


def test_a_folder_of_a_newer_version_asks_for_an_upgrade(store: AdapterStore) -> None:
    """Even where the catalog was made to agree with it."""
    folder = store.path(publish(store, "ada"))
    rewrite(folder / RECORD, json.dumps({"format": 99}).encode())
    with store.catalog.writing() as db:
        import hashlib

        digest = hashlib.sha256((folder / RECORD).read_bytes()).hexdigest()
        db.execute("UPDATE revisions SET manifest_sha256 = ?", (digest,))
    with pytest.raises(StoreError, match=f"{RECORD}.*format 99.*Upgrade"):
        store.open(folder.name)


def test_a_folder_without_its_row_is_invisible_and_adopted_by_the_next_publication(
    store: AdapterStore,
) -> None:
    revision = publish(store, "ada", metrics={"loss": 1.0})
    with store.catalog.writing() as db:
        db.execute("DELETE FROM history")
        db.execute("DELETE FROM records")
        db.execute("DELETE FROM revisions")
    assert store.revisions() == []
    assert publish(store, "ben", metrics={"loss": 2.0}) == revision
    assert store.manifest(revision).metrics == {"loss": 1.0}
    store.verify(revision)


def test_a_lost_catalog_is_not_replaced_by_an_empty_one(store: AdapterStore) -> None:
    folder = store.path(publish(store, "ada"))
    (store.root / "catalog.sqlite").unlink()
    with pytest.raises(
        StoreError, match=r"is missing, though.*holds adapters.*backup.*plures adapters import"
    ):
        publish(store, "ben", 1)
    with pytest.raises(StoreError, match="no adapter store there"):
        store.list()
    assert folder.exists()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system itself refuses to write longer files."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [100, 4000])
def test_a_file_that_cannot_be_written_whole_changes_nothing(store: AdapterStore, size: int) -> None:
    """100 bytes stop the tensors; 4,000 let the adapter through, but not the catalog's journal."""
    first = publish(store, "ada")
    with largest_file(size), pytest.raises(StoreError):
        publish(store, "ada", 1)
    assert store.heads() == {"ada": first}
    assert not any((store.root / "staging").iterdir())
    assert store.resolve("ada") != publish(store, "ada", 1)


@pytest.mark.parametrize("step", ["mkdir", "chmod", "fsync", "rename"])
def test_a_full_disk_at_any_step_changes_nothing(
    store: AdapterStore, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    first = publish(store, "ada")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        with pytest.raises(
            StoreError, match=r"No space left on device.*Free some space; nothing was changed"
        ):
            publish(store, "ada", 1)
    assert store.heads() == {"ada": first}
    assert store.sweep() == 0
    publish(store, "ada", 1)
    assert len(store.revisions()) == 2


@contextmanager
def read_only(root: Path) -> Iterator[None]:
    """Without permission to write below `root`, also when the tests run as root."""
    paths = [root, *root.rglob("*")]
    modes = [p.stat().st_mode for p in paths]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(65534)
    try:
        yield
    finally:
        if privileged:
            os.seteuid(0)
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)


def test_a_read_only_store_can_be_read_and_says_why_it_cannot_be_written() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        store = AdapterStore(folder / "store")
        revision = publish(store, "ada")
        store.verify(revision)
        with read_only(store.root):
            assert store.resolve("ada") == revision
            assert same_tensors(store.open(revision), adapter())
            assert store.find(manifest().training_key) == revision
            with pytest.raises(StoreError, match=r"(?i)permission"):
                publish(store, "ben", 1)
            with pytest.raises(StoreError, match="owner and permissions"):
                store.tag("paper", revision)
        assert store.heads() == {"ada": revision}
    finally:
        shutil.rmtree(folder)


def test_sweep_waits_for_living_writers_and_removes_what_dead_ones_left(store: AdapterStore) -> None:
    publish(store, "ada")
    leftover = store.root / "staging" / "dead" / "beef"
    leftover.mkdir(parents=True)
    (leftover / TENSORS).touch()
    impatient = AdapterStore(store.root, wait=0)
    with held(store.root / "writers.lock", exclusive=False, wait=0):
        with pytest.raises(StoreError, match=r"writers\.lock.*try again"):
            impatient.sweep()
        publish(store, "ben", 1)
    assert leftover.exists()
    assert store.sweep() == 1
    assert not any((store.root / "staging").iterdir())
    assert len(store.heads()) == 2
