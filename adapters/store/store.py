"""The adapter store: publish, resolve and open immutable revisions; name, move and retire them.

On disk: `catalog.sqlite` says what exists; `revisions/3f/3f2a…/` holds the files of revision 3f2a…, a PEFT
folder with a manifest, or a file of `packs/` holds those of many; `staging/` holds what is being written;
`writers.lock` tells writers from leftovers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.store.catalog import queries, registration
from adapters.store.catalog.evidence import EvidenceLog
from adapters.store.catalog.file import Catalog
from adapters.store.catalog.queries import PackRow, RevisionRow
from adapters.store.catalog.registration import Registration
from adapters.store.catalog.states import States
from adapters.store.drafts import Publication, utc_now
from adapters.store.layout import StoreLayout
from adapters.store.manifest import Manifest, TrainingKey
from adapters.store.packs.shelf import check_in_place
from adapters.store.publishing import Publisher
from adapters.store.record import RevisionRecord
from adapters.store.record_book import RecordBook
from adapters.store.revision_files import RevisionFiles
from adapters.store.tiers.serving import Serving

if TYPE_CHECKING:  # torch takes seconds to import, and listing needs none of it
    from adapters.lora.adapter import Adapter

_NO_TAGS: Mapping[str, str] = {}


class AdapterStore(RecordBook):
    """A folder of adapters, safe to share between threads and processes of one machine.

    Nothing is opened or created before it is needed: a store begins to exist with the first publication.

    Args:
        root: the store's folder.
        wait: seconds to wait for other writers before giving up.

    Attributes:
        layout: where everything lies in the folder.
        catalog: what exists, for modules that ask it themselves.
        states: serving states of revisions.
        serving: which revision of each record requests go to.
        evidence: rollouts and evaluations of revisions.
    """

    def __init__(self, root: str | Path, *, wait: float = 30.0) -> None:
        self.layout = StoreLayout(Path(root).absolute())
        self.wait = wait
        catalog = Catalog(self.layout.catalog, wait=wait)
        super().__init__(catalog, RevisionFiles(self.layout, catalog))
        self.states = States(catalog)
        self.serving = Serving(catalog)
        self.evidence = EvidenceLog(catalog)
        self._publisher = Publisher(self.layout, catalog, self._files, wait=wait)

    @property
    def root(self) -> Path:
        """The store's folder."""
        return self.layout.root

    def publish(self, adapter: Adapter, manifest: Manifest, *, name: str, person: str = "") -> str:
        """Keep an adapter and let `name` stand for it; see `publish_many`."""
        return self.publish_many([Publication(adapter, manifest, name, person)])[0]

    def publish_many(
        self,
        publications: Sequence[Publication | tuple[Adapter, Manifest, str]],
        *,
        tags: Mapping[str, str] = _NO_TAGS,
    ) -> list[str]:
        """Keep many adapters, each with its manifest and name; all become visible at one moment, or none.

        Content that the store has already is not written again, only named; if its files were damaged they
        are replaced. Each name's head moves to what was published under it last, and its history grows.

        Args:
            publications: adapters with manifest and name.
            tags: tag → full revision id, put on at the same moment.

        Returns:
            Revision ids, in the order given.

        Raises:
            InvalidAdapterError: tensors that must not be published; names the adapter.
            BaseMismatchError: a name whose record has another base, rank, targets or layers.
            RetiredError: a name or revision that is out of use.
            StoreError: a bad name, a tag that means something else, or a store that cannot be written.
                Nothing was published.
        """
        return self._publisher.publish([Publication(*publication) for publication in publications], tags)

    def restore(self, contents: Mapping[str, Publication]) -> list[str]:
        """Write the files of damaged or missing revisions again; what names stand for stays as it is.

        Args:
            contents: revision id → the publication that gives it; what is whole here, or not known here, is
                left alone.

        Returns:
            The revisions that were mended.

        Raises:
            InvalidAdapterError: tensors that must not be published.
            StoreError: a store that cannot be written. Nothing was mended.
        """
        return self._publisher.restore(contents)

    def register(self, pack: PackRow, items: Iterable[Registration]) -> int:
        """Make the revisions of a finished packed file visible, 20,000 a second and more.

        Nothing is read or proved here, which is for the file's writer to do; opening a revision proves it. A
        revision that the store has already keeps its files and is only named. Move the file into place and
        register it inside one `with store.writing():`, or `fsck` may take it for a leftover in between.

        Args:
            pack: the file, in place and synced.
            items: one for each revision; read once.

        Returns:
            How many revisions are new.

        Raises:
            BaseMismatchError, RetiredError: a name whose record does not admit its revision.
            StoreError: a bad name, no file of that size in place, or a store that cannot be written. Nothing was
                registered.
        """
        with self.writing():  # keeps those out who clean up, so that what is in place stays
            check_in_place(self.layout, pack)
            with self.catalog.writing(bulk=True) as db:
                return registration.register(db, pack, items, utc_now())

    def open(self, revision: str) -> Adapter:
        """Read an adapter after proving its files.

        Args:
            revision: full id, as `publish` and `resolve` return it.

        Raises:
            UnknownAdapterError: no such revision.
            CorruptAdapterError: files that are missing, truncated, altered or replaced by links.
        """
        return self._files.open(revision)

    def row(self, revision: str) -> RevisionRow:
        """What the catalog knows of a revision (full id), without a look at its files."""
        return self._files.row(revision)

    def manifest(self, revision: str) -> Manifest:
        """The proved manifest of a revision; raises as `open` does."""
        return self.record(revision).manifest

    def record(self, revision: str) -> RevisionRecord:
        """The manifest with the hashes of tensors and files; raises as `open` does."""
        return self._files.record(revision)

    def path(self, revision: str) -> Path:
        """The folder of a revision, proved just now, for PEFT or vLLM to read; raises as `open` does.

        Raises:
            StoreError: it is in a packed file.
        """
        return self._files.folder(revision)

    def verify(self, revision: str) -> None:
        """Prove a revision down to the values of its tensors; raises as `open` does."""
        self._files.verify(revision)

    def revisions(self) -> Sequence[str]:
        """Every visible revision, named or not, in order of id."""
        with self.catalog.reading() as db:
            return queries.all_revisions(db)

    def find(self, key: TrainingKey) -> str | None:
        """The whole, undamaged revision that this very training gave, the first of several; or None.

        Needs no store to exist. What is damaged is as good as not there: training again mends it.
        """
        if not self.catalog.exists():
            return None
        with self.catalog.reading() as db:
            found = queries.revisions_trained_by(db, key.digest())
        return next((revision for revision in found if self._files.is_whole(revision)), None)

    def writing(self) -> AbstractContextManager[Path]:
        """A staging folder of one's own, for modules that bring files in; made with the store if need be."""
        return self._publisher.writing()

    def sweep(self) -> int:
        """Remove what writers that died left in `staging/`; waits for those that live.

        Returns:
            How many leftovers there were.

        Raises:
            StoreError: when a writer is still at work after the waiting time.
        """
        return self._publisher.sweep()
