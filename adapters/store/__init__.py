"""Where adapters are kept: immutable, content-addressed revisions and the catalog that names them."""

from adapters.store.compatibility import AdaptersFor, check_base
from adapters.store.drafts import Publication
from adapters.store.manifest import Kind, Manifest, TrainingKey
from adapters.store.queries import Entry, EntryFilter
from adapters.store.store import AdapterStore

__all__ = [
    "AdapterStore",
    "AdaptersFor",
    "Entry",
    "EntryFilter",
    "Kind",
    "Manifest",
    "Publication",
    "TrainingKey",
    "check_base",
]
