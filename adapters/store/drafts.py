"""A publication on its way into the store: checked, given its id, written, described for the catalog."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters.errors import InvalidAdapterError
from adapters.store.catalog.queries import RevisionRow
from adapters.store.catalog.references import check_name, check_person
from adapters.store.catalog.shape import Shape, shape_of
from adapters.store.folders import Sealed, write_folder
from adapters.store.manifest import Manifest
from adapters.store.record import revision_id

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter


class Publication(NamedTuple):
    """One adapter to publish, the name that shall stand for it, and whose it is ("" when not said)."""

    adapter: Adapter
    manifest: Manifest
    name: str
    person: str = ""


class Draft(NamedTuple):
    """A publication that passed every check, with its shape, its tensors' digest and its revision id."""

    publication: Publication
    shape: Shape
    tensors: str
    revision: str


def draft(publication: Publication) -> Draft:
    """Check a publication and work out its id.

    Raises:
        InvalidAdapterError: tensors that must not be published, or a manifest of another spec.
        StoreError: a bad name.
    """
    from adapters.store.tensors import check_tensors, tensor_digest

    adapter, manifest, name, person = publication
    check_name(name)
    check_person(person)
    try:
        check_tensors(adapter)
    except InvalidAdapterError as error:
        raise InvalidAdapterError(f"{name}: {error}") from error
    if adapter.spec != manifest.spec:
        raise InvalidAdapterError(
            f"{name}: the adapter has {adapter.spec}, its manifest says {manifest.spec}; "
            f"make the manifest from the adapter's own spec"
        )
    tensors = tensor_digest(adapter)
    return Draft(publication, shape_of(adapter), tensors, revision_id(manifest, tensors))


def write_draft(folder: Path, draft: Draft, now: str) -> Sealed:
    """Write a draft's revision folder; the manifest gets `now` and our version where it has none.

    Raises:
        StoreError: when the tensors cannot be written.
        OSError: from the file system.
    """
    adapter, manifest, *_ = draft.publication
    manifest = replace(
        manifest,
        created_at=manifest.created_at or now,
        plures_version=manifest.plures_version or _own_version(),
    )
    return write_folder(folder, adapter, manifest, draft.tensors)


def catalog_row(sealed: Sealed, shape: Shape) -> RevisionRow:
    """What the catalog keeps of a revision that has a folder of its own."""
    manifest = sealed.record.manifest
    return RevisionRow(
        revision=sealed.record.revision,
        base_name=manifest.base_name,
        base_fingerprint=manifest.base_fingerprint,
        shape=shape,
        pack=None,
        kind=manifest.kind,
        seed=manifest.seed,
        data_hash=manifest.data_hash,
        training_key=manifest.training_key.digest(),
        parent=manifest.parent,
        created_at=manifest.created_at,
        size=sealed.size,
        manifest_sha256=sealed.record_sha256,
    )


@cache
def _own_version() -> str:
    """Looked up once: it takes longer than writing an adapter."""
    return version("plures")


def utc_now() -> str:
    """ISO 8601 with microseconds, so that text sorts as time does."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
