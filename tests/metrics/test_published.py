from __future__ import annotations

import numpy as np
import pytest

from metrics.catalogue import CATALOGUE
from metrics.published import CROSS_SIDE_EXPOSURE, PUBLISHED, SIZES, published_frame


def test_every_published_row_names_a_metric_of_the_catalogue() -> None:
    assert {row.metric for row in PUBLISHED} <= set(CATALOGUE)


def test_every_number_lies_in_its_metrics_range() -> None:
    for row in PUBLISHED:
        if row.kind == "lora":
            assert all(
                CATALOGUE[row.metric].low <= value <= CATALOGUE[row.metric].high for value in row.values
            )


def test_ratios_are_printed_only_where_ours_give_one() -> None:
    assert all(CATALOGUE[row.metric].ratio for row in PUBLISHED if "ratio" in row.kind)


def test_the_frame_has_one_row_for_each_metric_and_size() -> None:
    frame = published_frame().set_index(["metric", "n"])
    assert frame.index.is_unique
    assert set(frame.index.get_level_values("n")) == set(SIZES)
    assert frame.loc[("effective_communities", 256), ["lora", "ratio"]].tolist() == [11.77, 2.19]
    assert frame.loc[("community_side_homophily", 512), ["lora", "difference"]].tolist() == [0.583, -0.197]
    # printed as base over LoRA, 1.16
    assert frame.loc[("like_top_decile_share", 128), "ratio"] == pytest.approx(1 / 1.16)
    assert np.isnan(frame.loc[("comments", 128), "lora"])


def test_cross_side_exposure_is_a_range_of_shares() -> None:
    low, high = CROSS_SIDE_EXPOSURE
    assert 0 < low < high < 1
