from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.agreement import krippendorff_alpha, ratings_frame
from metrics.errors import MetricInputError

_ = np.nan
# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", example C: four observers, twelve units,
# missing values; the text gives nominal 0.743, ordinal 0.815, interval 0.849 and ratio 0.797.
PUBLISHED = pd.DataFrame(
    {
        "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        "C": [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    }
)
# The same text, example A: two observers, ten units, binary data: alpha = 0.095.
BINARY = pd.DataFrame({"Meg": [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], "Owen": [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]})


@pytest.mark.parametrize(
    ("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_the_published_example_with_missing_values_comes_out(level: str, published: float) -> None:
    assert krippendorff_alpha(PUBLISHED, level) == pytest.approx(published, abs=5e-4)  # type: ignore[arg-type]


def test_the_published_binary_example_comes_out() -> None:
    assert krippendorff_alpha(BINARY) == pytest.approx(0.095, abs=5e-4)


def test_names_do_as_well_as_numbers_for_nominal_data() -> None:
    named = PUBLISHED.map(lambda x: f"label {x:g}", na_action="ignore").astype(object)
    assert krippendorff_alpha(named) == pytest.approx(krippendorff_alpha(PUBLISHED))
    with pytest.raises(MetricInputError, match="level ordinal compares numbers"):
        krippendorff_alpha(named, "ordinal")


def test_full_agreement_is_one_and_full_disagreement_is_negative() -> None:
    assert krippendorff_alpha(pd.DataFrame({"a": [1, 2, 1], "b": [1, 2, 1]})) == 1.0
    # Two units, always different: observed 1; expected, of the values 1, 2, 2, 1: 8 of 12 ordered pairs differ
    assert krippendorff_alpha(pd.DataFrame({"a": [1, 2], "b": [2, 1]})) == pytest.approx(1 - 1 / (8 / 12))


def test_nothing_to_disagree_about_has_no_alpha() -> None:
    assert np.isnan(krippendorff_alpha(pd.DataFrame({"a": [1, 1], "b": [1, 1]})))
    assert np.isnan(krippendorff_alpha(pd.DataFrame({"a": [1, _], "b": [_, 2]})))
    assert np.isnan(krippendorff_alpha(pd.DataFrame({"a": []})))


ratings = st.lists(
    st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=3, max_size=3), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=50)
@given(ratings, st.randoms(use_true_random=False))
def test_order_of_units_and_annotators_and_names_of_labels_do_not_matter(
    rows: list[list[int | None]], random: object
) -> None:
    table = pd.DataFrame(rows, dtype=object)
    found = krippendorff_alpha(table)
    units = list(range(len(rows)))
    random.shuffle(units)  # type: ignore[attr-defined]
    shuffled = table.iloc[units, ::-1].map(lambda x: "abcd"[x], na_action="ignore")
    assert krippendorff_alpha(shuffled) == pytest.approx(found, nan_ok=True)
    assert np.isnan(found) or found <= 1.0


def test_long_ratings_become_a_table() -> None:
    rows = pd.DataFrame(
        {"text": ["t2", "t1", "t1", "t2"], "who": ["x", "y", "x", "y"], "stance": ["A", "F", "F", None]}
    )
    table = ratings_frame(rows, unit="text", rater="who", label="stance")
    assert table.index.tolist() == ["t1", "t2"]
    assert table.columns.tolist() == ["x", "y"]
    assert table.loc["t1"].tolist() == ["F", "F"]
    assert table.isna().sum().sum() == 1


def test_ratings_that_contradict_themselves_are_refused() -> None:
    rows = pd.DataFrame({"text": ["t", "t"], "who": ["x", "x"], "stance": ["A", "F"]})
    with pytest.raises(MetricInputError, match="'x' judged 't' twice"):
        ratings_frame(rows, unit="text", rater="who", label="stance")
    with pytest.raises(MetricInputError, match="no column rater; there are text, who, stance"):
        ratings_frame(rows, unit="text", rater="rater", label="stance")
