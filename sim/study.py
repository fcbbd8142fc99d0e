"""A run beside the published study: tables 6 and 7 row by row, and what the controls say of every row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from agents.opinion.models import OPINION_CONDITIONS
from metrics.catalogue import CATALOGUE
from metrics.published import SIZES
from metrics.replication import SPANNED, replication
from sim.comparison import CONTRAST_COLUMNS, final_values, paired
from sim.errors import RunDirError
from sim.numbers import interval, number
from sim.report_tables import QUANTITY_NAMES, Row
from sim.run_dir import RunDir

TREATMENT, CONTROL = "lora", "shared_base"


class Study(NamedTuple):
    """A run's answer to the study.

    Args:
        rows: of `metrics.replication.replication`.
        against: `lora` against every other condition of language agents, as `sim.comparison.paired`; the measures of
            the study only.
    """

    rows: pd.DataFrame
    against: pd.DataFrame


def beside_the_study(run: RunDir) -> Study:
    """Hold the last step of a run's finished cells beside the published tables.

    Raises:
        RunDirError: while there is no finished pair of `lora` and `shared_base`.
    """
    values = final_values(run)
    others = [c for c in run.scenario.conditions if c != TREATMENT and c not in OPINION_CONDITIONS]
    compared = paired(values, [(TREATMENT, condition) for condition in others], "bootstrap")
    base = compared[compared[CONTRAST_COLUMNS[1]] == CONTROL]
    if base.empty:
        raise RunDirError(
            f"{run.path}: no finished cells of {TREATMENT} and {CONTROL}, which the published study compares; "
            "add both to the scenario's conditions, or finish the run with plures run --resume"
        )
    rows = replication(values, base)
    return Study(rows, compared[compared["metric"].isin(rows["metric"])].reset_index(drop=True))


def study_rows(study: Study, n: int) -> list[Row]:
    """The printed rows with ours of one size, as text: `label`, `quantity`, `paper`, `ours`, `interval`, `reading`."""
    return [
        {
            "label": CATALOGUE[row["metric"]].label,
            "quantity": QUANTITY_NAMES[row["quantity"]],
            "paper": _paper(row),
            "ours": _shown(row, "value"),
            "interval": interval(row["low"], row["high"]),
            "reading": row["reading"],
        }
        for row in study.rows[study.rows["n"] == n].to_dict("records")
    ]


def control_rows(study: Study, n: int) -> list[Row]:
    """`lora` minus each other condition with its interval, as text: `label`, then one column for each condition."""
    of_size = study.against[study.against["n"] == n]
    return [
        {"label": CATALOGUE[str(metric)].label}
        | {
            row[
                CONTRAST_COLUMNS[1]
            ]: f"{number(row['difference'], signed=True)} {interval(row['low'], row['high'])}"
            for row in rows.to_dict("records")
        }
        for metric, rows in of_size.groupby("metric", sort=False)
    ]


def _paper(row: Mapping[Any, Any]) -> str:
    printed = [_shown(row, f"paper_{size}") for size in SIZES]
    return f"{printed[0]} to {printed[-1]}" if row["metric"] == SPANNED else " / ".join(printed)


def _shown(row: Mapping[Any, Any], column: str) -> str:
    return number(row[column], signed=row["quantity"] == "difference")
