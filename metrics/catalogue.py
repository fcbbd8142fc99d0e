"""What every metric is called, measured in and means: the table behind reports and documentation."""

from __future__ import annotations

import pandas as pd

from metrics.catalogue_people import PEOPLE
from metrics.catalogue_posts import POSTS
from metrics.metric import Metric

METRICS: tuple[Metric, ...] = (*PEOPLE, *POSTS)
"""Every entry, in the order of reports."""

CATALOGUE: dict[str, Metric] = {metric.id: metric for metric in METRICS}
"""Every metric by id, in the order of reports."""

LEDGER_METRICS: tuple[str, ...] = tuple(m.id for m in METRICS if m.group == "failures")
"""Those that `metrics.failures.measure_ledger` gives; `metrics.measure.measure_cell` gives all others."""

RATIO_METRICS: frozenset[str] = frozenset(m.id for m in METRICS if m.ratio)
"""Those for which "x times as much" makes sense."""


def catalogue_frame() -> pd.DataFrame:
    """The catalogue as a table, one row a metric, columns as the fields of `Metric`."""
    return pd.DataFrame([{name: getattr(m, name) for name in Metric.__slots__} for m in METRICS])
