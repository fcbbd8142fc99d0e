"""Open packed files are kept, replaced when the file is, and let go when there are too many."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pytest

from adapters.errors import CorruptAdapterError, UnknownAdapterError
from adapters.store.packs import packed
from adapters.store.packs.packed import PackedFile
from adapters.store.packs.shelf import PackShelf
from tests.adapters.store.packs.samples import pack_of, record_of, small_pack
from tests.adapters.store.samples import adapter, same_tensors


@pytest.fixture
def folder(fast_folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=fast_folder))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files in the order in which they were opened."""
    seen: list[Path] = []

    class Watched(PackedFile):
        def __init__(self, path: Path) -> None:
            seen.append(path)
            super().__init__(path)

    monkeypatch.setattr(packed, "PackedFile", Watched)
    return seen


def seal(seed: int) -> tuple[str, str]:
    """Revision and hash of the record of the adapter of a seed."""
    record = record_of(adapter(seed), seed)
    return record.revision, hashlib.sha256(record.to_bytes()).hexdigest()


def test_a_file_is_opened_once_for_all_its_rows(folder: Path, opened: list[Path]) -> None:
    small_pack(folder / "a")
    shelf = PackShelf()
    for seed in range(3):
        revision, sha = seal(seed)
        assert same_tensors(shelf.open(folder / "a", revision, sha), adapter(seed))
        assert shelf.record(folder / "a", revision, sha).revision == revision
        shelf.prove(folder / "a", revision, sha)
    assert opened == [folder / "a"]


def test_a_file_that_took_the_place_of_another_is_opened_anew(folder: Path, opened: list[Path]) -> None:
    small_pack(folder / "a")
    shelf = PackShelf()
    shelf.open(folder / "a", *seal(0))
    pack_of(folder / "b", [adapter(7)])
    (folder / "b").replace(folder / "a")
    with pytest.raises(UnknownAdapterError):
        shelf.open(folder / "a", *seal(0))
    assert opened == [folder / "a"] * 2
    (folder / "a").unlink()
    with pytest.raises(CorruptAdapterError, match="is missing"):
        shelf.open(folder / "a", *seal(0))


def test_the_least_recently_used_file_makes_room(folder: Path, opened: list[Path]) -> None:
    a, b, c = (folder / name for name in "abc")
    for file in (a, b, c):
        small_pack(file)
    shelf = PackShelf(most=2)
    for file in (a, b, a, c, a, b):
        shelf.open(file, *seal(0))
    assert opened == [a, b, c, b]


def test_another_record_than_the_catalogs_is_refused(folder: Path) -> None:
    small_pack(folder / "a")
    revision, _ = seal(0)
    for read in (PackShelf().open, PackShelf().record, PackShelf().prove):
        with pytest.raises(CorruptAdapterError, match="not the one in the catalog"):
            read(folder / "a", revision, "0" * 64)
