from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.comparison import paired_differences
from metrics.errors import MetricInputError

NAN = float("nan")


def values(cells: Mapping[str, list[float]], metric: str = "like_gini", n: int = 64) -> pd.DataFrame:
    rows = [(c, n, seed, metric, value) for c, column in cells.items() for seed, value in enumerate(column)]
    return pd.DataFrame(rows, columns=["condition", "n", "seed", "metric", "value"])


def compare(frame: pd.DataFrame, **options: object) -> pd.Series:
    result = paired_differences(
        frame, "lora", "shared_base", rng=np.random.default_rng(0), resamples=500, **options
    )
    assert len(result) == 1
    return result.iloc[0]


def test_differences_are_taken_within_seeds() -> None:
    row = compare(values({"lora": [2.0, 4.0, 6.0], "shared_base": [1.0, 2.0, 3.0]}))
    # differences 1, 2, 3: see test_intervals for the interval and the p-value
    assert (row["treatment"], row["control"], row["difference"]) == (4.0, 2.0, 2.0)
    assert (row["low"], row["high"]) == pytest.approx((-0.48414, 4.48414), abs=1e-5)
    assert (row["p_value"], row["p_smallest"]) == (0.25, 0.25)
    # every pair is 2 : 1, so the ratio is 2 without spread
    assert (row["ratio"], row["ratio_low"], row["ratio_high"]) == pytest.approx((2.0, 2.0, 2.0))
    assert (row["n_seeds"], row["n_missing"], row["note"]) == (3, 0, "")
    # one metric: nothing to adjust; mean 2, s = 1, J(2) = 1/√π: 1.13, for which statsmodels gives 8.28 seeds
    assert (row["p_holm"], row["p_bh"], row["rank_effect"]) == (0.25, 0.25, 1.0)
    assert row["effect_size"] == pytest.approx(2 / np.sqrt(np.pi))
    assert row["seeds_needed"] == 9


def test_the_ratio_is_the_geometric_mean() -> None:
    row = compare(values({"lora": [2.0, 8.0], "shared_base": [1.0, 2.0]}))
    assert row["ratio"] == pytest.approx(np.sqrt(2.0 * 4.0))


@pytest.mark.parametrize(
    ("metric", "treated", "untreated"),
    [
        ("like_gini", [0.0, 1.0], [1.0, 1.0]),  # a zero
        ("polarization_distance", [0.2, 0.3], [0.1, 0.1]),  # a signed quantity that happens to be positive
    ],
)
def test_no_ratio_where_it_has_no_meaning(metric: str, treated: list[float], untreated: list[float]) -> None:
    row = compare(values({"lora": treated, "shared_base": untreated}, metric))
    assert np.isnan([row["ratio"], row["ratio_low"], row["ratio_high"]]).all()


def test_one_seed_gives_a_difference_and_says_that_it_has_no_interval() -> None:
    row = compare(values({"lora": [2.0], "shared_base": [1.0]}))
    assert (row["difference"], row["ratio"], row["note"]) == (1.0, 2.0, "one seed: no interval")
    unknown = [
        "low",
        "high",
        "bootstrap_low",
        "bootstrap_high",
        "ratio_low",
        "ratio_high",
        "p_value",
        "p_smallest",
        "p_holm",
        "p_bh",
        "effect_size",
        "rank_effect",
        "seeds_needed",
    ]
    assert row[unknown].isna().all()


def test_two_seeds_say_that_the_bootstrap_is_the_range() -> None:
    row = compare(values({"lora": [2.0, 4.0], "shared_base": [1.0, 1.0]}))
    assert (row["bootstrap_low"], row["bootstrap_high"]) == (1.0, 3.0)
    assert row["low"] < 1.0
    assert row["high"] > 3.0
    assert row[["effect_size", "rank_effect", "seeds_needed"]].isna().all()
    assert row["note"] == "two seeds: no effect size, and the bootstrap interval is just their range"


def test_missing_values_and_cells_drop_their_pair_and_are_counted() -> None:
    row = compare(values({"lora": [1.0, NAN, 3.0, 4.0], "shared_base": [0.0, 0.0, NAN]}))
    assert (row["n_seeds"], row["n_missing"]) == (1, 3)
    assert row["note"] == "one seed: no interval; 3 seeds without a pair of values"
    nothing = compare(values({"lora": [NAN], "shared_base": [1.0]}))
    assert np.isnan(nothing[["treatment", "control", "difference", "ratio"]].astype(float)).all()
    assert (nothing["n_missing"], nothing["note"]) == (1, "no value under lora")
    crossed = compare(values({"lora": [NAN, 1.0], "shared_base": [1.0, NAN]}))
    assert crossed["note"] == "no pair of values"


def test_a_metric_that_one_condition_does_not_have_is_a_row_without_numbers() -> None:
    both = values({"lora": [1.0, 2.0], "shared_base": [1.0, 1.0]}, "like_gini")
    only = values({"shared_base": [1.0, 1.0]}, "comments")
    table = paired_differences(
        pd.concat([both, only]), "lora", "shared_base", rng=np.random.default_rng(0), resamples=500
    )
    absent = table.set_index("metric").loc["comments"]
    assert (absent["n_seeds"], absent["n_missing"], absent["note"]) == (0, 2, "not measured under lora")
    assert absent[["difference", "low", "p_value", "p_holm", "effect_size", "seeds_needed"]].isna().all()


def test_values_that_never_vary_are_flagged() -> None:
    row = compare(values({"lora": [1.0, 1.0, 1.0], "shared_base": [0.5, 0.5, 0.5]}))
    assert (row["low"], row["high"]) == (0.5, 0.5)
    assert row["note"] == "all differences equal: the interval has no width"


def test_rounding_is_no_variation() -> None:
    """0.3 − 0.2, 0.4 − 0.3 and 0.5 − 0.4 differ in floating point; an effect size would be 10¹⁵."""
    row = compare(values({"lora": [0.3, 0.4, 0.5], "shared_base": [0.2, 0.3, 0.4]}))
    assert np.isnan(row["effect_size"])
    assert np.isnan(row["seeds_needed"])
    assert row["note"] == "all differences equal: the interval has no width"
    same = compare(values({"lora": [0.1 + 0.2, 0.6, 0.7], "shared_base": [0.3, 0.6, 0.7]}))
    assert (same["difference"], same["high"]) == (0.0, 0.0)
    assert np.isnan(same["p_holm"])


def test_beyond_sixteen_seeds_the_least_p_is_that_of_the_draws() -> None:
    """All 17 seeds rise: none of 500 random sign patterns is as extreme, p = 1/501 and not 2⁻¹⁶."""
    cells = {"lora": [2.0 + k / 10 for k in range(17)], "shared_base": [1.0] * 17}
    row = compare(values(cells))
    assert row["p_value"] == row["p_smallest"] == pytest.approx(1 / 501)


def test_p_values_are_adjusted_within_a_size() -> None:
    rng = np.random.default_rng(1)
    cells = {"lora": rng.normal(1, 1, 6).tolist(), "shared_base": rng.normal(0, 1, 6).tolist()}
    one = compare(values(cells))
    family = pd.concat(
        [
            values(cells, metric, n)
            for n, metrics in ((64, ("comments", "like_gini")), (128, ("like_gini",)))
            for metric in metrics
        ]
    )
    table = paired_differences(family, "lora", "shared_base", rng=np.random.default_rng(0), resamples=500)
    assert table["p_holm"].tolist() == [min(1.0, 2 * one["p_value"])] * 2 + [one["p_value"]]
    assert table["p_bh"].tolist() == [one["p_value"]] * 3


def test_a_metric_that_no_seed_changed_is_no_test() -> None:
    changed = {"lora": [1.0, 2.0, 4.0], "shared_base": [0.0, 0.0, 0.0]}
    frame = pd.concat([values(changed), values({"lora": [1.0] * 3, "shared_base": [1.0] * 3}, "comments")])
    table = paired_differences(frame, "lora", "shared_base", rng=np.random.default_rng(0), resamples=500)
    rows = table.set_index("metric")[["p_value", "p_holm", "p_bh"]]
    assert rows.loc["like_gini"].tolist() == [0.25, 0.25, 0.25]
    assert rows.loc["comments", "p_value"] == 1.0
    assert rows.loc["comments", ["p_holm", "p_bh"]].isna().all()


def test_sizes_rise_and_metrics_keep_their_order() -> None:
    cells = {"lora": [1.0], "shared_base": [1.0], "zero": [2.0]}
    frame = pd.concat(
        [values(cells, metric, n) for n in (256, 64) for metric in ("comments", "active_share")]
    )
    only_elsewhere = values({"zero": [1.0]}, "repost", 64)
    result = paired_differences(
        pd.concat([frame, only_elsewhere]), "lora", "shared_base", rng=np.random.default_rng(0)
    )
    order = [(64, "comments"), (64, "active_share"), (256, "comments"), (256, "active_share")]
    assert list(zip(result["n"], result["metric"], strict=True)) == order


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=6))
def test_exchanging_the_conditions_turns_differences_and_ratios_round(
    pairs: list[tuple[float, float]],
) -> None:
    there = compare(values({"lora": [a for a, _ in pairs], "shared_base": [b for _, b in pairs]}))
    back = compare(values({"lora": [b for _, b in pairs], "shared_base": [a for a, _ in pairs]}))
    assert back["difference"] == pytest.approx(-there["difference"])
    assert (back["low"], back["high"]) == pytest.approx((-there["high"], -there["low"]), nan_ok=True)
    assert back["ratio"] == pytest.approx(1 / there["ratio"])
    assert back["p_value"] == pytest.approx(there["p_value"], nan_ok=True)


def test_the_order_of_rows_does_not_matter() -> None:
    frame = values({"lora": [1.0, 5.0, 2.0], "shared_base": [0.0, 1.0, 7.0]})
    pd.testing.assert_series_equal(compare(frame), compare(frame.iloc[::-1]))


def test_wrong_input_is_refused() -> None:
    frame = values({"lora": [1.0], "shared_base": [1.0]})
    with pytest.raises(MetricInputError, match="no column seed"):
        compare(frame.drop(columns="seed"))
    with pytest.raises(MetricInputError, match="condition 'lora': no values; there are shared_base"):
        compare(frame[frame["condition"] != "lora"])
    with pytest.raises(MetricInputError, match="pass one step only"):
        compare(pd.concat([frame, frame]))
    with pytest.raises(MetricInputError, match="both 'lora'"):
        paired_differences(frame, "lora", "lora", rng=np.random.default_rng(0))
