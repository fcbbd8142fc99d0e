"""The answer of a run: every condition against the control, paired by seed, on final values."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from metrics.catalogue import RATIO_METRICS
from metrics.comparison import paired_differences
from sim.rng import generator
from sim.run_dir import RunDir

CONTRAST_COLUMNS = ["treatment_condition", "control_condition"]


def final_values(run: RunDir) -> pd.DataFrame:
    """Measures at the last step of every finished cell: condition, n, seed, metric, value."""
    values = run.read_metrics()
    last = values[values["step"] == run.scenario.simulation.steps]
    return last.rename(columns={"size": "n"})[["condition", "n", "seed", "metric", "value"]]


def contrasts(run: RunDir) -> list[tuple[str, str]]:
    """(treatment, control): the scenario's own question first, then every other condition against its control."""
    compare, conditions = run.scenario.compare, run.scenario.conditions
    others = [c for c in conditions if c not in (compare.treatment, compare.control)]
    pairs: list[tuple[str, str]] = [(c, compare.control) for c in (compare.treatment, *others)]
    pairs += [(compare.treatment, c) for c in others]
    return pairs if compare.control in conditions else []


def compare_run(run: RunDir) -> pd.DataFrame:
    """Paired differences of every contrast whose cells are there, as `paired`."""
    return paired(final_values(run), contrasts(run), "bootstrap")


def paired(
    values: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    purpose: str,
    ratio_metrics: Collection[str] = RATIO_METRICS,
) -> pd.DataFrame:
    """Paired differences over seeds of all pairs of conditions of which both are there.

    Args:
        values: columns condition, n, seed, metric, value.
        pairs: (treatment, control).
        purpose: of the random numbers.
        ratio_metrics: those for which "x times as much" makes sense.

    Returns:
        As `metrics.comparison.paired_differences`, with the two conditions in front; empty while there is
        nothing to compare.
    """
    there = set(values["condition"])
    tables = []
    for treatment, control in pairs:
        if {treatment, control} <= there:
            rng = generator(0, purpose, treatment, control)
            table = paired_differences(values, treatment, control, rng=rng, ratio_metrics=ratio_metrics)
            for place, (column, name) in enumerate(zip(CONTRAST_COLUMNS, (treatment, control), strict=True)):
                table.insert(place, column, name)
            tables.append(table)
    if not tables:
        return pd.DataFrame(columns=[*CONTRAST_COLUMNS, "n", "metric"])
    return pd.concat(tables, ignore_index=True)
