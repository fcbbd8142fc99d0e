"""The single file in which adapters travel: an uncompressed tar that any `tar xf` opens, read without leniency.

Uncompressed, since weights hardly compress, and so that a member is a slice of a memory map and no file can
unpack to more than its size. `plures/archive.json` comes first and lists every member with size and SHA-256;
after it each revision's PEFT folder with its manifest. Names, order and headers of all members follow from
that list, so a reader compares them with the only bytes that they may be: links, devices, paths, sparse
files, repeated and extra members cannot occur, because nothing but the expected header is accepted.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from adapters.errors import StoreError
from adapters.store.canonical import canonical_sha256, is_sha256
from adapters.store.record import FileSeal
from adapters.untrusted import LARGEST_JSON, UntrustedError, open_regular, strict_json

INDEX_NAME = "plures/archive.json"
MEMBERS = ("adapter_config.json", "adapter_model.safetensors", "manifest.json")
LARGEST_MEMBER = (1 << 33) - 1
"""Bytes; more does not fit a tar header's eleven octal digits."""

_SIZE_FIELD = slice(124, 136)


class Member(NamedTuple):
    """A file on its way into an archive, or its place in one."""

    name: str
    seal: FileSeal


def member_name(revision: str, file: str) -> str:
    """Where a revision's file lies in an archive."""
    return f"plures/{revision}/{file}"


def write_tar(path: Path, index: Mapping[str, Any], members: Iterable[tuple[Member, bytes]]) -> None:
    """Write an archive; not yet durable.

    Args:
        path: does not exist yet.
        index: for `plures/archive.json`; gets a checksum.
        members: in the order of the index.

    Raises:
        StoreError: more than one archive can hold.
        OSError: from the file system.
    """
    content = json.dumps({**index, "checksum": canonical_sha256(index)}, indent=1, sort_keys=True).encode()
    largest = max(one["size"] for files in index["revisions"].values() for one in files.values())
    if len(content) > LARGEST_JSON or largest > LARGEST_MEMBER:
        raise StoreError(
            f"{path}: one archive holds a list of up to {LARGEST_JSON} bytes and files of up to "
            f"{LARGEST_MEMBER}; export fewer adapters into each"
        )
    with path.open("xb") as raw, tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(_info(INDEX_NAME, len(content)), io.BytesIO(content))
        for member, data in members:
            tar.addfile(_info(member.name, member.seal.size), io.BytesIO(data))


class TarMap:
    """An archive that is open for reading.

    Args:
        path: of the archive.

    Raises:
        UntrustedError: no archive of ours, a damaged, cut or hostile one.
        OSError: from the file system.
    """

    def __init__(self, path: Path) -> None:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            self.index, at = _read_index(file)
            self.map = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
        self._places: dict[str, tuple[int, FileSeal]] = {}
        for member in _listed(self.index):
            self._check_header(at, member)
            self._places[member.name] = (at + tarfile.BLOCKSIZE, member.seal)
            at = _after(at, member.seal.size)
        if size != _whole(at) or any(memoryview(self.map)[at:]):
            raise UntrustedError(f"has {size} bytes; its members end at {at}, and nothing may follow them")

    def start(self, name: str) -> int:
        """Where a member's bytes begin in `map`."""
        return self._places[name][0]

    def read(self, name: str) -> memoryview:
        """A member's bytes, hashed now.

        Raises:
            UntrustedError: when they are not those of the list.
        """
        start, seal = self._places[name]
        content = memoryview(self.map)[start : start + seal.size]
        if hashlib.sha256(content).hexdigest() != seal.sha256:
            raise UntrustedError(f"was altered: {name} has another hash than the list says")
        return content

    def _check_header(self, at: int, member: Member) -> None:
        if at + tarfile.BLOCKSIZE + member.seal.size > len(self.map):
            raise UntrustedError(f"is cut short, before the end of {member.name}")
        if self.map[at : at + tarfile.BLOCKSIZE] != _header(member.name, member.seal.size):
            raise UntrustedError(
                f"has something else where {member.name} of {member.seal.size} bytes should begin; "
                f"archives are read only as Plures writes them"
            )


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info


def _header(name: str, size: int) -> bytes:
    return _info(name, size).tobuf(tarfile.USTAR_FORMAT)


def _after(at: int, size: int) -> int:
    """Where the next header begins."""
    return at + tarfile.BLOCKSIZE + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _whole(at: int) -> int:
    """Size of an archive whose members end at `at`: two empty blocks, then up to a whole record."""
    return -(-(at + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


def _read_index(file: BinaryIO) -> tuple[dict[str, Any], int]:
    header = file.read(tarfile.BLOCKSIZE)
    digits = header[_SIZE_FIELD].rstrip(b"\0 ")
    size = int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else -1
    if not 0 <= size <= LARGEST_JSON or header != _header(INDEX_NAME, size):
        raise UntrustedError(f"does not begin with {INDEX_NAME}, so it is no archive of adapters")
    content = file.read(size)
    if len(content) < size:
        raise UntrustedError(f"is cut short, before the end of {INDEX_NAME}")
    index = strict_json(content)
    if not isinstance(index, dict):
        raise UntrustedError(f"has an {INDEX_NAME} that is no JSON object")
    checksum = index.pop("checksum", None)
    if checksum != canonical_sha256(index):
        raise UntrustedError(f"was altered: {INDEX_NAME} has another checksum than it states")
    return index, _after(0, size)


def _listed(index: Mapping[str, Any]) -> Iterator[Member]:
    """The members in their order: by revision, then by name."""
    revisions = index.get("revisions")
    if not isinstance(revisions, dict) or not all(map(is_sha256, revisions)):
        raise UntrustedError(f"has an {INDEX_NAME} without a list of revisions")
    for revision in sorted(revisions):
        seals = revisions[revision]
        if not isinstance(seals, dict) or tuple(sorted(seals)) != MEMBERS:
            raise UntrustedError(f"lists other files of {revision} than {', '.join(MEMBERS)}")
        for name in MEMBERS:
            yield Member(member_name(revision, name), _seal(seals[name], name))


def _seal(value: object, name: str) -> FileSeal:
    match value:
        case {"size": int(size), "sha256": str(sha256), **more} if (
            not more and not isinstance(size, bool) and 0 <= size <= LARGEST_MEMBER and is_sha256(sha256)
        ):
            return FileSeal(size, sha256)
    raise UntrustedError(f"lists {name} by {str(value)[:80]}; expected a size and a SHA-256")


def seal_values(seal: FileSeal) -> dict[str, Any]:
    """As the list of an archive has it."""
    return asdict(seal)
