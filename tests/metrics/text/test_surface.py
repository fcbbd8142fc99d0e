from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.text.surface import SURFACE_COLUMNS, is_looping, repeats, surface, type_token_ratio
from metrics.text.words import words
from tests.metrics.text.samples import texts


def test_each_mark_is_seen() -> None:
    frame = surface(["@a go #now", "see https://x.org 😀", "no no no", ""])
    assert frame["words"].tolist() == [3, 3, 3, 0]
    assert frame["mention"].tolist() == frame["hashtag"].tolist() == [True, False, False, False]
    assert frame["link"].tolist() == frame["emoji"].tolist() == [False, True, False, False]
    assert frame["looping"].tolist() == [False, False, True, False]
    assert list(surface([]).columns) == SURFACE_COLUMNS


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("very very good", False),
        ("ha ha ha", True),
        ("start a b a b a b end", True),
        ("a b a b a", False),
        ("one two three four one two three four one two three four", True),
        ("a b c d e a b c d e a b c d e", False),  # a unit of five is a refrain
    ],
)
def test_three_in_a_row_is_a_loop(text: str, loops: bool) -> None:
    assert is_looping(text.split()) is loops


@given(texts, st.integers(1, 6))
def test_type_token_ratio_is_the_mean_over_windows(sample: list[str], window: int) -> None:
    found = [word for text in sample for word in words(text)]
    windows = [found[i : i + window] for i in range(len(found) - window + 1)]
    expected = np.mean([len(set(w)) / window for w in windows]) if windows else float("nan")
    assert type_token_ratio(sample, window) == pytest.approx(expected, nan_ok=True)


def test_too_few_words_have_no_ratio() -> None:
    assert np.isnan(type_token_ratio(["a b c"]))
    with pytest.raises(MetricInputError, match="window: got 0"):
        type_token_ratio(["a"], 0)


def test_repeats_tell_oneself_from_others() -> None:
    frame = repeats(["Hi all", "hi all!", "hi all", "new"], ["x", "x", "y", "y"])
    assert frame["self"].tolist() == [False, True, False, False]
    assert frame["others"].tolist() == [False, False, True, False]
    assert repeats([], []).empty
    with pytest.raises(MetricInputError, match="expected one author a text"):
        repeats(["a"], [])
