"""Every operation of a store broken off at every write: nothing visible is lost, nothing lasting is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.store.fault_operations import OPERATIONS

Outcomes = dict[str, dict[str, list[str]]]

_STRIDE = 5
"""An error at every fifth step; the slow test has one at each."""


def _outcomes(folder: Path, stride: int) -> Outcomes:
    command = [sys.executable, "-m", "tests.adapters.store.fault_child", str(folder), str(stride)]
    subprocess.run(command, check=True, timeout=900, cwd=Path(__file__).parents[3])
    found: Outcomes = json.loads((folder / "outcomes.json").read_text())
    return found


@pytest.fixture(scope="module")
def outcomes(fast_folder: Path) -> Outcomes:
    return _outcomes(fast_folder, _STRIDE)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_at_any_write_leaves_one_whole_state_and_nothing_that_repair_cannot_remove(
    outcomes: Outcomes, operation: str
) -> None:
    """Before or after, never between; whole; repeatable; clean after `fsck --repair`."""
    assert outcomes[operation]["problems"] == []


def test_every_kind_of_write_was_a_place_to_die(outcomes: Outcomes) -> None:
    steps = {step for outcome in outcomes.values() for step in outcome["steps"]}
    assert {step.split()[0] for step in steps} >= {
        "os.mkdir",
        "open",
        "os.chmod",
        "fsync",
        "os.rename",
        "os.remove",
        "os.rmdir",
        "os.truncate",
        "write",
        "sql",
        "file",
    }
    for statement in (
        "BEGIN IMMEDIATE",
        "INSERT INTO revisions",
        "INSERT INTO history",
        "DELETE FROM",
        "COMMIT",
    ):
        assert any(step.startswith(f"sql {statement}") for step in steps), statement


@pytest.mark.slow
def test_so_does_an_error_at_every_single_write(fast_folder: Path) -> None:
    folder = fast_folder / "all"
    folder.mkdir()
    for operation, outcome in _outcomes(folder, 1).items():
        assert outcome["problems"] == [], operation
