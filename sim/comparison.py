"""The answer of a run: every condition against the control, paired by seed, on final values."""

from __future__ import annotations

import pandas as pd

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
    """Paired differences of every contrast whose cells are there.

    Returns:
        As `metrics.comparison.paired_differences`, with the two conditions in front; empty while there is
        nothing to compare.
    """
    values = final_values(run)
    finished = set(values["condition"])
    tables = []
    for treatment, control in contrasts(run):
        if {treatment, control} <= finished:
            table = paired_differences(
                values, treatment, control, rng=generator(0, "bootstrap", treatment, control)
            )
            for place, (column, name) in enumerate(zip(CONTRAST_COLUMNS, (treatment, control), strict=True)):
                table.insert(place, column, name)
            tables.append(table)
    return (
        pd.concat(tables, ignore_index=True)
        if tables
        else pd.DataFrame(columns=[*CONTRAST_COLUMNS, "n", "metric"])
    )
