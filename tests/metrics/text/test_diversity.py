from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from metrics.errors import MetricInputError
from metrics.text.diversity import compression_ratio, distinct_n, equal_amounts, self_bleu
from metrics.text.words import words
from tests.metrics.text.samples import texts


def test_distinct_counts_different_ngrams_over_all() -> None:
    # bigrams: (a,b) (b,a) (a,b) | (a,b): 2 different of 4; unigrams: 2 of 6
    assert distinct_n(["a b a b", "a b"], 2) == 0.5
    assert distinct_n(["a b a b", "a b"], 1) == pytest.approx(2 / 6)
    assert distinct_n(["a b c"], 1) == 1.0


@pytest.mark.parametrize("measure", [lambda t: distinct_n(t, 2), compression_ratio, self_bleu])
def test_no_text_has_no_diversity(measure: object) -> None:
    assert np.isnan(measure([]))


def test_one_text_or_short_ones_give_nan_where_documented() -> None:
    assert np.isnan(distinct_n(["one", "two"], 2))
    assert np.isnan(self_bleu(["only one text"]))
    assert np.isnan(self_bleu(["one text", "?!"]))
    with pytest.raises(MetricInputError, match="n: got 0"):
        distinct_n(["a"], 0)


@settings(deadline=None)
@given(texts)
def test_self_bleu_is_what_nltk_gives_pair_by_pair(sample: list[str]) -> None:
    split = [words(text) for text in sample if words(text)]
    if len(split) < 2:
        assert np.isnan(self_bleu(sample))
        return
    smoothing = SmoothingFunction().method1
    expected = [
        sentence_bleu(split[:i] + split[i + 1 :], text, smoothing_function=smoothing)
        for i, text in enumerate(split)
    ]
    assert self_bleu(sample) == pytest.approx(np.mean(expected), abs=1e-12)


@given(texts, st.randoms())
def test_order_of_texts_changes_no_count(sample: list[str], random: object) -> None:
    shuffled = list(sample)
    random.shuffle(shuffled)
    assert distinct_n(shuffled, 2) == pytest.approx(distinct_n(sample, 2), nan_ok=True)
    assert self_bleu(shuffled) == pytest.approx(self_bleu(sample), nan_ok=True)


@given(texts)
def test_shares_stay_in_their_range_and_doubling_lowers_diversity(sample: list[str]) -> None:
    for value in (distinct_n(sample, 1), self_bleu(sample)):
        assert np.isnan(value) or 0 <= value <= 1
    if not np.isnan(value := distinct_n(sample, 1)):
        assert distinct_n(sample * 2, 1) == pytest.approx(value / 2)
        assert self_bleu(sample * 2) >= 0


def test_copies_only_have_full_self_bleu_and_strangers_none() -> None:
    assert self_bleu(["a b c d e"] * 3) == pytest.approx(1.0)
    assert self_bleu(["a b c d", "e f g h"]) == 0.0


def test_compression_is_bytes_over_gzip_bytes() -> None:
    sample = ["the same line again"] * 1000
    raw = "\n".join(sample).encode()
    assert compression_ratio(sample) == pytest.approx(len(raw) / len(gzip.compress(raw, 9)))
    assert compression_ratio(sample) > 100
    rng = np.random.default_rng(0)
    varied = [" ".join(map(str, rng.integers(1000, 9999, 5))) for _ in range(1000)]
    assert compression_ratio(varied) < 3


@given(st.dictionaries(st.sampled_from("xyz"), texts), st.integers(0, 100))
def test_equal_amounts_agree_to_within_a_text(sets: dict[str, list[str]], seed: int) -> None:
    drawn = equal_amounts(sets, rng=np.random.default_rng(seed))
    sizes = {name: sum(len(words(t)) for t in those) for name, those in sets.items()}
    amount = min(filter(None, sizes.values()), default=0)
    for name, those in drawn.items():
        taken = sum(len(words(t)) for t in those)
        assert taken <= amount
        assert sizes[name] == 0 or taken > amount - 13  # no text has more than 12 words
        assert not set(those) - set(sets[name])


def test_a_set_too_small_stays_out_and_cuts_nobody() -> None:
    sets = {"tiny": ["a"], "few": ["a b"] * 10, "many": ["c d"] * 100}
    drawn = equal_amounts(sets, rng=np.random.default_rng(0), least_words=5)
    assert [len(drawn[name]) for name in sets] == [0, 10, 10]


def test_equal_sets_stay_equal() -> None:
    sets = {"one": list("abcdefgh"), "same": list("abcdefgh"), "few": ["x y z"]}
    drawn = equal_amounts(sets, rng=np.random.default_rng(0))
    assert drawn["one"] == drawn["same"]


def test_equal_amounts_are_bounded_and_reproducible() -> None:
    sets = {"few": ["a b"] * 10, "many": ["c d"] * 100, "none": []}
    first, again = (equal_amounts(sets, rng=np.random.default_rng(1), most_words=12) for _ in range(2))
    assert first == again == {"few": ["a b"] * 6, "many": ["c d"] * 6, "none": []}
