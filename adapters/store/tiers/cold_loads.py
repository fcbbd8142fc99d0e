"""The cold tier: loads from storage as queued jobs, one a revision, with rejects when too many wait."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from adapters.errors import AdapterError, NotReadyError
from adapters.store.tiers.warm_cache import WarmCache

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter

_FIRST_GUESS = 0.05
"""Seconds that a load is taken to need before any was timed."""


class ColdReader(Protocol):
    """Storage; `AdapterStore` and `AdaptersFor` fit."""

    def open(self, revision: str) -> Adapter:
        """Read and check an adapter.

        Raises:
            AdapterError: it is unknown, damaged, or made for another base.
        """
        ...


class ColdLoads:
    """Brings revisions from storage into a warm cache, in threads of its own.

    Whoever asks for a revision that is being loaded gets the same job. With `in_flight` 1 and `queue` 1, of a
    burst of four different revisions two are loaded and two rejected.

    Args:
        reader: where adapters are read.
        cache: where they are put, and looked up first.
        in_flight: loads at the same time, at least 1.
        queue: further loads that may wait, at least 0.

    Raises:
        ValueError: for numbers below these.

    Source: the burst of four is that of MinT, arXiv 2605.13779.
    """

    def __init__(self, reader: ColdReader, cache: WarmCache, *, in_flight: int = 1, queue: int = 1) -> None:
        for name, value, least in (("in_flight", in_flight, 1), ("queue", queue, 0)):
            if value < least:
                raise ValueError(f"{name}: got {value}; expected at least {least}")
        self._reader, self._cache = reader, cache
        self._in_flight, self._room = in_flight, in_flight + queue
        self._jobs: dict[str, Future[Adapter]] = {}
        self._waiting = 0
        self._seconds = _FIRST_GUESS
        self._closed = False
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(in_flight, thread_name_prefix="cold-load")

    def request(self, revision: str) -> Future[Adapter]:
        """Have a revision loaded; returns at once, with a job that is done when the adapter is warm.

        The job's `result()` raises what the reader raised.

        Raises:
            NotReadyError: as many loads as may wait are waiting; ask again later.
            AdapterError: after `close`.
        """
        with self._lock:
            if job := self._known(revision):
                return job
            if self._waiting == self._room:
                retry_after = self._seconds * self._waiting / self._in_flight
                raise NotReadyError(
                    f"{revision}: {self._waiting} adapters are being loaded and no more may wait; "
                    f"ask again in {retry_after:.2g} s, or allow a longer queue",
                    retry_after=retry_after,
                )
            job = self._jobs[revision] = Future()
            self._waiting += 1
        self._workers.submit(self._run, revision, job, queued=True)
        return job

    def load(self, revision: str) -> Adapter:
        """The adapter, loaded in the caller's own thread unless a job for it is under way; never rejected.

        Raises:
            AdapterError: what the reader raised, or after `close`.
        """
        with self._lock:
            job = self._known(revision)
            mine = job is None
            if job is None:
                job = self._jobs[revision] = Future()
        if mine:
            self._run(revision, job, queued=False)
        return job.result()

    def close(self) -> None:
        """Let running loads end and refuse those that wait; a second call does nothing."""
        with self._lock:
            self._closed = True
        self._workers.shutdown()

    def _known(self, revision: str) -> Future[Adapter] | None:
        """The job under way or, for a warm adapter, one that is done already."""
        if self._closed:
            raise AdapterError(f"{revision}: no more adapters are loaded here, for the loader is closed")
        if job := self._jobs.get(revision):
            return job
        adapter = self._cache.get(revision)
        if adapter is None:
            return None
        done: Future[Adapter] = Future()
        done.set_result(adapter)
        return done

    def _run(self, revision: str, job: Future[Adapter], *, queued: bool) -> None:
        start = time.perf_counter()
        try:
            adapter = self._read(revision)
        except BaseException as error:  # noqa: BLE001 - whoever waits for the job is told, whatever it was
            self._leave(revision, queued=queued)
            job.set_exception(error)
        else:
            self._cache.put(revision, adapter)
            self._seconds = 0.5 * (self._seconds + time.perf_counter() - start)
            self._leave(revision, queued=queued)
            job.set_result(adapter)

    def _read(self, revision: str) -> Adapter:
        if self._closed:
            raise AdapterError(f"{revision}: the loader was closed before its turn came")
        return self._reader.open(revision)

    def _leave(self, revision: str, *, queued: bool) -> None:
        with self._lock:
            del self._jobs[revision]
            self._waiting -= queued
