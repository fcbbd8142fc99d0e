"""Run by test_crash.py in a process of its own: a writer that is killed with half a commit, and writers that race."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from adapters.store import AdapterStore
from adapters.store.catalog import queries
from adapters.store.upkeep import fsck
from adapters.store.upkeep.collection import collect
from adapters.store.upkeep.retention import Retention
from tests.adapters.store.catalog.test_file import row
from tests.adapters.store.samples import adapter, manifest, publish

RACERS = 4
ROUNDS = 6
CLEANINGS = 5


def main(folder: Path) -> None:
    """Leave in `folder` the stores `journal/`, `race/` and `cleaned/`."""
    publish(AdapterStore(folder / "journal"), "ada")
    in_child(lambda: die_with_a_hot_journal(AdapterStore(folder / "journal")))
    race(folder / "race", cleaners=0)
    race(folder / "cleaned", cleaners=2)


def die_with_a_hot_journal(store: AdapterStore) -> None:
    """Die when half of a transaction is in the catalog's file already."""
    with store.catalog.writing() as db:
        db.execute("PRAGMA cache_size = 1")
        for i in range(500):
            queries.put_revision(db, row(f"{i:064d}"))
        os.kill(os.getpid(), signal.SIGKILL)


def race(root: Path, *, cleaners: int) -> None:
    """Several processes create one store and publish into it at once, partly the same content and names.

    Meanwhile `cleaners` others collect garbage without any grace, and repair, time and again.
    """
    work = [lambda number=number: publish_much(root, number) for number in range(RACERS)]  # type: ignore[misc]
    if cleaners:
        publish(AdapterStore(root), "first", 2000)
        work += [lambda: clean_often(root)] * cleaners
    else:  # collecting would take the histories that they go back in
        work += [lambda number=number: move_names(root, number) for number in range(RACERS)]  # type: ignore[misc]
    children = [fork(task) for task in work]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)


def publish_much(root: Path, number: int) -> None:
    """Publish under names of one's own and under names that others publish under."""
    store = AdapterStore(root)
    for turn in range(ROUNDS):
        seed = number * ROUNDS + turn
        publish(store, f"own-{number}-{turn}", seed)
        common = 1000 + turn
        store.publish_many(
            [(adapter(common), manifest(seed=common), name) for name in ("shared", f"same-{turn}")]
        )


def move_names(root: Path, number: int) -> None:
    """Publish, tag, branch and roll back, under one name that all share and one of one's own."""
    store = AdapterStore(root)
    for turn in range(ROUNDS):
        for name in (f"back-{number}", "crowd"):
            publish(store, name, 3000 + number * ROUNDS + turn)
        revision = store.resolve(f"back-{number}")
        store.tag(f"tag-{number}-{turn}", revision)
        store.branch(f"back-{number}", f"branch-{number}-{turn}")
        if turn:
            store.rollback(f"back-{number}")
            store.tag("contested", revision, move=True)


def clean_often(root: Path) -> None:
    """Collect all that has no name, at once, and repair."""
    store = AdapterStore(root)
    for _ in range(CLEANINGS):
        collect(store, Retention(history=1), grace=timedelta(0), apply=True)
        assert fsck.repair(store).problems == ()


def in_child(work: Callable[[], None]) -> int:
    """The wait status of a forked process that does some work."""
    return os.waitpid(fork(work), 0)[1]


def fork(work: Callable[[], None]) -> int:
    """A forked process that does some work and ends with status 0, or shows why not."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        sys.stderr.flush()
        if status:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        os._exit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
