"""Run by test_crash.py in a process of its own: writers that are killed, and writers that race.

Forking from one warm process keeps a hundred killed writers affordable.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.store import AdapterStore, queries
from tests.adapters.store.samples import adapter, manifest
from tests.adapters.store.test_catalog import row

RACERS = 4
ROUNDS = 6
NEW_SEEDS = (1, 2)
"""What a killed writer was publishing, over a store in which `ada` is of seed 0."""


def main(folder: Path) -> None:
    """Leave in `folder`: `kill-N/` for every step N with its name in `steps.json`, `journal/`, `race/`."""
    before = folder / "before"
    AdapterStore(before).publish(adapter(0), manifest(seed=0), name="ada")
    (folder / "steps.json").write_text(json.dumps(killed_everywhere(folder, before)))
    shutil.copytree(before, folder / "journal")
    in_child(lambda: die_with_a_hot_journal(AdapterStore(folder / "journal")))
    race(folder / "race")


def publish_two(store: AdapterStore) -> None:
    """What the writers do until they are killed."""
    store.publish_many([(adapter(seed), manifest(seed=seed), "ada") for seed in NEW_SEEDS])


def killed_everywhere(folder: Path, before: Path) -> list[str]:
    """Kill a writer before its first step, another before its second, until one comes through."""
    steps: list[str] = []
    while True:
        root = folder / f"kill-{len(steps)}"
        shutil.copytree(before, root)

        def write(root: Path = root, fatal: int = len(steps)) -> None:
            die_at_step(root, fatal)
            publish_two(AdapterStore(root))

        status = in_child(write)
        if not os.WIFSIGNALED(status):
            assert status == 0, f"the writer failed by itself after step {len(steps)}"
            return steps
        steps.append((root / "step.txt").read_text())


def die_at_step(root: Path, fatal: int) -> None:
    """Kill this process just before its `fatal`-th step: any change to a file below `root`, any SQL statement."""
    done = 0

    def step(name: str) -> None:
        nonlocal done
        if done == fatal:
            done = -1
            (root / "step.txt").write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)
        if done >= 0:
            done += 1

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event != "open" or "r" not in str(arguments[1] or "r")
        if event in {"open", "os.mkdir", "os.rename", "os.chmod", "os.remove", "os.rmdir"} and writes:
            path = str(arguments[0])
            if path.startswith(str(root)) or event in {"os.remove", "os.rmdir"}:
                step(f"{event} {Path(path).name}")

    connect, sync = sqlite3.connect, os.fsync

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(lambda statement: step(f"sql {statement[:40]}"))
        return connection

    def traced_sync(descriptor: int) -> None:
        step("fsync")
        sync(descriptor)

    sqlite3.connect, os.fsync = traced, traced_sync  # type: ignore[assignment]
    sys.addaudithook(audit)


def die_with_a_hot_journal(store: AdapterStore) -> None:
    """Die when half of a transaction is in the catalog's file already."""
    with store._catalog.writing() as db:
        db.execute("PRAGMA cache_size = 1")
        for i in range(500):
            queries.put_revision(db, row(f"{i:064d}"))
        os.kill(os.getpid(), signal.SIGKILL)


def race(root: Path) -> None:
    """Several processes create one store and publish into it at once, partly the same content and names."""

    def run(number: int) -> None:
        store = AdapterStore(root)
        for turn in range(ROUNDS):
            seed = number * ROUNDS + turn
            store.publish(adapter(seed), manifest(seed=seed), name=f"own-{number}-{turn}")
            store.publish_many(
                [
                    (adapter(1000 + turn), manifest(seed=1000 + turn), name)
                    for name in ("shared", f"same-{turn}")
                ]
            )

    children = [fork(lambda number=number: run(number)) for number in range(RACERS)]  # type: ignore[misc]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * RACERS


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
