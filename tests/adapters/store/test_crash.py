"""A writer killed at any step, and writers that race: what was visible stays so, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.store import AdapterStore, EntryFilter
from tests.adapters.store.crash_child import NEW_SEEDS, RACERS, ROUNDS, publish_two
from tests.adapters.store.samples import adapter, manifest, same_tensors


@pytest.fixture(scope="module")
def wreckage(fast_folder: Path) -> Path:
    command = [sys.executable, "-m", "tests.adapters.store.crash_child", str(fast_folder)]
    subprocess.run(command, check=True, timeout=300, cwd=Path(__file__).parents[3])
    return fast_folder


def test_every_kind_of_step_was_a_place_to_die(wreckage: Path) -> None:
    steps = json.loads((wreckage / "steps.json").read_text())
    assert {step.split()[0] for step in steps} >= {
        "os.mkdir",
        "open",
        "os.chmod",
        "fsync",
        "os.rename",
        "sql",
        "os.rmdir",
    }
    for statement in ("BEGIN IMMEDIATE", "INSERT INTO revisions", "INSERT INTO history", "COMMIT"):
        assert any(step.startswith(f"sql {statement}") for step in steps)


def test_a_killed_writer_leaves_the_state_before_or_after_and_no_lasting_garbage(wreckage: Path) -> None:
    """For every step: consistent at once, whole after publishing again, clean after one sweep."""
    steps = json.loads((wreckage / "steps.json").read_text())
    seen = set()
    for number, step in enumerate(steps):
        store = AdapterStore(wreckage / f"kill-{number}")
        entries = store.list(EntryFilter(history=True))
        seen.add(len(entries))
        assert len(entries) == len(store.revisions()) in {1, 1 + len(NEW_SEEDS)}, step
        assert same_tensors(store.open(entries[-1].revision), adapter(0)), step
        assert same_tensors(store.open(store.resolve("ada")), adapter(0 if len(entries) == 1 else 2)), step
        publish_two(store)
        assert same_tensors(store.open(store.resolve("ada")), adapter(2)), step
        for revision in store.revisions():
            store.verify(revision)
        store.sweep()
        assert not any((store.root / "staging").iterdir()), step
        folders = {path.name for path in (store.root / "revisions").glob("*/*")}
        assert folders == set(store.revisions()), step
    assert seen == {1, 3}


def test_a_half_written_catalog_is_undone_by_the_next_reader(wreckage: Path) -> None:
    root = wreckage / "journal"
    assert (root / "catalog.sqlite-journal").stat().st_size > 0
    store = AdapterStore(root)
    assert len(store.revisions()) == 1
    assert same_tensors(store.open(store.resolve("ada")), adapter(0))


def test_processes_that_publish_at_once_lose_nothing(wreckage: Path) -> None:
    store = AdapterStore(wreckage / "race")
    heads = store.heads()
    for number in range(RACERS):
        for turn in range(ROUNDS):
            seed = number * ROUNDS + turn
            assert same_tensors(store.open(heads[f"own-{number}-{turn}"]), adapter(seed))
    for turn in range(ROUNDS):
        assert store.manifest(heads[f"same-{turn}"]).identity() == manifest(seed=1000 + turn).identity()
    assert len(store.revisions()) == RACERS * ROUNDS + ROUNDS
    shared = store.list(EntryFilter(name_prefix="shared", history=True))
    assert [e.sequence for e in shared] == list(range(len(shared), 0, -1))
    assert ROUNDS <= len(shared) <= RACERS * ROUNDS
    assert not any((store.root / "staging").iterdir())
    for revision in store.revisions():
        store.verify(revision)
