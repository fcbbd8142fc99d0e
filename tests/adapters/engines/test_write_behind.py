"""Moves that are seen at once and written later, with a book that waits until it is told."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence

import pytest

from adapters.engines.write_behind import WriteBehind
from adapters.errors import StateError, StoreError
from adapters.store.catalog.states import LEGAL, Move, State


class SlowBook:
    """Two registered revisions; writes wait for `go`, and fail when `broken`."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {"a": "registered", "b": "registered"}
        self.go = threading.Event()
        self.broken = False
        self.writes = 0

    def of_each(self, revisions: Collection[str]) -> Mapping[str, State]:
        return {r: self.states[r] for r in revisions if r in self.states}

    def follow(self, moves: Sequence[Move]) -> None:
        assert self.go.wait(20)
        if self.broken:
            raise StoreError("the disk is full")
        self.writes += 1
        for revision, to, _ in moves:
            if to in LEGAL[self.states[revision]]:
                self.states[revision] = to


@pytest.fixture
def book() -> SlowBook:
    return SlowBook()


@pytest.fixture
def behind(book: SlowBook) -> Iterator[WriteBehind]:
    behind = WriteBehind(book)
    yield behind
    book.broken = False
    book.go.set()
    behind.close()


def test_moves_are_seen_at_once_and_written_in_order(book: SlowBook, behind: WriteBehind) -> None:
    behind.move("a", "prewarming", "")
    behind.move("a", "ready", "")
    assert behind.of_each(["a", "b", "unknown"]) == {"a": "ready", "b": "registered"}
    assert book.states["a"] == "registered"
    book.go.set()
    behind.flush()
    assert book.states["a"] == "ready"
    assert behind.of_each(["a"]) == {"a": "ready"}
    assert book.writes == 1, "what comes close together is written together"


def test_an_illegal_move_is_refused_before_anything_is_written(book: SlowBook, behind: WriteBehind) -> None:
    book.go.set()
    with pytest.raises(StateError, match="a: is registered, and served cannot follow on that"):
        behind.move("a", "served", "")
    behind.flush()
    assert book.states["a"] == "registered"


def test_a_move_that_became_illegal_gives_way(book: SlowBook, behind: WriteBehind) -> None:
    behind.move("a", "prewarming", "")
    book.states["a"] = "retired"
    book.go.set()
    behind.flush()
    assert behind.of_each(["a"]) == {"a": "retired"}


def test_a_move_that_cannot_be_written_is_told_to_the_next_caller(
    book: SlowBook, behind: WriteBehind
) -> None:
    book.broken = True
    behind.move("a", "prewarming", "")
    book.go.set()
    with pytest.raises(StoreError, match="disk is full"):
        behind.flush()
    assert behind.of_each(["a"]) == {"a": "registered"}


def test_closing_writes_what_is_left(book: SlowBook, behind: WriteBehind) -> None:
    behind.move("b", "retired", "")
    book.go.set()
    behind.close()
    behind.close()
    assert book.states["b"] == "retired"
