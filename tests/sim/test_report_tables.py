from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metrics.catalogue import CATALOGUE
from metrics.comparison import paired_differences
from metrics.heavy_tail import PowerLawFit
from sim.comparison import CONTRAST_COLUMNS
from sim.numbers import seeds
from sim.report_tables import contrasts, published, tails

NAN = float("nan")
FIT = PowerLawFit(100, 60, 2.5, 3, 0.05, 0.4, 1.0, 0.3, "")


def compared(cells: dict[str, dict[str, list[float]]], n: int = 64) -> pd.DataFrame:
    """`compare_run` of condition → metric → values by seed, of the first condition against the second."""
    rows = [
        (condition, n, seed, metric, value)
        for condition, metrics in cells.items()
        for metric, values in metrics.items()
        for seed, value in enumerate(values)
    ]
    values = pd.DataFrame(rows, columns=["condition", "n", "seed", "metric", "value"])
    table = paired_differences(values, *cells, rng=np.random.default_rng(0), resamples=100)
    for place, (column, name) in enumerate(zip(CONTRAST_COLUMNS, cells, strict=True)):
        table.insert(place, column, name)
    return table


def test_measures_stand_under_their_groups_with_all_that_the_answer_needs() -> None:
    lora = {"like_gini": [0.6, 0.8, 0.7], "comments": [10.0, 12.0, 14.0]}
    base = {"like_gini": [0.5, 0.6, 0.5], "comments": [10.0, 10.0, 10.0]}
    (table,) = contrasts(compared({"lora": lora, "shared_base": base}))
    assert (table.treatment, table.control, table.n) == ("lora", "shared_base", "64")
    assert list(table.groups) == ["attention", "activity"]
    (row,) = table.groups["attention"]
    # changes .1, .2, .2: mean .1667, s .0577, t(.975, 2) = 4.303 → ± .1434; both p's of two measures are .25
    assert (row["difference"], row["interval"], row["p"]) == ("+0.167", "[0.0232, 0.31]", "0.25")
    assert (row["p_holm"], row["p_bh"], row["seeds"]) == ("0.5", "0.5", "3")
    # d_z = 2.887, J(2) = .5642: 1.63, which needs 6 seeds
    assert (row["effect"], row["needed"], row["sure"]) == ("+1.63", "6", "yes")
    assert table.groups["activity"][0]["sure"] == ""
    assert table.least == (
        "With 3 seeds no p can be below 0.25, and over the 2 measures that any seed changed none of Holm's below 0.5."
    )


def test_one_seed_has_dashes_and_says_why() -> None:
    (table,) = contrasts(compared({"lora": {"like_gini": [0.6]}, "shared_base": {"like_gini": [0.5]}}))
    (row,) = table.groups["attention"]
    assert {row[key] for key in ("interval", "p", "p_holm", "p_bh", "effect", "needed")} == {"–"}
    assert table.notes == {"one seed: no interval": ["all measures"]}
    assert table.least == ""


def test_measures_without_a_value_leave_the_table_and_give_their_reason() -> None:
    shown = {"like_gini": [0.6, 0.8]}
    lora = shown | {"structural_virality": [NAN, NAN], "stance_std": [0.1, 0.2]}
    base = shown | {"structural_virality": [1.5, 1.6], "stance_std": [0.1, 0.1]}
    (table,) = contrasts(compared({"lora": lora, "shared_base": base}))
    assert "cascades" not in table.groups
    assert table.notes["no value under lora"] == ["Structural virality (no cascade has three nodes)"]


def test_groups_that_an_opinion_model_does_not_have_are_named_once() -> None:
    stance, words = {"stance_std": [0.1, 0.2]}, {"distinct_2": [0.5, 0.6], "compression_ratio": [2.0, 2.1]}
    (table,) = contrasts(compared({"degroot": stance, "shared_base": stance | words}))
    assert list(table.groups) == ["polarization"]
    assert table.notes["not measured under degroot"] == ["all of text"]


def test_the_papers_numbers_stand_beside_ours_of_the_same_size() -> None:
    lora = {"effective_communities": [4.0, 4.0], "comments": [30.0, 34.0]}
    base = {"effective_communities": [2.0, 2.0], "comments": [20.0, 20.0]}
    both = [compared({"lora": lora, "shared_base": base}, n) for n in (64, 128)]
    beside = published(pd.concat(both, ignore_index=True))
    assert beside.columns == {64: ["ours"], 128: ["paper", "ours"], 256: ["paper"], 512: ["paper"]}
    rows = {(row["label"], row["quantity"]): row for row in beside.rows}
    communities = CATALOGUE["effective_communities"].label
    # arXiv 2606.02437: 9.21 / 11.77 / 14.85, ×1.48 / 2.19 / 1.47; comments +70 / +247 / +493
    assert [rows[communities, "lora"][f"{n} paper"] for n in (128, 256, 512)] == ["9.21", "11.8", "14.8"]
    assert rows[communities, "lora"]["128 ours"] == "4"
    assert rows[communities, "lora / base"]["128 paper"] == "1.48"
    assert rows[communities, "lora / base"]["64 ours"] == "2 [2, 2]"
    assert rows["Comments", "lora − base"]["128 paper"] == "+70"
    assert rows["Comments", "lora − base"]["128 ours"].startswith("+12 [")
    assert rows["Gini of likes per post", "lora"]["64 ours"] == "–"
    assert rows["Prompt-level cross-side exposure", "lora"]["512 paper"] == "0.16 to 0.18"


def test_without_the_papers_contrast_there_is_nothing_beside_it() -> None:
    values = {"like_gini": [0.6, 0.8]}
    assert published(compared({"permuted": values, "shared_base": values})).rows == []


@pytest.mark.parametrize(
    ("fit", "reading"),
    [
        (FIT, "a power law is possible; a log-normal is as likely"),
        (FIT._replace(p_value=0.05), "no power law; a log-normal is as likely"),
        (FIT._replace(ratio=-3.0, ratio_p=0.01), "a power law is possible; a log-normal is more likely"),
        (FIT._replace(ratio=3.0, ratio_p=0.01), "a power law is possible; a log-normal is less likely"),
        (FIT._replace(reason="7 values"), "not fitted: 7 values"),
    ],
)
def test_a_fit_is_read_with_care(fit: PowerLawFit, reading: str) -> None:
    (row,) = tails({"lora": fit})
    assert row["reading"] == reading
    assert row["xmin"] == ("–" if fit.reason else "3")


def test_seeds_are_whole_numbers_a_bound_or_a_dash() -> None:
    assert [seeds(6.0), seeds(1234.0), seeds(float("inf")), seeds(NAN)] == ["6", "1,234", "> 10,000", "–"]
