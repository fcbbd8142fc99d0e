"""Publishing into one store: checked, written aside, made durable, and visible at one moment."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from adapters.errors import StoreError
from adapters.store import folders
from adapters.store.catalog import policies, queries
from adapters.store.catalog.file import Catalog
from adapters.store.catalog.references import check_name
from adapters.store.catalog.shape import Shape
from adapters.store.drafts import Draft, Publication, catalog_row, draft, utc_now, write_draft
from adapters.store.layout import StoreLayout
from adapters.store.locks import held
from adapters.store.revision_files import RevisionFiles


class _Staged(NamedTuple):
    """A revision's folder on its way into the store."""

    shape: Shape
    sealed: folders.Sealed


class Publisher:
    """The way into one store, safe between threads and processes.

    Args:
        layout: of the store.
        catalog: in which revisions become visible.
        files: of the revisions that are there.
        wait: seconds to wait for other writers.
    """

    def __init__(self, layout: StoreLayout, catalog: Catalog, files: RevisionFiles, *, wait: float) -> None:
        self._layout = layout
        self._catalog = catalog
        self._files = files
        self._wait = wait

    def publish(self, publications: Sequence[Publication], tags: Mapping[str, str]) -> list[str]:
        """`AdapterStore.publish_many`."""
        drafts = [draft(publication) for publication in publications]
        self._admit_early(drafts)
        with self.writing() as batch:
            now = utc_now()
            staged = self._stage(batch, drafts, now)
            with self._catalog.writing() as db:
                for d in drafts:
                    _admit(db, d)
                self._install(db, batch, staged)
                for d in drafts:
                    _admit(db, d)  # once more: an earlier one may have begun the record
                    _, manifest, name, person = d.publication
                    kind: policies.RecordKind = "person" if manifest.kind == "personal" else "role"
                    policies.publish(db, name, d.revision, now, kind=kind, person=person)
                for tag, revision in tags.items():
                    policies.admit_tag(db, check_name(tag), revision)
                    queries.put_tag(db, tag, revision, now)
        return [d.revision for d in drafts]

    def restore(self, contents: Mapping[str, Publication]) -> list[str]:
        """`AdapterStore.restore`."""
        with self.writing() as batch:
            damaged = [d for revision, d in contents.items() if not self._files.is_whole(revision)]
            staged = self._stage(batch, [draft(publication) for publication in damaged], utc_now())
            with self._catalog.writing() as db:
                known = {
                    revision: one for revision, one in staged.items() if queries.revision_row(db, revision)
                }
                self._install(db, batch, known)
        return sorted(known)

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A staging folder of one's own, safe from `sweep` and gone at the end; makes the store if need be."""
        with folders.disk_errors(self._layout.root):
            self.create_if_absent()
            with held(self._layout.lock, exclusive=False, wait=self._wait):
                batch = self._layout.staging / uuid.uuid4().hex
                batch.mkdir(parents=True)
                try:
                    yield batch
                finally:
                    shutil.rmtree(batch, ignore_errors=True)  # sweep() takes what a failing disk keeps

    def sweep(self) -> int:
        """`AdapterStore.sweep`."""
        if not self._catalog.exists():
            return 0
        with (
            folders.disk_errors(self._layout.root),
            held(self._layout.lock, exclusive=True, wait=self._wait),
        ):
            leftovers = [*self._layout.staging.glob("*")]
            for leftover in leftovers:
                shutil.rmtree(leftover)
            return len(leftovers)

    def create_if_absent(self) -> None:
        """Make an empty store, unless there is one.

        Raises:
            StoreError: when there was one whose catalog is lost.
        """
        if self._catalog.exists():
            return
        revisions = self._layout.revisions
        # Folders come after the catalog. If some are there and there is still no catalog, it was lost.
        if revisions.is_dir() and any(revisions.iterdir()) and not self._catalog.exists():
            raise StoreError(
                f"{self._catalog.path}: is missing, though {revisions} holds adapters. Restore it from "
                f"a backup, or bring the adapters into a new store: `plures adapters import "
                f"{revisions}/XX/REVISION --name NAME --store NEW`."
            )
        for folder in (self._layout.root, revisions, self._layout.staging):
            folder.mkdir(parents=True, exist_ok=True)
        self._catalog.create()
        folders.sync([self._layout.root])

    def _stage(self, batch: Path, drafts: Sequence[Draft], now: str) -> dict[str, _Staged]:
        """Write aside what the store does not have whole, synced; by revision."""
        missing = {d.revision: d for d in drafts if not self._files.is_whole(d.revision)}
        staged = {
            revision: _Staged(d.shape, write_draft(batch / revision, d, now))
            for revision, d in missing.items()
        }
        folders.sync_folders([batch / revision for revision in staged])
        return staged

    def _install(self, db: sqlite3.Connection, batch: Path, staged: Mapping[str, _Staged]) -> None:
        """Move what was staged into place, synced, and give it rows."""
        for revision, (shape, sealed) in staged.items():
            row = queries.revision_row(db, revision)
            target = self._layout.folder(revision)
            there = folders.install(batch / revision, target, row.manifest_sha256 if row else None)
            known = there or sealed
            queries.put_revision(db, catalog_row(known, shape), known.record.manifest.metrics)
        shards = {self._layout.folder(revision).parent for revision in staged}
        folders.sync([*shards, self._layout.revisions])

    def _admit_early(self, drafts: Sequence[Draft]) -> None:
        """Refuse before anything is written what would be refused at the end."""
        first: dict[str, Draft] = {}
        for d in drafts:
            one = first.setdefault(d.publication.name, d)
            base = one.publication.manifest.base_fingerprint
            policies.check_fit(
                d.publication.name, base, one.shape, d.publication.manifest.base_fingerprint, d.shape
            )
        if self._catalog.exists():
            with self._catalog.reading() as db:
                for d in drafts:
                    _admit(db, d)


def _admit(db: sqlite3.Connection, draft: Draft) -> None:
    _, manifest, name, person = draft.publication
    policies.admit(db, name, manifest.base_fingerprint, draft.shape, person=person)
