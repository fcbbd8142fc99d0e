"""Where adapters are kept: immutable, content-addressed revisions and the catalog that names them."""

from adapters.store.compatibility import AdaptersFor, check_base
from adapters.store.drafts import Publication
from adapters.store.evidence import Evidence, EvidenceEntry
from adapters.store.listing import Entry, EntryFilter, MetricBound
from adapters.store.manifest import Kind, Manifest, TrainingKey
from adapters.store.policies import PolicyRecord
from adapters.store.queries import PackRow, RevisionRow
from adapters.store.registration import Registration
from adapters.store.states import State, Transition
from adapters.store.store import AdapterStore
from adapters.store.totals import StoreStatistics

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
