"""Adapters in and out of a store as plain folders that PEFT, vLLM and other stores can read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from adapters.errors import CorruptAdapterError, StoreError
from adapters.lora.adapter import Adapter
from adapters.lora.peft_io import read_peft
from adapters.store.compatibility import BaseIdentity, check_base
from adapters.store.folders import RECORD_NAME, disk_errors, read_record
from adapters.store.manifest import Kind, Manifest
from adapters.store.packs.packing import folder_files, write_files
from adapters.store.store import AdapterStore
from adapters.store.tensors import tensor_digest

IMPORTED_RECIPE = {"source": "imported PEFT folder"}
"""The recipe of an adapter whose training is not known."""

_WRITABLE = 0o644


class ImportedBase(NamedTuple):
    """A base by name and fingerprint, without its weights."""

    name: str
    fingerprint: str


def export_folder(store: AdapterStore, revision: str, folder: Path) -> None:
    """Write a proved revision, manifest included, to a new folder that appears whole or not at all.

    Args:
        store: where it is.
        revision: full id.
        folder: absent, or empty.

    Raises:
        StoreError: when `folder` holds something or cannot be written.
        UnknownAdapterError: no such revision.
        CorruptAdapterError: the revision is damaged.
    """
    files = folder_files(store, revision)
    folder = folder.absolute()
    with disk_errors(folder):
        if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
            raise StoreError(f"{folder}: holds something already; choose a new folder")
        partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        try:
            write_files(partial, files, mode=_WRITABLE)
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # gone after the move


def import_folder(
    store: AdapterStore, folder: Path, *, name: str, base: BaseIdentity | None = None, kind: Kind = "personal"
) -> str:
    """Publish a folder.

    One that came from a store keeps its provenance and so its revision id. Any other PEFT folder needs its
    base to be named; how it was trained stays unknown.

    Args:
        store: where it goes.
        folder: of `export_folder`, of a store, or any PEFT LoRA folder.
        name: that shall stand for it.
        base: that it was made for; may be None for a folder with a manifest.
        kind: of an adapter without a manifest.

    Returns:
        The revision id.

    Raises:
        BaseMismatchError: the manifest names another base.
        CorruptAdapterError: damaged files.
        UnknownAdapterError: no adapter there.
        UnsupportedAdapterError: not plain LoRA.
        InvalidAdapterError: tensors that must not be published.
        StoreError: a bad name, no base where one is needed, or a store that cannot be written.
    """
    adapter = read_peft(folder)
    if os.path.lexists(folder / RECORD_NAME):
        manifest = _proved_manifest(folder, adapter)
        if base is not None:
            check_base(manifest, base)
    elif base is None:
        raise StoreError(
            f"{folder}: has no {RECORD_NAME}, so its base is not known; name the base that it was trained on"
        )
    else:
        manifest = Manifest(
            base_name=base.name,
            base_fingerprint=base.fingerprint,
            spec=adapter.spec,
            recipe=IMPORTED_RECIPE,
            data_hash="",
            seed=0,
            kind=kind,
        )
    return store.publish(adapter, manifest, name=name)


def _proved_manifest(folder: Path, adapter: Adapter) -> Manifest:
    with disk_errors(folder):
        record = read_record(folder)
    if tensor_digest(adapter) != record.tensors:
        raise CorruptAdapterError(
            f"{folder}: the tensors are not those of the manifest. Copy the folder again, or remove "
            f"{RECORD_NAME} to import it as an adapter of unknown training."
        )
    return record.manifest
