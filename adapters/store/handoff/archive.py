"""Hand adapters over to another machine in one file: revisions, what their names stood for, and their tags."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.errors import CorruptAdapterError, StoreError
from adapters.store.catalog import listing
from adapters.store.catalog.listing import EntryFilter
from adapters.store.compatibility import BaseIdentity, check_base
from adapters.store.drafts import Publication
from adapters.store.folders import RECORD_NAME, disk_errors, sync
from adapters.store.handoff.archive_file import (
    MEMBERS,
    Member,
    TarMap,
    member_name,
    seal_values,
    write_tar,
)
from adapters.store.handoff.contents import ARCHIVE_FORMAT, ArchivedRecord, Contents, read_contents, renamed
from adapters.store.packs.packing import Count, Report, folder_files, seal
from adapters.store.record import NewerFormatError, RevisionRecord, record_of
from adapters.untrusted import UntrustedError

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter
    from adapters.store.store import AdapterStore

_MOST_SHOWN = 5


def export_archive(
    store: AdapterStore,
    revisions: Sequence[str],
    file: str | Path,
    *,
    on_adapter: Report | None = None,
) -> Contents:
    """Write chosen revisions to a new file that appears whole or not at all.

    The names that have stood for them go along, with as much of their history as is chosen, and so do their
    tags. The same choice from the same store gives the same bytes.

    Args:
        store: where they are.
        revisions: full ids.
        file: must not exist.
        on_adapter: see `Report`.

    Raises:
        StoreError: nothing chosen, a revision without a name, a file that exists or cannot be written.
        UnknownAdapterError: no such revision.
        CorruptAdapterError: a damaged revision; nothing is left behind.
    """
    chosen, file = tuple(sorted(set(revisions))), Path(file).absolute()
    if not chosen:
        raise StoreError(f"{file}: no adapters chosen; name at least one")
    contents = _describe(store, chosen)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    with disk_errors(file):
        if os.path.lexists(file):
            raise StoreError(f"{file}: is there already; choose a new name")
        try:
            _write(store, contents, partial, on_adapter)
            sync([partial])
            os.link(partial, file)  # fails where another process was faster
            sync([file.parent])
        finally:
            partial.unlink(missing_ok=True)
    return contents


def import_archive(
    store: AdapterStore,
    file: str | Path,
    *,
    base: BaseIdentity | None = None,
    prefix: str = "",
    on_adapter: Report | None = None,
) -> Contents:
    """Publish everything that an archive holds, or nothing; a second time only mends what is damaged here.

    Every file is proved against the archive's list, every adapter against its revision id. A name that the
    store has already, with a head that the archived history does not lead to, is never moved.

    Args:
        store: where it goes.
        file: what `export_archive` wrote.
        base: that all adapters must have been made for; None takes any.
        prefix: put before every name and tag, such as `guest.`.
        on_adapter: see `Report`.

    Returns:
        What the store has now, under the names that it has there.

    Raises:
        CorruptAdapterError: no archive, a cut, altered or hostile one.
        BaseMismatchError: an adapter of another base; names it.
        UnsupportedAdapterError: an adapter that is not plain LoRA.
        StoreError: a newer format, a name or tag that means something else here, a store that cannot be written.
    """
    file = Path(file)
    with disk_errors(file):
        try:
            archive = TarMap(file)
            contents = renamed(read_contents(archive.index), prefix)
            proved = _prove_all(archive, file, contents, base, on_adapter)
        except NewerFormatError as error:
            raise StoreError(f"{file}: {error}") from error
        except UntrustedError as error:
            raise CorruptAdapterError(f"{file}: {error}. Copy or export the archive again.") from error
    store.publish_many(_publications(store, contents, proved), tags=contents.tags)
    store.restore(
        {
            revision: Publication(proved[revision][0], proved[revision][1].manifest, record.name)
            for record in contents.records
            for revision in record.revisions
        }
    )
    return contents


def _describe(store: AdapterStore, chosen: tuple[str, ...]) -> Contents:
    histories: dict[str, list[tuple[int, str, str]]] = {}
    tags: dict[str, str] = {}
    for revision in chosen:
        store.record(revision)
        entries = store.list(EntryFilter(revision=revision))
        if not entries:
            raise StoreError(
                f"{revision[:12]}: no name has stood for it, so none would on the other machine. Give it one first: "
                f"`plures adapters branch {revision[:12]} NAME`."
            )
        for entry in entries:
            histories.setdefault(entry.name, []).append((entry.sequence, revision, entry.person))
            tags |= dict.fromkeys(entry.tags, revision)
    records = tuple(
        ArchivedRecord(name, steps[-1][2], tuple(revision for _, revision, _ in steps))
        for name, steps in sorted((name, sorted(steps)) for name, steps in histories.items())
    )
    return Contents(chosen, records, tags)


def _write(store: AdapterStore, contents: Contents, path: Path, on_adapter: Report | None) -> None:
    from importlib.metadata import version

    # Twice through the files, so that not all of them have to be in memory together.
    seals = {
        r: {name: seal(data) for name, data in folder_files(store, r).items()} for r in contents.revisions
    }
    index: dict[str, Any] = {
        "format": ARCHIVE_FORMAT,
        "plures_version": version("plures"),
        "revisions": {r: {name: seal_values(one) for name, one in of.items()} for r, of in seals.items()},
        "records": [
            {"name": r.name, "person": r.person, "revisions": list(r.revisions)} for r in contents.records
        ],
        "tags": dict(contents.tags),
    }

    def members() -> Iterator[tuple[Member, bytes]]:
        for revision, of in sorted(seals.items()):
            files = folder_files(store, revision)
            for name in MEMBERS:
                yield Member(member_name(revision, name), of[name]), files[name]
            count.one()

    count = Count(on_adapter, len(contents.revisions))
    write_tar(path, index, members())


def _prove_all(
    archive: TarMap,
    file: Path,
    contents: Contents,
    base: BaseIdentity | None,
    on_adapter: Report | None,
) -> dict[str, tuple[Adapter, RevisionRecord]]:
    proved = {}
    count = Count(on_adapter, len(contents.revisions))
    for revision in contents.revisions:
        proved[revision] = _prove(archive, file, revision)
        if base is not None:
            check_base(proved[revision][1].manifest, base)
        count.one()
    return proved


def _prove(archive: TarMap, file: Path, revision: str) -> tuple[Adapter, RevisionRecord]:
    from adapters.lora.peft_io import CONFIG_NAME, WEIGHTS_NAME, parse_peft
    from adapters.store.packs.mapped import mapped_tensors
    from adapters.store.tensors import tensor_digest

    where = Path(f"{file}:{member_name(revision, '')}")
    record = record_of(bytes(archive.read(member_name(revision, RECORD_NAME))), revision)
    config = bytes(archive.read(member_name(revision, CONFIG_NAME)))
    weights = member_name(revision, WEIGHTS_NAME)
    size = len(archive.read(weights))
    tensors = mapped_tensors(archive.map, archive.start(weights), size, where=where / WEIGHTS_NAME)
    adapter = parse_peft(config, tensors, where=where)
    if adapter.spec != record.manifest.spec or tensor_digest(adapter) != record.tensors:
        raise UntrustedError(f"was altered: the adapter of {revision} is not that of its record")
    return adapter, record


def _publications(
    store: AdapterStore, contents: Contents, proved: Mapping[str, tuple[Adapter, RevisionRecord]]
) -> list[Publication]:
    """What the store does not know yet: whole histories of new names, the rest of those that it has in part.

    Raises:
        StoreError: a name of the store that has gone another way.
    """
    publications, taken = [], []
    for record in contents.records:
        known = _history(store, record.name)
        if record.revisions[-1] in known:
            continue
        if known and known[-1] not in record.revisions:
            taken.append(record.name)
            continue
        last = record.revisions[::-1].index(known[-1]) if known else len(record.revisions)
        for revision in record.revisions[len(record.revisions) - last :]:
            adapter, kept = proved[revision]
            publications.append(Publication(adapter, kept.manifest, record.name, record.person))
    if taken:
        shown = ", ".join(sorted(taken)[:_MOST_SHOWN]) + (", ..." if len(taken) > _MOST_SHOWN else "")
        raise StoreError(
            f"names: {shown} stand for other revisions in this store. Give a prefix, such as "
            f"`--prefix guest.`, to bring the archive's in beside them."
        )
    return publications


def _history(store: AdapterStore, name: str) -> list[str]:
    """What a name has stood for, the oldest first and its head last."""
    if not store.catalog.exists():
        return []
    with store.catalog.reading() as db:
        return [entry.revision for entry in reversed(listing.history(db, name))]
