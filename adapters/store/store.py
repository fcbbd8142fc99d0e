"""The adapter store: publish, resolve and open immutable revisions.

On disk: `catalog.sqlite` says what exists; `revisions/3f/3f2a…/` holds the files of revision 3f2a…, a PEFT
folder with a manifest; `staging/` holds what is being written; `writers.lock` tells writers from leftovers.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.errors import CorruptAdapterError, StoreError, UnknownAdapterError
from adapters.store import folders, queries, references
from adapters.store.catalog import Catalog
from adapters.store.drafts import Publication, catalog_row, draft, utc_now, write_draft
from adapters.store.folders import Sealed
from adapters.store.locks import held
from adapters.store.manifest import Manifest, TrainingKey
from adapters.store.queries import Entry, EntryFilter
from adapters.store.record import RevisionRecord

if TYPE_CHECKING:  # torch takes seconds to import, and listing needs none of it
    from adapters.lora.adapter import Adapter

_EVERYTHING = EntryFilter()


class AdapterStore:
    """A folder of adapters, safe to share between threads and processes of one machine.

    Nothing is opened or created before it is needed: a store begins to exist with the first publication.

    Args:
        root: the store's folder.
        wait: seconds to wait for other writers before giving up.
    """

    def __init__(self, root: str | Path, *, wait: float = 30.0) -> None:
        self.root = Path(root).absolute()
        self._wait = wait
        self._catalog = Catalog(self.root / "catalog.sqlite", wait=wait)
        self._revisions = self.root / "revisions"
        self._staging = self.root / "staging"
        self._lock = self.root / "writers.lock"

    def publish(self, adapter: Adapter, manifest: Manifest, *, name: str) -> str:
        """Keep an adapter and let `name` stand for it; see `publish_many`."""
        return self.publish_many([Publication(adapter, manifest, name)])[0]

    def publish_many(self, publications: Sequence[tuple[Adapter, Manifest, str]]) -> list[str]:
        """Keep many adapters, each with its manifest and name; all become visible at one moment, or none.

        Content that the store has already is not written again, only named; if its files were damaged they
        are replaced. Each name's head moves to what was published under it last, and its history grows.

        Returns:
            Revision ids, in the order given.

        Raises:
            InvalidAdapterError: tensors that must not be published; names the adapter.
            StoreError: a bad name, or a store that cannot be written. Nothing was published.
        """
        drafts = [draft(Publication(*publication)) for publication in publications]
        with self._writing() as batch:
            now = utc_now()
            missing = {d.revision: d for d in drafts if not self._is_whole(d.revision)}
            staged = {revision: write_draft(batch / revision, d, now) for revision, d in missing.items()}
            folders.sync_folders([batch / revision for revision in staged])
            with self._catalog.writing() as db:
                for d in drafts:
                    references.check_not_tag(db, d.publication.name)
                for revision, sealed in staged.items():
                    row = queries.revision_row(db, revision)
                    target = self._folder(revision)
                    there = folders.install(batch / revision, target, row.manifest_sha256 if row else None)
                    queries.put_revision(db, catalog_row(there or sealed))
                shards = {self._folder(revision).parent for revision in staged}
                folders.sync([*shards, self._revisions])
                for d in drafts:
                    queries.append_head(db, d.publication.name, d.revision, now)
        return [d.revision for d in drafts]

    def resolve(self, ref: str) -> str:
        """The revision that a name, tag, `name@prefix`, id or beginning of an id means.

        Raises:
            UnknownAdapterError: it means nothing, or several revisions.
        """
        with self._catalog.reading() as db:
            return references.resolve(db, ref)

    def open(self, revision: str) -> Adapter:
        """Read an adapter after proving its files.

        Args:
            revision: full id, as `publish` and `resolve` return it.

        Raises:
            UnknownAdapterError: no such revision.
            CorruptAdapterError: files that are missing, truncated, altered or replaced by links.
        """
        from adapters.lora.peft_io import read_peft

        with folders.disk_errors(self.root):
            sealed = self._sealed(revision)
            adapter = read_peft(self._folder(revision))
        if adapter.spec != sealed.record.manifest.spec:
            raise CorruptAdapterError(
                f"{self._folder(revision)}: the PEFT config says {adapter.spec}, the manifest "
                f"{sealed.record.manifest.spec}. Import or train the adapter again."
            )
        return adapter

    def manifest(self, revision: str) -> Manifest:
        """The proved manifest of a revision; raises as `open` does."""
        return self.record(revision).manifest

    def record(self, revision: str) -> RevisionRecord:
        """The manifest with the hashes of tensors and files; raises as `open` does."""
        with folders.disk_errors(self.root):
            return self._sealed(revision).record

    def path(self, revision: str) -> Path:
        """The folder of a revision, proved just now, for PEFT or vLLM to read; raises as `open` does."""
        self.record(revision)
        return self._folder(revision)

    def verify(self, revision: str) -> None:
        """Prove a revision down to the values of its tensors; raises as `open` does."""
        from adapters.store.tensors import tensor_digest

        record = self.record(revision)
        if tensor_digest(self.open(revision)) != record.tensors:
            raise CorruptAdapterError(
                f"{self._folder(revision)}: the tensors are not those of the revision. "
                f"Import or train the adapter again."
            )

    def heads(self) -> dict[str, str]:
        """Every name and the revision that it stands for, in order of names."""
        return {entry.name: entry.revision for entry in self.list()}

    def list(self, wanted: EntryFilter = _EVERYTHING) -> Sequence[Entry]:
        """What names stand for, filtered; by name, the newest of each name first."""
        with self._catalog.reading() as db:
            return queries.entries(db, wanted)

    def revisions(self) -> Sequence[str]:
        """Every visible revision, named or not, in order of id."""
        with self._catalog.reading() as db:
            return queries.all_revisions(db)

    def find(self, key: TrainingKey) -> str | None:
        """The whole, undamaged revision that this very training gave, the first of several; or None.

        Needs no store to exist. What is damaged is as good as not there: training again mends it.
        """
        if not self._catalog.exists():
            return None
        with self._catalog.reading() as db:
            found = queries.revisions_trained_by(db, key.digest())
        return next((revision for revision in found if self._is_whole(revision)), None)

    def tag(self, tag: str, revision: str, *, move: bool = False) -> None:
        """Give a revision a second, fixed name.

        Args:
            tag: formed like a name, and no name's equal.
            revision: full id.
            move: take the tag from the revision that has it.

        Raises:
            StoreError: a bad tag, or one that is a name or (unless `move`) another revision's.
            UnknownAdapterError: no such revision.
        """
        references.check_name(tag)
        with self._catalog.writing() as db:
            if queries.revision_row(db, revision) is None:
                raise self._unknown(revision)
            if queries.head(db, tag):
                raise StoreError(f"tag: {tag!r} is a name in this store; choose another tag")
            current = queries.tagged(db, tag)
            if current not in (None, revision) and not move:
                raise StoreError(f"tag: {tag!r} is on revision {current}; choose another tag, or move it")
            queries.put_tag(db, tag, revision)

    def sweep(self) -> int:
        """Remove what writers that died left in `staging/`; waits for those that live.

        Returns:
            How many leftovers there were.

        Raises:
            StoreError: when a writer is still at work after the waiting time.
        """
        if not self._catalog.exists():
            return 0
        with folders.disk_errors(self.root), held(self._lock, exclusive=True, wait=self._wait):
            leftovers = [*self._staging.glob("*")]
            for leftover in leftovers:
                shutil.rmtree(leftover)
            return len(leftovers)

    @contextmanager
    def _writing(self) -> Iterator[Path]:
        """A staging folder of one's own, safe from `sweep` and gone at the end."""
        with folders.disk_errors(self.root):
            self._create_if_absent()
            with held(self._lock, exclusive=False, wait=self._wait):
                batch = self._staging / uuid.uuid4().hex
                batch.mkdir(parents=True)
                try:
                    yield batch
                finally:
                    shutil.rmtree(batch, ignore_errors=True)  # sweep() takes what a failing disk keeps

    def _create_if_absent(self) -> None:
        if self._catalog.exists():
            return
        # Folders come after the catalog. If some are there and there is still no catalog, it was lost.
        if self._revisions.is_dir() and any(self._revisions.iterdir()) and not self._catalog.exists():
            raise StoreError(
                f"{self._catalog.path}: is missing, though {self._revisions} holds adapters. Restore it from "
                f"a backup, or bring the adapters into a new store: `plures adapters import "
                f"{self._revisions}/XX/REVISION --name NAME --store NEW`."
            )
        for folder in (self.root, self._revisions, self._staging):
            folder.mkdir(parents=True, exist_ok=True)
        self._catalog.create()
        folders.sync([self.root])

    def _sealed(self, revision: str) -> Sealed:
        with self._catalog.reading() as db:
            row = queries.revision_row(db, revision)
        if row is None:
            raise self._unknown(revision)
        folder = self._folder(revision)
        if folder.parent.is_symlink():
            raise CorruptAdapterError(
                f"{folder.parent}: is a link, which could lead anywhere. Put a folder there."
            )
        return folders.read_sealed(folder, row.manifest_sha256)

    def _is_whole(self, revision: str) -> bool:
        try:
            self._sealed(revision)
        except (UnknownAdapterError, CorruptAdapterError):
            return False
        return True

    def _folder(self, revision: str) -> Path:
        return self._revisions / revision[:2] / revision

    def _unknown(self, revision: str) -> UnknownAdapterError:
        return UnknownAdapterError(
            f"{revision!r}: no revision of the store {self.root}. Full ids are expected here; "
            f"resolve() turns names, tags and the beginnings of ids into them."
        )
