"""Checks of every revision's files, down to the values of the tensors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from adapters.errors import CorruptAdapterError, StoreError, UnknownAdapterError
from adapters.store.catalog import queries
from adapters.store.catalog.listing import EntryFilter
from adapters.store.folders import disk_errors
from adapters.store.store import AdapterStore
from adapters.store.upkeep import retention
from adapters.store.upkeep.fsck.finding import Finding
from adapters.store.upkeep.fsck.quarantine import quarantine
from adapters.store.upkeep.retention import Retention

_CURE = (
    "import or train it again, which mends it; or choose another revision for its names: "
    "`plures adapters rollback`"
)


def revisions(
    store: AdapterStore, which: Sequence[str], on_progress: Callable[[int, int], None]
) -> Iterator[Finding]:
    """Prove revisions; those that went away meanwhile are passed over.

    Args:
        store: that has them.
        which: full ids.
        on_progress: called with the number of revisions behind us, and of all.
    """
    for done, revision in enumerate(which, start=1):
        try:
            store.verify(revision)
        except UnknownAdapterError:
            pass  # collected since the list was made
        except CorruptAdapterError as error:
            yield _damaged(store, revision, error)
        except StoreError as error:
            yield Finding("damaged-revision", revision, str(error), "do what the message says")
        on_progress(done, len(which))


def packs(store: AdapterStore) -> Iterator[Finding]:
    """Packed files that are not there or cannot be opened; each member is found damaged, too."""
    from adapters.store.packs.packed import PackedFile

    with store.catalog.reading() as db:
        files = [pack.file for pack in queries.packs(db)]
    for file in files:
        path = store.root / file
        cure = "copy the file back from a backup, or import its adapters again"
        if not os.path.lexists(path):
            yield Finding("damaged-pack", str(path), "is missing", cure)
            continue
        try:
            with disk_errors(path), PackedFile(path):
                pass
        except (CorruptAdapterError, StoreError) as error:
            yield Finding("damaged-pack", str(path), str(error), cure)


def _damaged(store: AdapterStore, revision: str, error: CorruptAdapterError) -> Finding:
    if store.row(revision).pack is not None:
        return Finding("damaged-revision", revision, f"{error} {_named(store, revision)}", _CURE)
    if os.path.lexists(store.layout.folder(revision)):
        mend = partial(_put_aside, store, revision)
        problem = f"{error} {_named(store, revision)}"
        return Finding("damaged-revision", revision, problem, "its folder is moved to quarantine/", mend)
    if _is_unnamed(store, revision):
        mend = partial(_forget, store, revision)
        return Finding("missing-files", revision, "nothing names it", "its row is removed", mend)
    return Finding("missing-files", revision, _named(store, revision), _CURE)


def _is_unnamed(store: AdapterStore, revision: str) -> bool:
    with store.catalog.reading() as db:
        return revision in retention.unnamed_revisions(db, Retention())


def _named(store: AdapterStore, revision: str) -> str:
    entries = store.list(EntryFilter(revision=revision))
    names = sorted({entry.name for entry in entries} | {tag for entry in entries for tag in entry.tags})
    return f"It is what {', '.join(names)} stands or stood for." if names else "No name stands for it."


def _put_aside(store: AdapterStore, revision: str) -> None:
    """Look again first: the same content may have been published since."""
    folder = store.layout.folder(revision)
    try:
        store.verify(revision)
    except UnknownAdapterError:
        pass
    except CorruptAdapterError:
        if os.path.lexists(folder):
            quarantine(store.layout, folder)


def _forget(store: AdapterStore, revision: str) -> None:
    """Look again first: somebody may have named it since."""
    if not _is_unnamed(store, revision):
        return
    with store.catalog.writing() as db:
        queries.delete_revision(db, revision)
