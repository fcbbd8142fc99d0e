from __future__ import annotations

import numpy as np
import pytest

from metrics.errors import MetricInputError
from metrics.text.ngrams import fit_ngrams, masked


def test_handles_and_links_are_seen_but_not_read() -> None:
    assert masked("@ann see https://t.co/abc") == " @ see http "
    vectors = fit_ngrams(["@ann see https://t.co/abc", "other words"]).vectors(
        ["@bob see http://t.co/1", "@ann see https://t.co/abc"]
    )
    assert np.array_equal(vectors[0].toarray(), vectors[1].toarray())


def test_rows_have_length_one_or_no_term() -> None:
    fitted = fit_ngrams(["Good morning", "good night"], ["words"])
    vectors = fitted.vectors(["good morning!", "night", "ъъъ"]).toarray()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 0], abs=1e-6)


def test_case_counts_for_characters_alone() -> None:
    upper, lower = ["GOOD"], ["good"]
    characters, words = (fit_ngrams(["GOOD", "good"], [name]) for name in ("characters", "words"))
    assert (characters.vectors(upper) != characters.vectors(lower)).nnz > 0
    assert (words.vectors(upper) != words.vectors(lower)).nnz == 0


def test_without_text_there_is_nothing_to_learn() -> None:
    with pytest.raises(MetricInputError, match="none that is not blank"):
        fit_ngrams([" ", ""])
