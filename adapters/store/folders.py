"""Revision folders on disk: written once, made durable, moved into place, and proved on every reading.

A revision folder is a PEFT folder (`adapter_config.json`, `adapter_model.safetensors`) and a `manifest.json`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters.errors import CorruptAdapterError, StoreError
from adapters.store.manifest import Manifest
from adapters.store.record import FileSeal, NewerFormatError, RevisionRecord

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter

RECORD_NAME = "manifest.json"
_PEFT_NAMES = ("adapter_config.json", "adapter_model.safetensors")
_READ_ONLY = 0o444
_SYNC_THREADS = 8

_CURES = {
    errno.ENOENT: "Check the path",
    errno.ENOSPC: "Free some space; nothing was changed",
    errno.EDQUOT: "Your quota is used up; nothing was changed",
    errno.EFBIG: "A limit on file sizes is set here; nothing was changed",
    errno.EACCES: "Check the owner and permissions of the store's folder",
    errno.EPERM: "Check the owner and permissions of the store's folder",
    errno.EROFS: "The file system is read-only; choose another --store",
}


class Sealed(NamedTuple):
    """A revision folder whose files are what its record says."""

    record: RevisionRecord
    record_sha256: str
    size: int


def write_folder(folder: Path, adapter: Adapter, manifest: Manifest, tensors: str) -> Sealed:
    """Write a revision folder's three files, read-only; not yet durable.

    Args:
        folder: does not exist yet.
        adapter: what goes into it.
        manifest: complete, with time and version.
        tensors: the adapter's `tensor_digest`.

    Raises:
        OSError: from the file system.
    """
    from safetensors import SafetensorError

    from adapters.lora.peft_io import write_peft

    try:
        write_peft(adapter, folder, base_ref=manifest.base_name)
    except SafetensorError as error:
        raise StoreError(f"{folder}: could not be written ({error}). Check the disk's free space.") from error
    contents = {name: (folder / name).read_bytes() for name in _PEFT_NAMES}
    record = RevisionRecord(manifest, tensors, {name: _seal(content) for name, content in contents.items()})
    content = record.to_bytes()
    (folder / RECORD_NAME).write_bytes(content)
    for name in (*_PEFT_NAMES, RECORD_NAME):
        (folder / name).chmod(_READ_ONLY)
    return Sealed(record, _seal(content).sha256, sum(map(len, contents.values())) + len(content))


def sync(paths: Iterable[Path]) -> None:
    """Return when these files, or the entries of these folders, would survive a power cut.

    Raises:
        OSError: from the file system.
    """
    with ThreadPoolExecutor(_SYNC_THREADS) as pool:
        list(pool.map(_sync, paths))


def sync_folders(folders: Iterable[Path]) -> None:
    """`sync` for folders together with the files in them."""
    sync(path for folder in folders for path in (*folder.iterdir(), folder))


def install(staged: Path, target: Path, record_sha256: str | None) -> Sealed | None:
    """Move a finished folder to its place.

    What is there already stays, when it is whole; damaged content is moved aside, beside `staged`.

    Args:
        staged: the finished folder.
        target: its place, named by its revision id.
        record_sha256: what the catalog knows of the `manifest.json` at `target`, or None.

    Returns:
        What was there and stays, or None when `staged` was moved.

    Raises:
        StoreError: when the folder above `target` is a link.
        OSError: from the file system.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    check_no_link(target.parent)
    if os.path.lexists(target):
        try:
            return read_sealed(target, record_sha256)
        except CorruptAdapterError:
            target.rename(staged.with_name(f"{staged.name}.damaged"))
    staged.rename(target)
    return None


def check_no_link(folder: Path) -> None:
    """Refuse a folder of the store that leads elsewhere.

    Raises:
        StoreError: it is a link.
    """
    if folder.is_symlink():
        raise StoreError(f"{folder}: is a link; a store's folders are real. Replace it by a folder.")


def read_sealed(folder: Path, record_sha256: str | None = None) -> Sealed:
    """Prove a revision folder: real files, nothing missing or added, every byte as its record says.

    Args:
        folder: named by its revision id.
        record_sha256: what the catalog knows of `manifest.json`; None trusts the record itself.

    Raises:
        CorruptAdapterError: naming the file and the cure.
        StoreError: when a newer version wrote the folder.
        OSError: from the file system.
    """
    _check_real(folder, stat.S_ISDIR, "folder")
    file = folder / RECORD_NAME
    content = _read(file)
    digest = _seal(content).sha256
    if record_sha256 not in (None, digest):
        raise _corrupt(file, "was altered: its hash is not the one in the catalog")
    record = _parse(file, content)
    if record.revision != folder.name:
        raise _corrupt(file, f"is that of another revision, {record.revision}")
    if added := {path.name for path in folder.iterdir()} - {RECORD_NAME, *_PEFT_NAMES}:
        raise _corrupt(folder / min(added), "does not belong to the revision")
    _check_files(folder, record)
    return Sealed(record, digest, len(content) + sum(seal.size for seal in record.files.values()))


def read_record(folder: Path) -> RevisionRecord:
    """The record of a folder from anywhere, whatever the folder is called and whatever else is in it.

    The files are proved against the record; whether the tensors are those of the revision is not.

    Raises:
        CorruptAdapterError: naming the file and the cure.
        StoreError: when a newer version wrote the folder.
        OSError: from the file system.
    """
    file = folder / RECORD_NAME
    record = _parse(file, _read(file))
    _check_files(folder, record)
    return record


def _parse(file: Path, content: bytes) -> RevisionRecord:
    try:
        record = RevisionRecord.from_bytes(content)
    except NewerFormatError as error:
        raise StoreError(f"{file}: {error}") from error
    except ValueError as error:
        raise _corrupt(file, f"is not the record of a revision: {error}") from error
    if set(record.files) != set(_PEFT_NAMES):
        raise _corrupt(file, f"lists {sorted(record.files)}; expected {sorted(_PEFT_NAMES)}")
    return record


def _check_files(folder: Path, record: RevisionRecord) -> None:
    for name, seal in record.files.items():
        found = _seal(_read(folder / name))
        if found.size != seal.size:
            raise _corrupt(folder / name, f"has {found.size} bytes; expected {seal.size}")
        if found != seal:
            raise _corrupt(folder / name, "was altered: its hash is not the one in the record")


@contextmanager
def disk_errors(root: Path) -> Iterator[None]:
    """Turn what the file system refuses inside the block into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        cure = _CURES.get(error.errno or 0, "Check the disk and the store's folder")
        raise StoreError(f"{error.filename or root}: {error.strerror or error}. {cure}.") from error


def _read(file: Path) -> bytes:
    _check_real(file, stat.S_ISREG, "file")
    return file.read_bytes()


def _check_real(path: Path, is_kind: Callable[[int], bool], kind: str) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError as error:
        raise _corrupt(path, "is missing") from error
    if stat.S_ISLNK(mode):
        raise _corrupt(path, "is a link, which could lead anywhere")
    if not is_kind(mode):
        raise _corrupt(path, f"is not a {kind}")


def _corrupt(path: Path, what: str) -> CorruptAdapterError:
    return CorruptAdapterError(
        f"{path}: {what}. Get the adapter again, by copying, importing or training it; publishing the same "
        f"content mends a revision."
    )


def _seal(content: bytes) -> FileSeal:
    return FileSeal(len(content), hashlib.sha256(content).hexdigest())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
