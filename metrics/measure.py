"""All measures of one cell at any steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from metrics.groups import GROUPS
from metrics.moments import Moments
from metrics.networks.partitions import RESTARTS
from metrics.tables import CellTables


def measure_cell(
    tables: CellTables,
    steps: Sequence[int] | None = None,
    *,
    rng: np.random.Generator,
    restarts: int = RESTARTS,
) -> pd.DataFrame:
    """Every metric of the catalogue but those of the ledger, for everything up to and including each step.

    The value at a step does not depend on which other steps are asked for.

    Args:
        tables: of one cell.
        steps: each ≥ 0; None means every step from 0 to the last that left a row. The last step asked for
            is "final" only if it is the cell's last.
        rng: seeds the community search; the same state gives the same values.
        restarts: runs of the community search to choose from.

    Returns:
        Columns `step`, `metric` (ids of `metrics.catalogue`, in its order), `value`; NaN where a metric has
        no value, for the reason its catalogue entry gives.

    Raises:
        MetricInputError: a negative step, or tables that do not fit together.
    """
    moments = list(range(tables.last_step + 1)) if steps is None else list(steps)
    return measure_moments(Moments.of(tables, moments, rng=rng, restarts=restarts))


def measure_moments(cell: Moments) -> pd.DataFrame:
    """`measure_cell` for who also needs what lies behind the measures, such as a run, which keeps stances."""
    rows = [
        (step, metric, value)
        for step in cell.steps
        for group in GROUPS
        for metric, value in group(cell, step).items()
    ]
    return pd.DataFrame(rows, columns=["step", "metric", "value"])
