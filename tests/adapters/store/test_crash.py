"""Writers that die within a commit, and processes that write at once: what was visible stays so, and nothing is lost.

test_faults.py breaks every operation at every step.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.store import AdapterStore, EntryFilter
from adapters.store.upkeep import fsck
from tests.adapters.store.crash_child import RACERS, ROUNDS
from tests.adapters.store.samples import adapter, manifest, same_tensors


@pytest.fixture(scope="module")
def wreckage(fast_folder: Path) -> Path:
    command = [sys.executable, "-m", "tests.adapters.store.crash_child", str(fast_folder)]
    subprocess.run(command, check=True, timeout=300, cwd=Path(__file__).parents[3])
    return fast_folder


def test_a_half_written_catalog_is_undone_by_the_next_reader(wreckage: Path) -> None:
    root = wreckage / "journal"
    assert (root / "catalog.sqlite-journal").stat().st_size > 0
    store = AdapterStore(root)
    assert len(store.revisions()) == 1
    assert same_tensors(store.open(store.resolve("ada")), adapter(0))


def assert_nothing_lost(store: AdapterStore) -> None:
    heads = store.heads()
    for number in range(RACERS):
        for turn in range(ROUNDS):
            seed = number * ROUNDS + turn
            assert same_tensors(store.open(heads[f"own-{number}-{turn}"]), adapter(seed))
    for turn in range(ROUNDS):
        assert store.manifest(heads[f"same-{turn}"]).identity() == manifest(seed=1000 + turn).identity()
    assert not any((store.root / "staging").iterdir())
    report = fsck.check(store)
    assert report.problems == ()
    assert report.checked == len(store.revisions())


def test_processes_that_publish_at_once_lose_nothing(wreckage: Path) -> None:
    store = AdapterStore(wreckage / "race")
    assert_nothing_lost(store)
    shared = store.list(EntryFilter(name_prefix="shared", history=True))
    assert [e.sequence for e in shared] == list(range(len(shared), 0, -1))
    assert ROUNDS <= len(shared) <= RACERS * ROUNDS


def test_processes_that_move_names_at_once_lose_nothing(wreckage: Path) -> None:
    """Tags, branches and rollbacks of all are there, and every entry of the record that all of them wrote to."""
    store = AdapterStore(wreckage / "race")
    for number in range(RACERS):
        entries = list(reversed(store.log(f"back-{number}")))
        published = [store.resolve(f"tag-{number}-{turn}") for turn in range(ROUNDS)]
        assert [e.event for e in entries] == ["publish"] + ["publish", "rollback"] * (ROUNDS - 1)
        assert [e.revision for e in entries if e.event == "publish"] == published
        for turn in range(ROUNDS):
            branch = store.policy(f"branch-{number}-{turn}")
            assert (branch.parent, branch.head) == (f"back-{number}", published[turn])
    crowd = store.log("crowd")
    assert [e.sequence for e in crowd] == list(range(RACERS * ROUNDS, 0, -1))
    assert len({e.revision for e in crowd}) == RACERS * ROUNDS
    assert store.resolve("contested") in {e.revision for e in crowd}


def test_collecting_and_repairing_meanwhile_take_nothing_that_is_named(wreckage: Path) -> None:
    assert_nothing_lost(AdapterStore(wreckage / "cleaned"))
