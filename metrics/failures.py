"""What went wrong, read from the ledger: failures that differ between conditions would fake a finding."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from metrics.errors import MetricInputError

LEDGER_COLUMNS = ("step", "user_id", "action", "outcome", "error_kind", "finish_reason")
SUMMARY_FIELDS = ("error_kind", "finish_reason", "outcome")
NONE = "none"
TRUNCATED = "length"
DO_NOTHING = "do_nothing"


def failure_summary(ledger: pd.DataFrame) -> pd.DataFrame:
    """How often each error kind, finish reason and outcome occurs.

    Args:
        ledger: one row for each decision asked for, columns `LEDGER_COLUMNS`; a missing or empty
            `error_kind` means that the decision took effect.

    Returns:
        Columns `field` (of `SUMMARY_FIELDS`), `value` (`none` where missing), `count`, `rate` (share of all
        ledger rows: 1 every one, 0 none). Fields in that order, most frequent first. An empty ledger gives
        an empty table.

    Raises:
        MetricInputError: a missing column.

    Source: ours.
    """
    _require_columns(ledger)
    parts = []
    for name in SUMMARY_FIELDS:
        counts = _filled(ledger[name]).value_counts()
        part = pd.DataFrame({"field": name, "value": counts.index, "count": counts.to_numpy()})
        parts.append(part.sort_values(["count", "value"], ascending=[False, True]))
    summary = pd.concat(parts, ignore_index=True)
    return summary.assign(rate=summary["count"] / max(len(ledger), 1))


def measure_ledger(ledger: pd.DataFrame, steps: Sequence[int]) -> pd.DataFrame:
    """The catalogue's ledger metrics for everything up to and including each step.

    Args:
        ledger: as `failure_summary`.
        steps: each ≥ 0.

    Returns:
        Columns `step`, `metric`, `value`: `failure_rate`, `truncation_rate`, `do_nothing_share`; NaN where
        no decision was asked for (or, for the last, none succeeded).

    Raises:
        MetricInputError: a missing column.
    """
    _require_columns(ledger)
    ok = _filled(ledger["error_kind"]) == NONE
    marks = {
        "failure_rate": ~ok,
        "truncation_rate": ledger["finish_reason"] == TRUNCATED,
        "do_nothing_share": (ledger["action"] == DO_NOTHING)[ok],
    }
    rows = [
        (step, metric, float(mark[ledger["step"].loc[mark.index] <= step].mean()))
        for step in steps
        for metric, mark in marks.items()
    ]
    return pd.DataFrame(rows, columns=["step", "metric", "value"])


def _filled(column: pd.Series[str]) -> pd.Series[str]:
    return column.where(column.notna() & (column != ""), NONE).astype(str)


def _require_columns(ledger: pd.DataFrame) -> None:
    if missing := [c for c in LEDGER_COLUMNS if c not in ledger.columns]:
        raise MetricInputError(
            f"ledger: no column {', '.join(missing)}; expected {', '.join(LEDGER_COLUMNS)}"
        )
