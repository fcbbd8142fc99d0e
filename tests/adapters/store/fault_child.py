"""Run by test_faults.py in a process of its own: every operation of a store, broken off at every step.

Each case is a copy of a prepared store, a fork that meets the fault, and a judgement of what it left. Forking from
one warm process keeps a thousand of them affordable.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import traceback
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from adapters.errors import AdapterError, CorruptAdapterError
from adapters.store import AdapterStore, EntryFilter
from adapters.store.catalog import queries
from adapters.store.catalog.condemned import condemned_files
from adapters.store.sessions.sessions import open_session, session_rows
from adapters.store.upkeep import fsck
from tests.adapters.store.crash_child import in_child
from tests.adapters.store.fault_operations import OPERATIONS, Operation
from tests.adapters.store.faults import CUTS, Fault, Witness

GARBAGE = {
    "leftover",
    "orphan-folder",
    "orphan-pack",
    "double-folder",
    "condemned-gone",
    "session-leftover",
    "stale-lease",
}
"""What a fault may leave for `fsck --repair` to take away; never damage, never a wrong reference."""

REFUSED, UNTOUCHED = 3, 4
"""Exit statuses of a fork whose operation raised one of our errors, and of one that came through unharmed."""


def visible(root: Path) -> list[Any]:
    """All that names mean, and whether it can be read."""
    store = AdapterStore(root)
    if not store.catalog.exists():
        return [[], [], [], [], []]
    entries = store.list(EntryFilter(history=True))
    damaged = sorted({entry.revision for entry in entries if not is_whole(store, entry.revision)})
    names = [
        [
            e.name,
            e.sequence,
            e.revision,
            e.is_head,
            e.event,
            list(e.tags),
            e.state,
            store.row(e.revision).pack,
        ]
        for e in entries
    ]
    measured = [len(store.evidence.of(e.revision)) for e in entries]
    retired = [name for name in store.heads() if store.policy(name).retired_at]
    with store.catalog.reading() as db:
        saved = [row.name for row in session_rows(db) if row.file]
    states = []
    for name in saved:
        with open_session(store, name) as session:
            state = session.load()
            states.append([name, state and state.position, state and state.tensors["mean"].tolist()])
    return [names, damaged, measured, retired, states]


def is_whole(store: AdapterStore, revision: str) -> bool:
    try:
        store.verify(revision)
    except CorruptAdapterError:
        return False
    return True


def strays(root: Path) -> list[str]:
    """Files and folders that nothing accounts for."""
    store = AdapterStore(root)
    # A journal that was cut off before it was needed stays until SQLite's next transaction takes its place.
    expected = {store.layout.lock, store.layout.catalog, root / "catalog.sqlite-journal"}
    with store.catalog.reading() as db:
        for row in session_rows(db):
            folder = store.layout.sessions / row.name
            expected |= {folder / "lock", *([folder / row.file] if row.file else [])}
        condemned = [root / file for file in condemned_files(db)]
        expected |= {root / pack.file for pack in queries.packs(db)} | set(condemned)
    homes = set(condemned) | {
        store.layout.folder(revision) for revision in store.revisions() if store.row(revision).pack is None
    }
    found = [
        path for path in root.rglob("*") if not path.is_dir() and store.layout.quarantine not in path.parents
    ]
    return sorted(str(path) for path in found if path not in expected and path.parent not in homes)


class Ends(NamedTuple):
    """What is visible before an operation, and after it."""

    before: list[Any]
    after: list[Any]


class Trial:
    """One operation, broken everywhere.

    Args:
        folder: empty, for copies of stores.
        operation: to be broken.
    """

    def __init__(self, folder: Path, operation: Operation) -> None:
        self.steps: list[str] = []
        self.problems: list[str] = []
        self._operation = operation
        self._before = folder / "before"
        self._case = folder / "case"
        self._told = folder / "told"
        operation.prepare(AdapterStore(self._before))
        after = copy(self._before, folder / "after")
        operation.act(AdapterStore(after))
        self._ends = Ends(visible(self._before), visible(after))

    def run(self, stride: int) -> dict[str, list[str]]:
        """Death at every step, an error at every `stride`-th, writes cut at many file sizes; what went wrong."""
        for step in count():
            if not self._break(Fault("killed", step)):
                break
            if step % stride == 0:
                self._break(Fault("ENOSPC" if step // stride % 2 else "EIO", step))
        for size in CUTS:
            self._break(Fault("cut", size))
            self._break(Fault("cut and killed", size))
        return {"steps": self.steps, "problems": self.problems}

    def _break(self, fault: Fault) -> bool:
        """Whether the fault struck."""
        root = copy(self._before, self._case)
        code = os.waitstatus_to_exitcode(in_child(lambda: meet(root, fault, self._operation, self._told)))
        if code == UNTOUCHED:
            shutil.rmtree(root)
            return False
        step = self._told.read_text()
        self.steps.append(step)
        try:
            judge(root, self._operation, self._ends, code)
        except Exception:  # noqa: BLE001 - becomes the test's message
            last = traceback.format_exc(limit=-4)
            self.problems.append(f"{fault.how} at {fault.at} ({step}), exit status {code}: {last}")
        shutil.rmtree(root, ignore_errors=True)
        self._told.unlink()
        return True


def meet(root: Path, fault: Fault, operation: Operation, told: Path) -> None:
    """In the fork: do it, and end with a status that says how it went."""
    witness = Witness(root, fault, told.write_text)
    witness.arm()
    try:
        operation.act(AdapterStore(root))
    except AdapterError:
        os._exit(REFUSED)
    if not witness.has_struck:
        os._exit(UNTOUCHED)


def judge(root: Path, operation: Operation, ends: Ends, code: int) -> None:
    """Assert what must hold after any fault."""
    assert code <= 0 or code == REFUSED, "raised something else than our errors"
    seen = visible(root)
    assert seen in ends, "a state that is neither the one before nor the one after"
    store = AdapterStore(root)
    is_done = seen == ends.after
    if operation.on_damage or not (is_done or code < 0):
        operation.act(store)  # an error was told: the user tries again
        is_done = True
    if store.catalog.exists():
        clean(store)
    if not is_done:
        operation.act(store)  # the process died: somebody repairs, then tries again
        clean(store)
    assert visible(root) == ends.after, "cannot be repeated"


def clean(store: AdapterStore) -> None:
    """Repair leaves no problem and no garbage, and only garbage had to be repaired."""
    report = fsck.repair(store)
    assert not report.problems, report.problems
    assert {finding.code for finding in report.mended} <= GARBAGE, report.mended
    assert not report.mended or fsck.check(store).problems == (), "not mended by one repair"
    assert not strays(store.root), strays(store.root)


def copy(source: Path, target: Path) -> Path:
    if source.exists():
        shutil.copytree(source, target)
    return target


def main(folder: Path, stride: int) -> None:
    """Leave `outcomes.json`: operation → steps and problems."""
    gc.freeze()  # so that forks need not copy what the collector would touch
    gc.disable()
    outcomes = {}
    for number, (name, operation) in enumerate(OPERATIONS.items()):
        place = folder / str(number)
        place.mkdir()
        outcomes[name] = Trial(place, operation).run(stride)
        shutil.rmtree(place)
    (folder / "outcomes.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
