from __future__ import annotations

import numpy as np
import pytest

from metrics.stance.features import Terms, count_terms, inverse_frequency, kept_columns, masked, weigh

TEXTS = ["tax cuts now", "no tax cuts", "tax tax", "hope", ""]


def test_links_and_handles_say_nothing() -> None:
    assert masked("@ana See https://t.co/x #Vote WWW.x.org").split() == ["see", "#vote"]


@pytest.mark.filterwarnings("ignore:The parameter 'token_pattern'")
@pytest.mark.parametrize("analyser", ["words", "characters"])
def test_vectors_equal_those_of_scikit_learn(analyser: str) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    from metrics.stance.features import ANALYSERS

    peer = TfidfVectorizer(lowercase=False, min_df=2, sublinear_tf=True, **ANALYSERS[analyser])
    expected = peer.fit_transform(TEXTS).toarray()
    counts, names = count_terms(TEXTS, analyser)
    kept = kept_columns(counts)
    assert names[kept].tolist() == peer.get_feature_names_out().tolist()
    idf = inverse_frequency(counts[:, kept])
    assert np.allclose(weigh(counts[:, kept], idf).toarray(), expected)
    terms = Terms(analyser, tuple(names[kept]), idf)
    assert np.allclose(terms.vectors(["tax hope", ""]).toarray(), peer.transform(["tax hope", ""]).toarray())


def test_texts_without_words_have_no_terms() -> None:
    counts, names = count_terms(["", "  "], "words")
    assert counts.shape == (2, 0)
    assert len(names) == 0
    assert Terms("words", (), np.zeros(0)).vectors(["a"]).shape == (1, 0)


def test_the_most_frequent_terms_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.stance.features.MAX_TERMS", 1)
    counts, names = count_terms(TEXTS, "words")
    assert names[kept_columns(counts)].tolist() == ["tax"]
