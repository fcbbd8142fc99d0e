"""State changes written in a thread of their own: a safe write takes the disk longer than a batch takes the model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from adapters.errors import StateError
from adapters.store.catalog.states import LEGAL, State


class StateBook(Protocol):
    """Where the states of revisions are kept; `AdapterStore.states` fits."""

    def of_each(self, revisions: Collection[str]) -> Mapping[str, State]:
        """The state of each revision that is known; unknown ones are left out."""
        ...

    def advance(self, revision: str, to: State, reason: str) -> State:
        """Move a revision on and return the earlier state; an illegal move raises."""
        ...


class WriteBehind:
    """A state book whose moves are seen here at once and on disk a little later, in order.

    A move that is no longer legal when it is written, because somebody else moved the revision in between, is
    dropped: from then on what they wrote is seen. A crash loses at most the moves that were not written, which
    leaves a revision one step behind.

    Args:
        book: where states are kept.
    """

    def __init__(self, book: StateBook) -> None:
        self._book = book
        self._unwritten: dict[str, list[tuple[State, Future[None]]]] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="states")

    def of_each(self, revisions: Collection[str]) -> dict[str, State]:
        """The states of the known revisions, moves under way included.

        Raises:
            StoreError: an earlier move could not be written.
        """
        self._forget_written()
        states = dict(self._book.of_each(revisions))
        return states | {r: self._unwritten[r][-1][0] for r in states if r in self._unwritten}

    def move(self, revision: str, to: State, reason: str) -> None:
        """Move a revision on; returns at once.

        Raises:
            StateError: `to` cannot follow on the present state; nothing changed.
            StoreError: an earlier move could not be written.
        """
        state = self.of_each([revision]).get(revision)
        if state is not None and to not in LEGAL[state]:
            raise StateError(
                f"{revision}: is {state}, and {to} cannot follow on that; expected {', '.join(sorted(LEGAL[state]))}"
            )
        job = self._writer.submit(self._write, revision, to, reason)
        self._unwritten.setdefault(revision, []).append((to, job))

    def flush(self) -> None:
        """Wait until every move is written.

        Raises:
            StoreError: one could not be.
        """
        for moves in list(self._unwritten.values()):
            for _, job in moves:
                job.exception()
        self._forget_written()

    def close(self) -> None:
        """Write what is left and end the thread; a second call does nothing."""
        self._writer.shutdown()
        self._forget_written()

    def _write(self, revision: str, to: State, reason: str) -> None:
        try:
            self._book.advance(revision, to, reason)
        except StateError:
            return  # somebody else moved it in between, such as by retiring it; theirs holds

    def _forget_written(self) -> None:
        for revision, moves in list(self._unwritten.items()):
            failed = [error for _, job in moves if job.done() and (error := job.exception()) is not None]
            left = [(to, job) for to, job in moves if not job.done()]
            if left:
                self._unwritten[revision] = left
            else:
                del self._unwritten[revision]
            if failed:
                raise failed[0]
