"""Checkpoint files: whole, readable, refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adapters.errors import TrainingError
from adapters.training.checkpoint import IDENTITY_NAME, Checkpoints, WaveState

STATE = WaveState(
    3, {"ada": [1.5, 1 / 3]}, {"x.A": torch.arange(6.0).view(2, 3).t(), "steps": torch.tensor([3, 2])}
)


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "new", "abc")
    assert checkpoints.load(0) is None
    checkpoints.save(0, STATE)
    checkpoints.save(0, STATE)
    state = Checkpoints(tmp_path / "new", "abc").load(0)
    assert state is not None
    assert (state.steps_done, state.losses) == (STATE.steps_done, STATE.losses)
    assert state.tensors.keys() == STATE.tensors.keys()
    assert all(torch.equal(state.tensors[k], STATE.tensors[k]) for k in STATE.tensors)
    assert checkpoints.load(1) is None
    assert not list((tmp_path / "new").glob("*.tmp"))


def test_a_half_written_file_is_never_taken_for_a_checkpoint(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "abc")
    (tmp_path / "wave-00000.tmp").write_bytes(b"half")
    assert checkpoints.load(0) is None


@pytest.mark.parametrize("keep", [0, 20, -1])
def test_a_damaged_file_is_named_with_the_cure(tmp_path: Path, keep: int) -> None:
    checkpoints = Checkpoints(tmp_path, "abc")
    checkpoints.save(2, STATE)
    path = tmp_path / "wave-00002.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TrainingError, match=r"wave-00002\.safetensors: damaged checkpoint .*; delete it"):
        checkpoints.load(2)


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "abc")
    with pytest.raises(TrainingError, match="other settings, base or data"):
        Checkpoints(tmp_path, "abd")
    for broken in ("{", "[]", "{}"):
        (tmp_path / IDENTITY_NAME).write_text(broken)
        with pytest.raises(TrainingError, match="unreadable"):
            Checkpoints(tmp_path, "abc")
