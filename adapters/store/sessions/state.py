"""What training needs, beyond the weights, to go on exactly; as one safetensors file, never pickled."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.errors import CorruptAdapterError
from adapters.store.canonical import is_sha256, plain
from adapters.store.folders import sync
from adapters.store.record import FileSeal

if TYPE_CHECKING:
    from torch import Tensor

_POSITION = "position"


@dataclass(frozen=True, slots=True)
class SessionState:
    """Where the training of one adapter stands.

    Args:
        position: of the scheduler, the data order and the generators, as plain values; copied.
        tensors: name → optimizer moments, generator states, weights between two revisions.
        parent: revision (full id) whose training goes on, or None; garbage collection keeps it.

    Raises:
        ValueError: for a position that is not made of plain values, or a parent that is no revision id.
    """

    position: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    parent: str | None = None

    def __post_init__(self) -> None:
        if self.parent is not None and not is_sha256(self.parent):
            raise ValueError(f"parent: got {self.parent!r}; expected a revision id, 64 lower-case hex digits")
        object.__setattr__(self, "position", plain(self.position, _POSITION))


def write_state(file: Path, state: SessionState) -> FileSeal:
    """Write a state to a new file and make it durable; a file that could not be written whole is removed.

    Raises:
        OSError: from the file system.
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    content = save(tensors, metadata={_POSITION: json.dumps(state.position, allow_nan=False)})
    try:
        file.write_bytes(content)
        sync([file, file.parent])
    except OSError:
        file.unlink(missing_ok=True)
        raise
    return FileSeal(len(content), hashlib.sha256(content).hexdigest())


def read_state(file: Path, seal: FileSeal, parent: str | None) -> SessionState:
    """Read a state after proving its file.

    Args:
        file: that `write_state` wrote.
        seal: what `write_state` gave.
        parent: of the state.

    Raises:
        CorruptAdapterError: a file that is missing, truncated, altered or replaced by a link.
        OSError: from the file system.
    """
    from safetensors import safe_open

    check_state(file, seal)
    with safe_open(file, framework="pt") as opened:
        position = json.loads(opened.metadata()[_POSITION])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
    return SessionState(position, tensors, parent)


def check_state(file: Path, seal: FileSeal) -> None:
    """Prove a file byte for byte; raises as `read_state` does."""
    try:
        mode = file.lstat().st_mode
    except FileNotFoundError:
        problem = "is missing"
    else:
        if not stat.S_ISREG(mode):
            problem = "is no ordinary file"
        elif FileSeal(file.stat().st_size, _sha256(file)) != seal:
            problem = "was truncated or altered"
        else:
            return
    raise CorruptAdapterError(
        f"{file}: {problem}. The training cannot go on from there; `discard` the session and continue from a "
        f"revision with fresh moments."
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
