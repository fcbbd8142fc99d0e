"""State changes written in a thread of their own: a safe write takes the disk longer than a batch takes the model."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from adapters.errors import StateError
from adapters.store.catalog.states import LEGAL, Move, State

_GATHERING_SECONDS = 0.25
"""For how long moves are gathered, since whoever reads the catalog waits while something is written."""


class StateBook(Protocol):
    """Where the states of revisions are kept; `AdapterStore.states` fits."""

    def of_each(self, revisions: Collection[str]) -> Mapping[str, State]:
        """The state of each revision that is known; unknown ones are left out."""
        ...

    def follow(self, moves: Sequence[Move]) -> None:
        """Make moves one after another, leaving out those that are not legal from where the revision is."""
        ...


class WriteBehind:
    """A state book whose moves are seen here at once, and on disk together with others a little later, in order.

    A move that is no longer legal when it is written, because somebody else moved the revision in between, is
    dropped: from then on what they wrote is seen. A crash loses at most the moves that were not written, which
    leaves a revision a step or two behind.

    Args:
        book: where states are kept.
    """

    def __init__(self, book: StateBook) -> None:
        self._book = book
        self._unwritten: list[Move] = []
        self._failure: Exception | None = None
        self._hurry = False
        self._closed = False
        self._changed = threading.Condition()
        self._writer = threading.Thread(target=self._write_on, name="states", daemon=True)
        self._writer.start()

    def of_each(self, revisions: Collection[str]) -> dict[str, State]:
        """The states of the known revisions, moves under way included.

        Raises:
            StoreError: an earlier move could not be written.
        """
        with self._changed:
            self._tell_failure()
            under_way = {move.revision: move.to for move in self._unwritten}
        states = dict(self._book.of_each(revisions))
        return {revision: under_way.get(revision, state) for revision, state in states.items()}

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
        with self._changed:
            if self._closed:
                raise StateError(f"{revision}: cannot become {to}, for this engine is closed; make a new one")
            self._unwritten.append(Move(revision, to, reason))
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until every move is written.

        Raises:
            StoreError: one could not be; those that were waiting with it are dropped.
        """
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._unwritten)
            self._hurry = False
            self._tell_failure()

    def close(self) -> None:
        """Write what is left and end the thread; a second call does nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._writer.join()
        with self._changed:
            self._tell_failure()

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unwritten or self._closed)
                if not self._unwritten:
                    return
                self._changed.wait_for(lambda: self._hurry or self._closed, timeout=_GATHERING_SECONDS)
                moves = self._unwritten.copy()
            failure = None
            try:
                self._book.follow(moves)
            except Exception as error:  # noqa: BLE001 - the next caller is told, whatever it was
                failure = error
            with self._changed:
                del self._unwritten[: len(moves)]
                self._failure = failure or self._failure
                self._changed.notify_all()

    def _tell_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
