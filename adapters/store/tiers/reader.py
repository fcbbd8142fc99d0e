"""A reader for engines that keeps adapters warm between the model's slots (hot) and storage (cold)."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from adapters.store.tiers.cold_loads import ColdLoads, ColdReader
from adapters.store.tiers.warm_cache import CacheCounts, WarmCache

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter


class TieredAdapters:
    """An `AdapterReader` over storage: what was read once comes from memory as long as the budget lasts.

    A revision never changes, so what is warm is never stale; its files were checked when they were read.

    Args:
        cold: where adapters are stored, checked against the base: a store as `AdaptersFor(base, store)`.
        warm_bytes: budget of the warm tier, in bytes of tensors; 0 keeps nothing.
        in_flight: loads in the background at the same time.
        queue: further ones that may wait; more are rejected with `NotReadyError`.
    """

    def __init__(self, cold: ColdReader, *, warm_bytes: int, in_flight: int = 1, queue: int = 1) -> None:
        self._cache = WarmCache(warm_bytes)
        self._loads = ColdLoads(cold, self._cache, in_flight=in_flight, queue=queue)

    @property
    def counts(self) -> CacheCounts:
        """Hits, misses, evictions and refusals of the warm tier."""
        return self._cache.counts

    @property
    def warm(self) -> tuple[str, ...]:
        """Revisions in memory, least recently used first."""
        return self._cache.revisions

    def open(self, revision: str) -> Adapter:
        """The adapter, from memory or else from storage, however long that takes.

        Raises:
            AdapterError: it is unknown, damaged, or made for another base.
        """
        return self._loads.load(revision)

    def prefetch(self, revision: str) -> Future[Adapter]:
        """Have an adapter warmed in the background; whoever asks for one under way gets the same job.

        Raises:
            NotReadyError: as many loads as may wait are waiting; ask again after its `retry_after`.
        """
        return self._loads.request(revision)

    def drop(self, revision: str) -> None:
        """Forget a warm adapter, such as one that was retired."""
        self._cache.drop(revision)

    def close(self) -> None:
        """End the background loads; a second call does nothing."""
        self._loads.close()
