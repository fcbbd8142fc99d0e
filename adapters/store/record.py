"""The record beside an adapter's files: its manifest, and the hashes that prove the files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from adapters.store.canonical import canonical_sha256, is_sha256
from adapters.store.manifest import Manifest
from adapters.untrusted import UntrustedError, strict_json

RECORD_FORMAT = 1


class NewerFormatError(ValueError):
    """A record written by a later version; its fields cannot be judged here."""


@dataclass(frozen=True, slots=True)
class FileSeal:
    """One file's size in bytes and SHA-256 (hex)."""

    size: int
    sha256: str


@dataclass(frozen=True)
class RevisionRecord:
    """The content of a revision's `manifest.json`.

    Args:
        manifest: provenance.
        tensors: SHA-256 (hex) of names, shapes, dtypes and values of the tensors, whatever file holds them.
        files: name → seal of every other file in the folder.
    """

    manifest: Manifest
    tensors: str
    files: Mapping[str, FileSeal]

    @cached_property
    def revision(self) -> str:
        """The revision id that this content has."""
        return revision_id(self.manifest, self.tensors)

    def to_bytes(self) -> bytes:
        """JSON for people and programs: sorted keys, indented, no NaN."""
        value = {
            "format": RECORD_FORMAT,
            "revision": self.revision,
            "manifest": self.manifest.as_dict(),
            "tensors": self.tensors,
            "files": {name: asdict(seal) for name, seal in self.files.items()},
        }
        return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode("ascii")

    @classmethod
    def from_bytes(cls, content: bytes) -> RevisionRecord:
        """Read what `to_bytes` wrote.

        Raises:
            NewerFormatError: when a later version wrote it.
            ValueError: when it is no such record.
        """
        value = strict_json(content)
        if not isinstance(value, dict) or not isinstance(value.get("format"), int):
            raise ValueError("no `format` number; this is not a record of an adapter store")  # noqa: TRY004
        if value["format"] > RECORD_FORMAT:
            raise NewerFormatError(
                f"has format {value['format']}, and this version of Plures reads up to {RECORD_FORMAT}. "
                f"Upgrade Plures to use it."
            )
        try:
            record = cls(Manifest.from_dict(value["manifest"]), value["tensors"], _read_files(value["files"]))
            stated = value["revision"]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"incomplete or of the wrong form ({error!r})") from error
        if stated != record.revision:
            raise ValueError(f"it states revision {stated!r}, but its content is that of {record.revision}")
        return record


def record_of(content: bytes, revision: str) -> RevisionRecord:
    """Read a record from anywhere, which must be that of a revision (full id).

    Raises:
        NewerFormatError: when a later version wrote it.
        UntrustedError: when it is no record, or another revision's.
    """
    try:
        record = RevisionRecord.from_bytes(content)
    except (NewerFormatError, UntrustedError):
        raise
    except ValueError as error:
        raise UntrustedError(f"has no record of {revision}: {error}") from error
    if record.revision != revision:
        raise UntrustedError(f"has the record of {record.revision} in the place of {revision}")
    return record


def revision_id(manifest: Manifest, tensors: str) -> str:
    """SHA-256 (hex) over the manifest's identity and the tensors' digest: the same content, the same id."""
    return canonical_sha256({"manifest": manifest.identity(), "tensors": tensors})


def _read_files(values: Mapping[str, Any]) -> dict[str, FileSeal]:
    files = {name: FileSeal(**seal) for name, seal in values.items()}
    for name, seal in files.items():
        if not isinstance(seal.size, int) or not isinstance(seal.sha256, str) or not is_sha256(seal.sha256):
            raise ValueError(f"files.{name}: expected a size and a SHA-256")
    return files
