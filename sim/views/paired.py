"""What conditions change by the last step: paired tables with intervals, and the published study's beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from metrics.catalogue import CATALOGUE
from sim.comparison import CONTRAST_COLUMNS, compare_run
from sim.figures import Captioned, ratio_figure
from sim.numbers import counted, number
from sim.report_tables import contrasts, published
from sim.run_dir import RunDir


def compared(run: RunDir) -> pd.DataFrame:
    """Paired differences of every contrast and size whose cells are finished: `sim.comparison.compare_run`."""
    return compare_run(run)


def compared_pairs(compared: pd.DataFrame) -> list[tuple[str, str, int]]:
    """(treatment, control, N) of every table of `compare_run`, the scenario's own question first."""
    rows = compared[[*CONTRAST_COLUMNS, "n"]].drop_duplicates()
    return [(treatment, control, int(n)) for treatment, control, n in rows.itertuples(index=False)]


def paired_rows(compared: pd.DataFrame, treatment: str, control: str, n: int) -> pd.DataFrame:
    """The rows of `compare_run` of one contrast and size that have a value."""
    keys = compared[[*CONTRAST_COLUMNS, "n"]].eq([treatment, control, n]).all(axis=1)
    return compared[keys & (compared["n_seeds"] > 0)].reset_index(drop=True)


PAIRED_COLUMNS: Mapping[str, tuple[str, str]] = {
    "difference": ("difference", "Mean of the differences within each seed."),
    "low": ("95% low", "Lower end of Student's paired interval of the difference."),
    "high": ("95% high", "Upper end of the same interval. One that leaves out 0 marks a change."),
    "ratio": ("ratio", "Geometric mean of the ratios within each seed, where ratios make sense."),
    "ratio_low": ("ratio 95% low", "Lower end of Student's interval of the logarithms."),
    "ratio_high": ("ratio 95% high", "Upper end of the same interval."),
    "p_value": ("p", "Sign-flip test of the differences."),
    "p_holm": ("Holm p", "Adjusted for all measures of this table: bounds the chance of any false finding."),
    "p_bh": ("BH q", "Benjamini–Hochberg: bounds the share of false ones among findings."),
    "effect_size": ("effect", "Hedges' g: mean difference in standard deviations of the differences."),
    "n_seeds": ("seeds", "Pairs of cells behind the row."),
    "seeds_needed": ("needed", "Seeds that find such an effect in four of five experiments; plan only."),
    "note": ("note", "What to mind in this row."),
}
"""Column of `compare_run` → its heading and meaning in `paired_table`."""


def paired_table(compared: pd.DataFrame, treatment: str, control: str, n: int) -> pd.DataFrame:
    """Differences and ratios of one contrast and size at the last step, with their intervals.

    Args:
        compared: of `compare_run`.
        treatment: condition.
        control: condition.
        n: population size.

    Returns:
        One row a measure: `group`, `measure`, the mean under each condition, then as `PAIRED_COLUMNS`.
    """
    rows = paired_rows(compared, treatment, control, n)
    front = {
        "group": [CATALOGUE[m].group for m in rows["metric"]],
        "measure": [CATALOGUE[m].label for m in rows["metric"]],
        treatment: rows["treatment"],
        control: rows["control"],
    }
    return pd.DataFrame(front | {head: rows[column] for column, (head, _) in PAIRED_COLUMNS.items()})


class Words(NamedTuple):
    """What one table of differences says as a whole: its summary, and why values are missing or intervals odd."""

    summary: list[str]
    notes: list[str]


def paired_words(compared: pd.DataFrame, treatment: str, control: str, n: int) -> Words:
    """One table of differences in sentences."""
    rows = paired_rows(compared, treatment, control, n)
    tested = int(rows["low"].notna().sum())
    sure = int(((rows["low"] > 0) | (rows["high"] < 0)).sum())
    summary: list[str] = []
    notes: list[str] = []
    if tested:
        summary.append(
            f"{sure} of {counted(tested, 'measure')} leave 0 outside their 95% interval; by chance alone about "
            f"{number(0.05 * tested)} would."
        )
    keys = compared[[*CONTRAST_COLUMNS, "n"]].eq([treatment, control, n]).all(axis=1)
    for table in contrasts(compared[keys]):
        summary += [table.least] if table.least else []
        notes += [f"{note}: {', '.join(labels)}." for note, labels in table.notes.items()]
    return Words(summary, notes)


def ratios(compared: pd.DataFrame, treatment: str, control: str, n: int) -> Captioned | None:
    """The ratios of one table with their intervals as a figure; None where no measure has one."""
    rows = paired_rows(compared, treatment, control, n).dropna(subset="ratio")
    return ratio_figure(rows) if len(rows) else None


def beside_paper(run: RunDir, compared: pd.DataFrame) -> pd.DataFrame:
    """Tables 6 and 7 of the published study with ours beside them, as text; empty without `lora` and `shared_base`.

    Args:
        run: for the label of its base.
        compared: of `compared`.

    Returns:
        Columns `measure`, `quantity`, then for each size `N = … paper` and `N = … ours`, where the run's base is a
        toy `ours (toy base)`.
    """
    beside = published(compared)
    ours = "ours (toy base)" if run.manifest["base"]["toy"] else "ours"
    heads = {
        f"{n} {who}": f"N = {n} {ours if who == 'ours' else who}"
        for n, columns in beside.columns.items()
        for who in columns
    }
    table = pd.DataFrame(beside.rows, columns=["label", "quantity", *heads])
    return table.rename(columns={"label": "measure", **heads})
