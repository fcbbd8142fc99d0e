"""Whose adapter suits whose words, kept beside the adapters: one file for each evaluation.

A Parquet file in `STORE/evaluations/` with a row for each pair: `person` (whose held-out posts), `adapter` (whose
adapter, or `base` for none), `revision` (of that adapter, missing for the base) and `nats` (mean −log p per token).
Nothing depends on these files; they may be deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from adapters.store.drafts import utc_now
from metrics.individuality import BASE
from metrics.likelihood_matrix import likelihood_matrix
from sim.errors import SimError
from sim.individuality import HeldOutScores
from sim.run_dir import write_frame

COLUMNS = ("person", "adapter", "revision", "nats")


def keep_likelihoods(folder: Path, scores: HeldOutScores, revisions: Mapping[str, str]) -> Path:
    """Write down how likely everybody's held-out posts are under everybody's adapter.

    Args:
        folder: `evaluations` of the store that the adapters are in.
        scores: posts under adapters.
        revisions: user id → revision.

    Returns:
        The file; its name begins with the time, to the microsecond, so that names sort by age.
    """
    matrix = likelihood_matrix(scores.nll, scores.owner, scores.tokens, scores.calibration)
    pairs = matrix.melt(var_name="adapter", value_name="nats", ignore_index=False)
    pairs = pairs.rename_axis("person").reset_index()
    pairs["revision"] = pairs["adapter"].map(dict(revisions))
    who = hashlib.sha256("".join(map(str, revisions.values())).encode()).hexdigest()[:8]
    file = folder / f"{utc_now()[:26].replace(':', '-')}-{who}.parquet"
    write_frame(pairs[list(COLUMNS)].astype({"nats": "float32"}), file)
    return file


def likelihood_files(folder: Path) -> list[Path]:
    """All evaluations in the folder `evaluations` of a store, there or not, the newest first."""
    return sorted(folder.glob("*.parquet"), reverse=True)


def read_likelihoods(file: Path) -> pd.DataFrame:
    """The matrix of one evaluation.

    Returns:
        A row for each person and a column for each adapter, `base` last; nats per token.

    Raises:
        SimError: a file that cannot be read.
    """
    try:
        pairs = pd.read_parquet(file, columns=list(COLUMNS))
        matrix = pairs.pivot_table(index="person", columns="adapter", values="nats", sort=False)
        people = list(matrix.columns.drop(BASE))
    except (OSError, ValueError, KeyError) as error:
        raise SimError(
            f"{file}: damaged ({error}). It holds likelihoods only: delete it; `plures adapters evaluate` makes a "
            f"new one."
        ) from error
    return matrix[[*people, BASE]]
