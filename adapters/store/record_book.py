"""What names stand for: records, tags and every reference to a revision, and how they change."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.errors import CorruptAdapterError, UnknownAdapterError
from adapters.store.canonical import canonical_sha256
from adapters.store.catalog import lineage, listing, policies, queries, references, totals
from adapters.store.catalog.file import Catalog
from adapters.store.catalog.listing import Entry, EntryFilter
from adapters.store.catalog.policies import PolicyRecord
from adapters.store.catalog.shape import Shape
from adapters.store.catalog.totals import StoreStatistics
from adapters.store.drafts import utc_now
from adapters.store.revision_files import RevisionFiles

_EVERYTHING = EntryFilter()
_DIGITS = 6


class RecordBook:
    """The names in one store, safe between threads and processes.

    Args:
        catalog: where they are kept.
        files: of the revisions that they stand for.
    """

    def __init__(self, catalog: Catalog, files: RevisionFiles) -> None:
        self.catalog = catalog
        self._files = files

    def resolve(self, ref: str) -> str:
        """The revision that a name, tag, `name@prefix`, id or beginning of an id means.

        Raises:
            UnknownAdapterError: it means nothing, or several revisions.
            RetiredError: it is the name of a record out of use.
        """
        with self.catalog.reading() as db:
            return references.resolve(db, ref)

    def heads(self) -> dict[str, str]:
        """Every name in use and the revision that it stands for, in order of names."""
        return {entry.name: entry.revision for entry in self.list()}

    def list(
        self, wanted: EntryFilter = _EVERYTHING, *, limit: int | None = None, after: str | None = None
    ) -> Sequence[Entry]:
        """What names stand for, filtered; by name, the newest of each name first.

        Args:
            wanted: which; with a metric, the best value comes first.
            limit: at most so many; None for all.
            after: the `cursor` of the last entry of the page before.

        Raises:
            StoreError: no store, a bad limit, or a cursor of another list.
        """
        with self.catalog.reading() as db:
            return listing.entries(db, wanted, limit=limit, after=after)

    def unknown_in(self, wanted: EntryFilter) -> Sequence[str]:
        """What a filter asks for and nothing in this store has, in words: a base, a tag or a metric."""
        with self.catalog.reading() as db:
            return references.unknown_in(db, wanted)

    def policy(self, name: str) -> PolicyRecord:
        """The record of a name, retired or not.

        Raises:
            UnknownAdapterError: no such record, with names that are spelt alike.
        """
        with self.catalog.reading() as db:
            return references.named_record(db, name)

    def fitting_name(self, name: str, base_fingerprint: str, shape: Shape) -> str:
        """`name`, or where that stands for another base or shape, `name` with six digits of this base and shape.

        Needs no store to exist.
        """
        if not self.catalog.exists():
            return name
        with self.catalog.reading() as db:
            record = policies.policy(db, name)
        if record is None or policies.fits(record, base_fingerprint, shape):
            return name
        digits = canonical_sha256([base_fingerprint, shape.rank, shape.targets, shape.layout])[:_DIGITS]
        return f"{name}.{digits}"

    def log(self, name: str) -> Sequence[Entry]:
        """What a name has stood for and why it changed, the newest first; retired or not.

        Raises:
            UnknownAdapterError: no such record.
        """
        self.policy(name)
        with self.catalog.reading() as db:
            return listing.history(db, name)

    def statistics(self) -> StoreStatistics:
        """Totals; takes seconds when there are a million revisions."""
        with self.catalog.reading() as db:
            return totals.statistics(db)

    def tags(self, revision: str) -> Sequence[str]:
        """The tags on a revision (full id), in order."""
        with self.catalog.reading() as db:
            return queries.tags_on(db, revision)

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
        self._files.row(revision)
        with self.catalog.writing() as db:
            policies.admit_tag(db, tag, revision, move=move)
            queries.put_tag(db, tag, revision, utc_now())

    def untag(self, tag: str) -> str:
        """Take a tag away; the revision that had it.

        Raises:
            UnknownAdapterError: no such tag.
        """
        with self.catalog.writing() as db:
            revision = queries.tagged(db, tag)
            if revision is None:
                raise UnknownAdapterError(references.unknown(db, tag))
            queries.remove_tag(db, tag)
            return revision

    def rollback(self, name: str, to: str | None = None) -> str:
        """Let a name stand for an earlier revision of its own again; its history keeps everything.

        Args:
            name: of the record.
            to: the revision's id or its beginning; None for the one before the present one.

        Returns:
            The revision that the name stands for now.

        Raises:
            UnknownAdapterError: no such record, or no such revision in its history.
            StoreError: there is nothing to go back to.
            RetiredError: the record or the revision is out of use.
            CorruptAdapterError: the revision is damaged; nothing was changed.
        """
        with self.catalog.writing() as db:
            revision = lineage.rollback_target(db, name, to).revision
            if not self._files.is_whole(revision):
                raise CorruptAdapterError(
                    f"{revision[:12]}: is damaged, so {name!r} stays where it is. `plures adapters verify "
                    f"{revision[:12]}` says what is wrong; importing or training the adapter again mends it."
                )
            policies.move_head(db, name, revision, "rollback", utc_now())
            return revision

    def branch(self, ref: str, name: str, *, person: str = "") -> PolicyRecord:
        """Begin a record of its own at a revision; the record that it comes from goes on unchanged.

        Args:
            ref: name, `name@digits`, tag or revision.
            name: of the new record.
            person: whose it is; "" for whose the source is.

        Raises:
            UnknownAdapterError: `ref` means nothing.
            StoreError: `name` is unfit or taken.
            RetiredError: the record or the revision is out of use.
        """
        references.check_name(name)
        references.check_person(person)
        with self.catalog.writing() as db:
            revision = references.resolve(db, ref)
            source = ref.partition("@")[0]
            known = source if policies.policy(db, source) else None
            lineage.branch(db, revision, name, utc_now(), source=known, person=person)
        return self.policy(name)

    def retire(self, ref: str, reason: str = "retired by hand") -> None:
        """Take a record (by name) or one revision (by tag or id) out of use.

        A retired name no longer resolves and is not listed; a retired revision may not serve. Both keep all they
        have, and revisions can still be opened by id.

        Raises:
            UnknownAdapterError: `ref` means nothing.
            StoreError: a record in use stands for the revision.
            RetiredError: it is retired already.
        """
        with self.catalog.writing() as db:
            if policies.policy(db, ref):
                lineage.retire_record(db, ref, reason, utc_now())
            else:
                lineage.retire_revision(db, references.resolve(db, ref), reason, utc_now())

    def unretire(self, ref: str, reason: str = "taken back by hand") -> None:
        """Take a record or revision back into use.

        Raises:
            UnknownAdapterError: `ref` means nothing.
            StoreError: it is in use.
            RetiredError: a record whose head was retired by itself; take that back first.
        """
        with self.catalog.writing() as db:
            if policies.policy(db, ref):
                lineage.unretire_record(db, ref, reason, utc_now())
            else:
                lineage.unretire_revision(db, references.resolve(db, ref), reason, utc_now())
