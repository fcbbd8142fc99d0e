"""The warm tier: adapters in memory, the least recently used leaving when a byte budget is passed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """What has happened to a cache since it was made.

    Args:
        hits: look-ups that found the adapter.
        misses: look-ups that did not.
        evictions: adapters that left to make room.
        refusals: adapters that were not kept, for they would not fit beside what is pinned.
    """

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    refusals: int = 0


class WarmCache:
    """Adapters by revision id, within a byte budget; any number of threads may use it.

    Args:
        budget: bytes of tensors that may be held at once, ≥ 0; 0 keeps nothing.

    Raises:
        ValueError: for a negative budget.
    """

    def __init__(self, budget: int) -> None:
        if budget < 0:
            raise ValueError(f"budget: got {budget} bytes; expected 0 (keep nothing) or more")
        self.budget = budget
        self._held: dict[str, Adapter] = {}  # least recently used first
        self._nbytes = 0
        self._pins: Counter[str] = Counter()
        self._counts = CacheCounts()
        self._lock = threading.Lock()

    @property
    def revisions(self) -> tuple[str, ...]:
        """What is held, least recently used first."""
        with self._lock:
            return tuple(self._held)

    @property
    def nbytes(self) -> int:
        """Bytes held, never more than the budget."""
        return self._nbytes

    @property
    def counts(self) -> CacheCounts:
        """Hits, misses, evictions and refusals so far."""
        return self._counts

    def get(self, revision: str) -> Adapter | None:
        """The adapter, which becomes the most recently used; None when it is not held."""
        with self._lock:
            adapter = self._held.pop(revision, None)
            if adapter is None:
                self._counts = replace(self._counts, misses=self._counts.misses + 1)
                return None
            self._held[revision] = adapter
            self._counts = replace(self._counts, hits=self._counts.hits + 1)
            return adapter

    def put(self, revision: str, adapter: Adapter) -> bool:
        """Keep an adapter, making room; False when what is pinned leaves too little of the budget for it."""
        with self._lock:
            self._remove(revision)
            pinned = sum(held.nbytes for name, held in self._held.items() if self._pins[name])
            if pinned + adapter.nbytes > self.budget:
                self._counts = replace(self._counts, refusals=self._counts.refusals + 1)
                return False
            for name in [name for name in self._held if not self._pins[name]]:
                if self._nbytes + adapter.nbytes <= self.budget:
                    break
                self._remove(name)
                self._counts = replace(self._counts, evictions=self._counts.evictions + 1)
            self._held[revision] = adapter
            self._nbytes += adapter.nbytes
            return True

    def drop(self, revision: str) -> None:
        """Forget an adapter, pinned or not."""
        with self._lock:
            self._remove(revision)

    @contextmanager
    def pinned(self, revisions: Iterable[str]) -> Iterator[None]:
        """Keep these from leaving inside the block; pins of several blocks add up."""
        names = list(revisions)
        with self._lock:
            self._pins.update(names)
        try:
            yield
        finally:
            with self._lock:
                self._pins.subtract(names)
                self._pins += Counter()  # drops what nobody pins any more

    def _remove(self, revision: str) -> None:
        adapter = self._held.pop(revision, None)
        if adapter is not None:
            self._nbytes -= adapter.nbytes
