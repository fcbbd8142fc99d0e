from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metrics.catalogue import METRICS
from metrics.errors import MetricInputError
from metrics.failures import LEDGER_COLUMNS, failure_summary, measure_ledger

ROWS = [
    (1, 0, "create_post", "done", None, "stop"),
    (1, 1, "do_nothing", "done", "", "stop"),
    (1, 2, None, "malformed", "malformed", "length"),
    (2, 0, "like_post", "already_liked", "already_liked", "stop"),
    (2, 1, None, None, "engine", "error"),
]


def ledger(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))


def test_every_error_kind_finish_reason_and_outcome_is_counted() -> None:
    summary = failure_summary(ledger(ROWS))
    assert summary.to_numpy().tolist() == [
        ["error_kind", "none", 2, 0.4],
        ["error_kind", "already_liked", 1, 0.2],
        ["error_kind", "engine", 1, 0.2],
        ["error_kind", "malformed", 1, 0.2],
        ["finish_reason", "stop", 3, 0.6],
        ["finish_reason", "error", 1, 0.2],
        ["finish_reason", "length", 1, 0.2],
        ["outcome", "done", 2, 0.4],
        ["outcome", "already_liked", 1, 0.2],
        ["outcome", "malformed", 1, 0.2],
        ["outcome", "none", 1, 0.2],
    ]


def test_an_empty_ledger_has_no_rates() -> None:
    assert failure_summary(ledger([])).empty
    assert measure_ledger(ledger([]), [1])["value"].isna().all()


def test_ledger_metrics_are_those_of_the_catalogue_up_to_each_step() -> None:
    values = measure_ledger(ledger(ROWS), [0, 1, 2]).set_index(["step", "metric"])["value"]
    assert set(values.index.get_level_values("metric")) == {
        metric.id for metric in METRICS if metric.group == "failures"
    }
    assert values[1].to_dict() == pytest.approx(
        {"failure_rate": 1 / 3, "truncation_rate": 1 / 3, "do_nothing_share": 1 / 2}
    )
    assert values[2].to_dict() == pytest.approx(
        {"failure_rate": 3 / 5, "truncation_rate": 1 / 5, "do_nothing_share": 1 / 2}
    )
    assert np.isnan(values[0]).all()


def test_a_ledger_without_a_column_is_refused() -> None:
    with pytest.raises(MetricInputError, match="ledger: no column error_kind"):
        failure_summary(ledger(ROWS).drop(columns="error_kind"))
