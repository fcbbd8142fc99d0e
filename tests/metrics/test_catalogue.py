from __future__ import annotations

import pytest

from metrics.catalogue import CATALOGUE, METRICS, RATIO_METRICS, Metric


def test_ids_are_unique() -> None:
    assert len(METRICS) == len(CATALOGUE)


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.id)
def test_every_entry_is_complete_and_its_range_agrees_with_its_ratio(metric: Metric) -> None:
    words = (
        metric.label,
        metric.unit,
        metric.higher_means,
        metric.definition,
        metric.nan_means,
        metric.source,
    )
    assert all(words)
    assert metric.low < metric.high
    assert not metric.ratio or metric.low >= 0.0


def test_signed_quantities_have_no_ratio() -> None:
    assert "polarization_distance" not in RATIO_METRICS
    assert "co_engagement_assortativity" not in RATIO_METRICS
