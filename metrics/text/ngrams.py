"""Texts as TF-IDF vectors over characters and words, for telling styles apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics.errors import MetricInputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HANDLE = re.compile(r"@\w+")

ANALYSERS: dict[str, dict[str, Any]] = {
    "characters": {"analyzer": "char", "ngram_range": (2, 4), "max_features": 50_000},
    "words": {
        "analyzer": "word",
        "ngram_range": (1, 2),
        "token_pattern": r"(?u)#?\w+|[^\w\s]",
        "max_features": 30_000,
    },
}
"""Runs of 2–4 characters, case kept; words and pairs of words, punctuation marks being words. The most
frequent so many."""


def masked(text: str) -> str:
    """A space at both ends; links become `http` and handles `@`: that one is there is style, which is not."""
    return f" {_HANDLE.sub('@', _LINK.sub('http', text))} "


@dataclass(frozen=True)
class NgramVectors:
    """TF-IDF with the terms and weights of the texts it was fitted on (`fit_ngrams`)."""

    vectorisers: tuple[Any, ...]

    def vectors(self, texts: Sequence[str]) -> csr_matrix:
        """[texts, terms], rows of length 1; a text without any known term gives zeros, no text no rows."""
        from scipy.sparse import csr_matrix, hstack
        from sklearn.preprocessing import normalize

        if not texts:
            terms = sum(len(vectoriser.vocabulary_) for vectoriser in self.vectorisers)
            return csr_matrix((0, terms), dtype=np.float32)
        clean = [masked(text) for text in texts]
        return normalize(hstack([v.transform(clean) for v in self.vectorisers]).tocsr())


def fit_ngrams(texts: Sequence[str], analysers: Sequence[str] = tuple(ANALYSERS)) -> NgramVectors:
    """Learn terms and inverse document frequencies.

    Args:
        texts: at least one that is not blank.
        analysers: keys of `ANALYSERS`; their terms stand side by side.

    Raises:
        MetricInputError: for no text.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    clean = [masked(text) for text in texts if text.strip()]
    if not clean:
        raise MetricInputError("texts: none that is not blank; n-grams need at least one")
    made = [
        TfidfVectorizer(sublinear_tf=True, lowercase=name == "words", dtype=np.float32, **ANALYSERS[name])
        for name in analysers
    ]
    return NgramVectors(tuple(vectoriser.fit(clean) for vectoriser in made))
