"""The loss of every adapter at every step of its training, kept beside the revisions it led to.

One Parquet file for each training in `STORE/trainings/`, columns `revision`, `step` (optimizer step, from 1) and
`loss` (mean −log p per learned token before the step, nats). Nothing depends on these files; they may be deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sim.errors import SimError
from sim.run_dir import write_frame

COLUMNS = ("revision", "step", "loss")


def keep_curves(folder: Path, training: str, losses: Mapping[str, Sequence[float]]) -> Path:
    """Write down what one training went through.

    Args:
        folder: `trainings` of the store that its adapters are in.
        training: a name that differs between trainings; the same training writes the same file again.
        losses: revision → loss of each optimizer step.

    Returns:
        The file.
    """
    file = folder / f"{training}.parquet"
    steps = [len(of_revision) for of_revision in losses.values()]
    frame = pd.DataFrame(
        {
            "revision": np.repeat(np.array(list(losses), dtype=object), steps),
            "step": np.concatenate([np.arange(1, count + 1) for count in steps]).astype(np.int32),
            "loss": np.concatenate([np.asarray(of_revision) for of_revision in losses.values()]).astype(
                np.float32
            ),
        }
    )
    write_frame(frame, file)
    return file


def curves_with(folder: Path, revision: str) -> pd.DataFrame:
    """The curves of the newest training that gave a revision, those of its companions included.

    Args:
        folder: `trainings` of a store, there or not.
        revision: full id.

    Returns:
        Columns `revision`, `step`, `loss`; no rows when no training that was kept gave it.

    Raises:
        SimError: a file that cannot be read.
    """
    for file in sorted(folder.glob("*.parquet"), key=lambda file: file.stat().st_mtime_ns, reverse=True):
        if len(_read(file, revision)):
            return _read(file, None)
    return pd.DataFrame({name: [] for name in COLUMNS})


def _read(file: Path, revision: str | None) -> pd.DataFrame:
    """The rows of a revision, or all."""
    filters = None if revision is None else [("revision", "==", revision)]
    try:
        return pd.read_parquet(file, columns=list(COLUMNS), filters=filters)
    except (OSError, ValueError) as error:
        raise SimError(
            f"{file}: damaged ({error}). It holds training curves only; delete it to go on without them."
        ) from error
