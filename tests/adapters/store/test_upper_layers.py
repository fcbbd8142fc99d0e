"""An adapter of the upper layers keeps its place wherever its files go, and is no revision of one of all layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.errors import BaseMismatchError, InvalidAdapterError
from adapters.lora.adapter import Adapter
from adapters.lora.peft_io import read_peft
from adapters.store import AdapterStore
from adapters.store.catalog.shape import shape_of
from adapters.store.handoff.archive import export_archive, import_archive
from adapters.store.handoff.transfer import ImportedBase, export_folder, import_folder
from adapters.store.packs.packing import pack_in_place
from tests.adapters.store.samples import FINGERPRINT, SPEC, adapter, manifest, same_tensors

UPPER = replace(SPEC, first_layer=1)


def upper(seed: int = 0) -> Adapter:
    """Layer 1 alone."""
    pairs = {path: pair for path, pair in adapter(seed).pairs.items() if ".layers.1." in path}
    return Adapter(UPPER, pairs)


@pytest.fixture
def revision(store: AdapterStore) -> str:
    return store.publish(upper(), manifest(spec=UPPER), name="ada")


def assert_kept(store: AdapterStore, revision: str) -> None:
    fresh = AdapterStore(store.root)
    assert fresh.open(revision).spec == UPPER
    assert same_tensors(fresh.open(revision), upper())
    assert fresh.manifest(revision).spec == UPPER
    assert fresh.find(manifest(spec=UPPER).training_key) == revision
    assert fresh.find(manifest().training_key) is None
    fresh.verify(revision)


def test_it_is_read_as_it_was_published_from_folder_and_pack(store: AdapterStore, revision: str) -> None:
    assert_kept(store, revision)
    pack_in_place(store, [revision])
    assert store.row(revision).pack is not None
    assert_kept(store, revision)


def test_it_arrives_elsewhere_in_an_archive_and_as_a_folder(
    store: AdapterStore, revision: str, tmp_path: Path
) -> None:
    export_archive(store, [revision], tmp_path / "all.tar")
    there = AdapterStore(tmp_path / "there")
    import_archive(there, tmp_path / "all.tar")
    assert_kept(there, revision)
    export_folder(store, revision, tmp_path / "ada")
    assert read_peft(tmp_path / "ada").spec == UPPER
    assert import_folder(AdapterStore(tmp_path / "third"), tmp_path / "ada", name="ada") == revision


def test_a_folder_of_peft_alone_says_which_layers(store: AdapterStore, revision: str, tmp_path: Path) -> None:
    export_folder(store, revision, tmp_path / "ada")
    (tmp_path / "ada" / "manifest.json").unlink()
    base = ImportedBase("tiny-moe", FINGERPRINT)
    imported = import_folder(store, tmp_path / "ada", name="imported", base=base)
    assert store.manifest(imported).spec == UPPER


def test_one_of_all_layers_shares_neither_its_record_nor_its_pack(store: AdapterStore, revision: str) -> None:
    with pytest.raises(BaseMismatchError, match="other layers"):
        store.publish(adapter(), manifest(), name="ada")
    name = store.fitting_name("ada", FINGERPRINT, shape_of(adapter()))
    assert name != "ada"
    whole = store.publish(adapter(), manifest(), name=name)
    files = {packed.file for packed in pack_in_place(store, [revision, whole])}
    assert len(files) == 2


def test_layers_below_the_first_are_not_published(store: AdapterStore) -> None:
    with pytest.raises(InvalidAdapterError, match=r"layers\.0\.\S+: lies below decoder layer 1"):
        store.publish(Adapter(UPPER, adapter().pairs), manifest(spec=UPPER), name="ada")
