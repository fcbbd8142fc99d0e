"""Own against others' adapters, person by person: is everybody's text likeliest under the own adapter?"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from adapters.store.layout import StoreLayout
from metrics.individuality import BASE
from sim.likelihood_files import likelihood_files, read_likelihoods

_TIE = 1e-5  # nats per token: less than files, which hold float32, can tell apart


class Likelihoods(NamedTuple):
    """One evaluation.

    Args:
        nats: a row for each person, a column for each person's adapter, in the same order of people; mean −log p per
            token of the person's held-out posts.
        saved: the same against the base alone: nats per token saved by the adapter; negative is harm.
        people: columns person, own, others, base (nats per token), rank (of the own adapter among all, 1 the best).
        own_first: share of people whose own adapter is the best of all; adapters that tie share the credit.
        chance: that share for adapters that are all alike.
    """

    nats: pd.DataFrame
    saved: pd.DataFrame
    people: pd.DataFrame
    own_first: float
    chance: float


def evaluations(store: Path) -> list[Path]:
    """The evaluations that a store keeps, the newest first."""
    return likelihood_files(StoreLayout(store).evaluations)


def likelihoods(file: Path) -> Likelihoods:
    """Read one evaluation of `plures adapters evaluate`.

    Raises:
        SimError: a damaged file.
    """
    matrix = read_likelihoods(file)
    base = matrix[BASE]
    adapters = matrix.columns.drop(BASE)
    tested = adapters[adapters.isin(matrix.index)]
    ordered = [*tested, *adapters.drop(tested)]
    nats = matrix.loc[list(tested), ordered]
    values = nats.to_numpy(dtype=np.float64)
    own = np.diag(values)
    rank = 1 + (values < own[:, None] - _TIE).sum(axis=1)
    tied = (np.abs(values - own[:, None]) <= _TIE).sum(axis=1)
    others = (values.sum(axis=1) - own) / (values.shape[1] - 1) if values.shape[1] > 1 else own * np.nan
    people = pd.DataFrame(
        {
            "person": list(tested),
            "own": own,
            "others": others,
            "base": base[list(tested)].to_numpy(),
            "rank": rank,
        }
    )
    return Likelihoods(
        nats=nats,
        saved=nats.rsub(base, axis=0),
        people=people,
        own_first=float(np.where(rank == 1, 1 / tied, 0.0).mean()),
        chance=1 / len(adapters),
    )
