"""Where adapters are kept: immutable, content-addressed revisions and the catalog that names them."""

from adapters.store.catalog.evidence import Evidence, EvidenceEntry
from adapters.store.catalog.listing import Entry, EntryFilter, MetricBound
from adapters.store.catalog.policies import PolicyRecord
from adapters.store.catalog.queries import PackRow, RevisionRow
from adapters.store.catalog.registration import Registration
from adapters.store.catalog.states import State, Transition
from adapters.store.catalog.totals import StoreStatistics
from adapters.store.compatibility import AdaptersFor, check_base
from adapters.store.drafts import Publication
from adapters.store.manifest import Kind, Manifest, TrainingKey
from adapters.store.store import AdapterStore

__all__ = [
    "AdapterStore",
    "AdaptersFor",
    "Entry",
    "EntryFilter",
    "Evidence",
    "EvidenceEntry",
    "Kind",
    "Manifest",
    "MetricBound",
    "PackRow",
    "PolicyRecord",
    "Publication",
    "Registration",
    "RevisionRow",
    "State",
    "StoreStatistics",
    "TrainingKey",
    "Transition",
    "check_base",
]
