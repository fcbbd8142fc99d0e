"""Archives that were cut, edited or made to do harm: one clear error, and nothing comes in."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.errors import (
    AdapterError,
    CorruptAdapterError,
    StoreError,
)
from adapters.store import AdapterStore
from adapters.store.canonical import canonical_sha256
from adapters.store.handoff.archive import export_archive, import_archive
from adapters.store.handoff.archive_file import TarMap, member_name
from tests.adapters.hostile import mutations
from tests.adapters.store.handoff.archives import everything, stocked
from tests.adapters.store.samples import same_tensors


@pytest.fixture
def folder(fast_folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=fast_folder))


@pytest.fixture
def store(folder: Path) -> AdapterStore:
    return stocked(folder / "here")


@pytest.fixture
def there(folder: Path) -> AdapterStore:
    return AdapterStore(folder / "there")


def members(content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]


def rebuilt(parts: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for info, data in parts:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return out.getvalue()


def with_member(content: bytes, place: int, **changes: Any) -> bytes:
    """One member's header changed, its data kept."""
    parts = members(content)
    for key, value in changes.items():
        setattr(parts[place][0], key, value)
    return rebuilt(parts)


def with_index(content: bytes, change: Callable[[dict[str, Any]], object], *, honest: bool = True) -> bytes:
    """The index changed by someone who knows how checksums are made, or (not honest) does not."""
    parts = members(content)
    index = json.loads(parts[0][1])
    checksum = index.pop("checksum")
    change(index)
    index["checksum"] = canonical_sha256(index) if honest else checksum
    data = json.dumps(index).encode()
    parts[0][0].size = len(data)
    return rebuilt([(parts[0][0], data), *parts[1:]])


def with_data(content: bytes, place: int, data: bytes) -> bytes:
    """A member's data changed, and its seal in the index with it."""
    parts = members(content)
    info, _ = parts[place]
    info.size = len(data)
    parts[place] = (info, data)
    _, revision, name = info.name.split("/")
    seal = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return with_index(rebuilt(parts), lambda index: index["revisions"][revision].update({name: seal}))


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../evil", bytes(1 << 20))
    return out.getvalue()


def first(index: dict[str, Any]) -> dict[str, Any]:
    seals: dict[str, Any] = index["revisions"][min(index["revisions"])]
    return seals


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda c: b"", "does not begin with"),
    "cut in the first header": (lambda c: c[:100], "does not begin with"),
    "cut in the index": (lambda c: c[:700], "cut short"),
    "cut in a member": (lambda c: c[:4000], "cut short"),
    "cut at the end": (lambda c: c[:-512], "nothing may follow"),
    "something appended": (lambda c: c + bytes(512), "nothing may follow"),
    "something in the padding": (lambda c: c[:-1] + b"x", "nothing may follow"),
    "gzip": (gzip.compress, "does not begin with"),
    "zip bomb": (zipped, "does not begin with"),
    "path traversal": (lambda c: with_member(c, 2, name="plures/../../evil"), "something else where"),
    "absolute path": (lambda c: with_member(c, 2, name="/etc/passwd"), "something else where"),
    "symbolic link": (
        lambda c: with_member(c, 2, type=tarfile.SYMTYPE, linkname="/etc"),
        "something else where",
    ),
    "hard link": (lambda c: with_member(c, 2, type=tarfile.LNKTYPE, linkname="x"), "something else where"),
    "device": (lambda c: with_member(c, 2, type=tarfile.CHRTYPE), "something else where"),
    "pipe": (lambda c: with_member(c, 2, type=tarfile.FIFOTYPE), "something else where"),
    "sparse file": (lambda c: with_member(c, 2, type=tarfile.GNUTYPE_SPARSE), "something else where"),
    "set-uid file": (lambda c: with_member(c, 2, mode=0o4755), "something else where"),
    "a member twice": (lambda c: rebuilt([*members(c)[:2], *members(c)[1:]]), "something else where"),
    "a member missing": (lambda c: rebuilt([*members(c)[:1], *members(c)[2:]]), "something else where"),
    "a member more": (lambda c: rebuilt([*members(c), members(c)[-1]]), "nothing may follow"),
    "members out of order": (lambda c: rebuilt([members(c)[0], *members(c)[:0:-1]]), "something else where"),
    "index edited": (lambda c: with_index(c, lambda i: i["tags"].clear(), honest=False), "another checksum"),
    "file edited": (lambda c: c.replace(b"lora_alpha", b"lora_alphb", 1), "another hash"),
    "no index": (lambda c: rebuilt(members(c)[1:]), "does not begin with"),
    "huge member": (
        lambda c: with_index(c, lambda i: first(i)["manifest.json"].update(size=1 << 33)),
        "expected a size",
    ),
    "larger than the file": (
        lambda c: with_index(c, lambda i: first(i)["manifest.json"].update(size=1 << 32)),
        "cut short",
    ),
    "negative size": (
        lambda c: with_index(c, lambda i: first(i)["manifest.json"].update(size=-1)),
        "expected a size",
    ),
    "hash that is none": (
        lambda c: with_index(c, lambda i: first(i)["manifest.json"].update(sha256="x")),
        "expected a size",
    ),
    "a pickle listed": (
        lambda c: with_index(c, lambda i: first(i).update({"adapter_model.bin": {}})),
        "lists other files",
    ),
    "a path as revision": (
        lambda c: with_index(c, lambda i: i["revisions"].update({"../x": {}})),
        "list of revisions",
    ),
    "revisions as a list": (lambda c: with_index(c, lambda i: i.update(revisions=[])), "list of revisions"),
    "unknown key": (lambda c: with_index(c, lambda i: i.update(more=1)), "other keys"),
    "format as text": (lambda c: with_index(c, lambda i: i.update(format="1")), "without a format"),
    "records of no revision": (
        lambda c: with_index(c, lambda i: i["records"].clear()),
        "name every revision",
    ),
    "record of another revision": (
        lambda c: with_index(c, lambda i: i["records"][0]["revisions"].append("0" * 64)),
        "which is none",
    ),
    "record as text": (lambda c: with_index(c, lambda i: i["records"].append("x")), "which is none"),
    "a name twice": (lambda c: with_index(c, lambda i: i["records"].append(i["records"][0])), "a name twice"),
    "tag on nothing": (lambda c: with_index(c, lambda i: i["tags"].update(x="0" * 64)), "does not hold"),
    "tag on a list": (lambda c: with_index(c, lambda i: i["tags"].update(x=[])), "does not hold"),
    "config that is not JSON": (lambda c: with_data(c, 1, b"{"), "not JSON"),
    "tensors that are none": (lambda c: with_data(c, 2, b"\xff" * 64), "header"),
    "a pickle in place of tensors": (lambda c: with_data(c, 2, b"\x80\x04K\x01." + bytes(64)), "header"),
    "a record of another revision": (lambda c: with_data(c, 3, members(c)[6][1]), "in the place of"),
    "tensors of another revision": (lambda c: with_data(c, 2, members(c)[5][1]), "is not that of its record"),
    "config of another scale": (
        lambda c: with_data(c, 1, members(c)[1][1].replace(b'"lora_alpha": 4', b'"lora_alpha": 8')),
        "is not that of its record",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives_are_refused_with_one_clear_error(
    store: AdapterStore, there: AdapterStore, folder: Path, kind: str
) -> None:
    harm, message = HOSTILE[kind]
    file = everything(store, folder)
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(CorruptAdapterError, match=message) as caught:
        import_archive(there, file)
    assert str(file) in str(caught.value)
    assert not there.root.exists()
    assert sorted(path.name for path in folder.iterdir()) == ["all.tar", "here"]


@pytest.mark.parametrize("name", ["../evil", "UPPER", "a b", "-x", "$(id)", "", "a" * 200, "a/b", "\x1b[31m"])
def test_names_that_no_shell_should_see_are_refused(
    store: AdapterStore, there: AdapterStore, folder: Path, name: str
) -> None:
    file = everything(store, folder)
    before = file.read_bytes()
    for change in (
        lambda index: index["records"][0].update(name=name),
        lambda index: index["tags"].update({name: min(index["revisions"])}),
    ):
        file.write_bytes(with_index(before, change))
        with pytest.raises(StoreError, match="name: got"):
            import_archive(there, file)
    assert not there.root.exists()


def test_an_archive_of_a_newer_version_asks_for_an_upgrade(
    store: AdapterStore, there: AdapterStore, folder: Path
) -> None:
    file = everything(store, folder)
    file.write_bytes(with_index(file.read_bytes(), lambda index: index.update(format=2)))
    with pytest.raises(StoreError, match=r"archive format 2.*Upgrade"):
        import_archive(there, file)


def test_links_pipes_and_missing_files_are_named(
    store: AdapterStore, there: AdapterStore, folder: Path
) -> None:
    file = everything(store, folder)
    (folder / "link").symlink_to(file)
    os.mkfifo(folder / "pipe")
    for name, message in (("link", "is a link"), ("pipe", "not a plain file"), (".", "not a plain file")):
        with pytest.raises(CorruptAdapterError, match=message):
            import_archive(there, folder / name)
    with pytest.raises(StoreError, match="nothing: No such file"):
        import_archive(there, folder / "nothing")


def test_the_map_gives_members_where_they_lie(store: AdapterStore, folder: Path) -> None:
    archive = TarMap(everything(store, folder))
    revision = store.revisions()[0]
    for name, data in ((path.name, path.read_bytes()) for path in store.path(revision).iterdir()):
        assert archive.read(member_name(revision, name)) == data


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_do_worse_than_being_refused(store: AdapterStore, folder: Path, data: st.DataObject) -> None:
    """Mutations of a valid archive: our own errors, and nothing published; or the very bytes that are valid."""
    valid, file = folder / "valid.tar", folder / "mutated.tar"
    if not valid.exists():
        export_archive(store, store.revisions()[:2], valid)
    there = AdapterStore(Path(tempfile.mkdtemp(dir=folder)) / "there")
    file.write_bytes(data.draw(mutations(valid.read_bytes())))
    try:
        import_archive(there, file)
    except AdapterError as error:
        assert str(file) in str(error)
        assert not there.root.exists()
    else:
        assert file.read_bytes() == valid.read_bytes()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_index_does_worse_than_being_refused(
    store: AdapterStore, folder: Path, data: st.DataObject
) -> None:
    """Mutations behind the checksum, by someone who computes it: what comes in is still what its id says."""
    valid, file = folder / "valid.tar", folder / "mutated.tar"
    if not valid.exists():
        export_archive(store, store.revisions()[:2], valid)
    there = AdapterStore(Path(tempfile.mkdtemp(dir=folder)) / "there")
    parts = members(valid.read_bytes())
    index = json.loads(parts[0][1])
    del index["checksum"]
    text = data.draw(mutations(json.dumps(index).encode()))
    with contextlib.suppress(ValueError, TypeError, RecursionError):  # as much as can be made to agree
        value = json.loads(text)
        value["checksum"] = canonical_sha256(value)
        text = json.dumps(value).encode()
    parts[0][0].size = len(text)
    file.write_bytes(rebuilt([(parts[0][0], text), *parts[1:]]))
    try:
        import_archive(there, file)
    except AdapterError:
        assert not there.root.exists()
    else:
        for revision in there.revisions():
            assert same_tensors(there.open(revision), store.open(revision))
