"""What every metric is called, measured in and means: the table behind reports and documentation."""

from __future__ import annotations

from metrics.catalogue_people import PEOPLE
from metrics.catalogue_posts import POSTS
from metrics.metric import Metric

METRICS: tuple[Metric, ...] = (*PEOPLE, *POSTS)
"""Every entry, in the order of reports. `metrics.failures.measure_ledger` gives the group `failures`,
`metrics.measure.measure_cell` all others."""

CATALOGUE: dict[str, Metric] = {metric.id: metric for metric in METRICS}
"""Every metric by id, in the order of reports."""

RATIO_METRICS: frozenset[str] = frozenset(m.id for m in METRICS if m.ratio)
"""Those for which "x times as much" makes sense."""
