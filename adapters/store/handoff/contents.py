"""What an archive holds, as its list says: revisions, what names stood for, tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from adapters.store.catalog.references import check_name
from adapters.store.handoff.archive_file import INDEX_NAME
from adapters.store.record import NewerFormatError
from adapters.untrusted import UntrustedError

ARCHIVE_FORMAT = 1
_KEYS = {"format", "plures_version", "revisions", "records", "tags"}


class ArchivedRecord(NamedTuple):
    """What a name stood for: those revisions of its history that are in the archive, the oldest first."""

    name: str
    person: str
    revisions: tuple[str, ...]


class Contents(NamedTuple):
    """What an archive held, or a store received."""

    revisions: tuple[str, ...]
    records: tuple[ArchivedRecord, ...]
    tags: Mapping[str, str]


def read_contents(index: Mapping[str, Any]) -> Contents:
    """Judge an archive's list.

    Raises:
        NewerFormatError: when a later version wrote it.
        UntrustedError: for a list that no archive of ours has.
    """
    if type(index.get("format")) is not int:
        raise UntrustedError(f"has an {INDEX_NAME} without a format")
    if index["format"] > ARCHIVE_FORMAT:
        raise NewerFormatError(
            f"has archive format {index['format']}, and this version of Plures reads up to {ARCHIVE_FORMAT}. "
            f"Upgrade Plures to use it."
        )
    if index.keys() != _KEYS or not isinstance(index["records"], list) or not isinstance(index["tags"], dict):
        raise UntrustedError(f"has an {INDEX_NAME} with other keys than {', '.join(sorted(_KEYS))}")
    revisions = frozenset(index["revisions"])
    records = tuple(_read_archived(value, revisions) for value in index["records"])
    named = {revision for record in records for revision in record.revisions}
    if named != revisions or len({r.name for r in records}) < len(records):
        raise UntrustedError(f"has an {INDEX_NAME} whose records do not name every revision, or a name twice")
    for tag, revision in index["tags"].items():
        if not isinstance(revision, str) or revision not in revisions:
            raise UntrustedError(f"has the tag {tag[:64]!r} on a revision that it does not hold")
    return Contents(tuple(sorted(revisions)), records, index["tags"])


def _read_archived(value: object, revisions: frozenset[str]) -> ArchivedRecord:
    match value:
        case {"name": str(name), "person": str(person), "revisions": [_, *_] as steps, **more} if (
            not more and all(isinstance(step, str) and step in revisions for step in steps)
        ):
            return ArchivedRecord(name, person, tuple(map(str, steps)))
    raise UntrustedError(f"has an {INDEX_NAME} with the record {str(value)[:80]}, which is none")


def renamed(contents: Contents, prefix: str) -> Contents:
    """Names and tags as the store shall have them.

    Raises:
        StoreError: a bad name.
    """
    records = tuple(r._replace(name=check_name(prefix + r.name)) for r in contents.records)
    return Contents(
        contents.revisions, records, {check_name(prefix + tag): r for tag, r in contents.tags.items()}
    )
