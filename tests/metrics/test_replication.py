from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metrics.catalogue import CATALOGUE, METRICS
from metrics.comparison import paired_differences
from metrics.errors import MetricInputError
from metrics.published import PUBLISHED
from metrics.replication import READINGS, replication

LIKE_THE_PAPER = {
    "stance_std_positive": ([0.50, 0.52, 0.51], [0.24, 0.26, 0.25]),  # twice as much at every seed
    "community_side_homophily": ([0.60, 0.61, 0.59], [0.50, 0.52, 0.51]),  # more, where less is printed
    "original_posts": ([30.0, 20.0, 40.0], [25.0, 22.0, 24.0]),  # more on average, not at every seed
    "comments": ([20.0, 25.0, 18.0], [25.0, 22.0, 24.0]),  # less on average, not at every seed
    "co_engagement_modularity": ([0.9, 0.8, 0.85], [0.1, 0.2, 0.15]),  # the paper itself has it both ways
    "like_gini": ([0.95, 0.96, 0.955], [0.9, 0.9, 0.9]),
    "polarization_distance": ([0.1, 0.1, 0.11], [0.1, 0.1, 0.1]),
    "cross_side_exposure": ([0.17, 0.2, 0.15], [0.17, 0.2, 0.15]),
}


def ours(metrics: dict[str, tuple[list[float], list[float]]], n: int = 32) -> pd.DataFrame:
    """`replication` of the given values by seed under lora and the base; every other metric has none."""
    values = pd.DataFrame(
        [
            (condition, n, seed, metric.id, value)
            for metric in METRICS
            for place, condition in enumerate(("lora", "shared_base"))
            for seed, value in enumerate(metrics.get(metric.id, ([np.nan], [np.nan]))[place])
        ],
        columns=["condition", "n", "seed", "metric", "value"],
    )
    rng = np.random.default_rng(0)
    compared = paired_differences(values, "lora", "shared_base", rng=rng, resamples=10)
    return replication(values, compared).set_index(["metric", "quantity"])


def test_every_printed_row_stands_beside_ours() -> None:
    table = ours(LIKE_THE_PAPER)
    assert {m for m, _ in table.index} == {row.metric for row in PUBLISHED} | {"cross_side_exposure"}
    assert len(table) == len(PUBLISHED) + 1
    (row,) = table.loc[[("stance_std_positive", "ratio")]].to_dict("records")
    assert [row["paper_128"], row["paper_256"], row["paper_512"]] == [2.28, 2.18, 2.45]
    # geometric mean of .50/.24, .52/.26, .51/.25
    assert row["value"] == pytest.approx((0.50 / 0.24 * 2 * 0.51 / 0.25) ** (1 / 3))
    assert row["low"] > 1


@pytest.mark.parametrize(
    ("metric", "quantity", "reading"),
    [
        ("stance_std_positive", "ratio", "replicates"),
        ("community_side_homophily", "difference", "contradicts"),
        ("original_posts", "difference", "same direction, unsure"),
        ("comments", "difference", "other direction, unsure"),
        ("co_engagement_modularity", "ratio", "printed both ways"),
        ("like_gini", "lora", "above"),
        ("polarization_distance", "lora", "below"),
        ("cross_side_exposure", "lora", "overlaps"),
        ("effective_communities", "ratio", "no value"),
        ("effective_communities", "lora", "no value"),
    ],
)
def test_intervals_decide_the_reading(metric: str, quantity: str, reading: str) -> None:
    assert ours(LIKE_THE_PAPER).loc[(metric, quantity), "reading"] == reading


def test_one_seed_is_never_sure() -> None:
    one = {m: (a[:1], b[:1]) for m, (a, b) in LIKE_THE_PAPER.items()}
    table = ours(one)
    changes = table[table.index.get_level_values("quantity") != "lora"]
    assert set(changes["reading"]) <= set(READINGS) - {"replicates", "contradicts"}
    assert changes["low"].isna().all()
    assert table.loc[("like_gini", "lora"), "reading"] == "above"


def test_no_change_at_all_is_neither_direction() -> None:
    same = {"stance_std_positive": ([0.3, 0.3], [0.3, 0.3])}
    assert ours(same).loc[("stance_std_positive", "ratio"), "reading"] == "no change"


def test_changes_that_are_all_alike_show_no_spread_and_are_not_sure() -> None:
    alike = {"original_posts": ([30.0, 31.0, 32.0], [20.0, 21.0, 22.0])}
    (row,) = ours(alike).loc[[("original_posts", "difference")]].to_dict("records")
    assert row["low"] == row["high"] == 10.0
    assert row["reading"] == "same direction, unsure"


def test_a_study_metric_that_was_not_compared_is_named() -> None:
    empty = pd.DataFrame({"n": [32], "metric": ["like_gini"], "difference": [0.0], "ratio": [1.0]})
    values = pd.DataFrame(columns=["condition", "n", "seed", "metric", "value"])
    with pytest.raises(MetricInputError, match="0 rows for stance_std_positive at n 32"):
        replication(values, empty)


def test_every_metric_of_the_table_is_in_the_catalogue() -> None:
    assert {metric for metric, _ in ours({}).index} <= set(CATALOGUE)
