"""Where a training run stands, on disk: one safetensors file per wave, replaced whole, never pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from adapters.errors import TrainingError

IDENTITY_NAME = "training.json"


@dataclass(frozen=True, slots=True)
class WaveState:
    """What it takes to go on exactly.

    Args:
        steps_done: optimizer steps of the wave that `tensors` have behind them.
        losses: user → mean loss of each step so far.
        tensors: adapters and optimizer state of all slots.
    """

    steps_done: int
    losses: Mapping[str, list[float]]
    tensors: Mapping[str, Tensor]


class Checkpoints:
    """The checkpoints of one run in one folder.

    Args:
        folder: created if need be.
        identity: of settings, base and data; a folder of another run is refused.

    Raises:
        TrainingError: the folder holds the checkpoints of another run, or its record is unreadable.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        record = folder / IDENTITY_NAME
        if not record.exists():
            _replace(record, json.dumps({"identity": identity}) + "\n")
        try:
            found = json.loads(record.read_text(encoding="utf-8"))["identity"]
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{record}: unreadable ({error!r}); delete the folder to train anew"
            ) from error
        if found != identity:
            raise TrainingError(
                f"{record}: these checkpoints are of a run with other settings, base or data; "
                f"give an empty folder, or delete this one to train anew"
            )

    def save(self, wave: int, state: WaveState) -> None:
        """Replace the checkpoint of a wave."""
        header = {"steps_done": state.steps_done, "losses": dict(state.losses)}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        half = self._path(wave).with_suffix(".tmp")
        save_file(tensors, half, metadata={"state": json.dumps(header)})
        half.replace(self._path(wave))

    def load(self, wave: int) -> WaveState | None:
        """The checkpoint of a wave, or None where there is none yet.

        Raises:
            TrainingError: the file is damaged.
        """
        path = self._path(wave)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            return WaveState(header["steps_done"], header["losses"], tensors)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{path}: damaged checkpoint ({error!r}); delete it to train its users anew"
            ) from error

    def _path(self, wave: int) -> Path:
        return self._folder / f"wave-{wave:05d}.safetensors"


def _replace(path: Path, text: str) -> None:
    half = path.with_suffix(".tmp")
    half.write_text(text, encoding="utf-8")
    half.replace(path)
