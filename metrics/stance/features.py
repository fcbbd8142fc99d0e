"""Texts as TF-IDF vectors over words and character trigrams."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MAX_TERMS = 20_000
MIN_TEXTS = 2

_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HANDLE = re.compile(r"@\w+")

ANALYSERS: dict[str, dict[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)#?\w+"},
    "characters": {"analyzer": "char_wb", "ngram_range": (3, 3)},
}
"""What is counted: words and pairs of words (hashtags apart from plain words), and trigrams within words."""


def masked(text: str) -> str:
    """Lower case without links and handles: whom a text addresses is no stance, and names vary by run."""
    return _HANDLE.sub(" ", _LINK.sub(" ", text)).lower()


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one analyser that a scorer knows.

    Args:
        analyser: key of `ANALYSERS`.
        names: the terms, sorted.
        idf: [len(names)], ln((1 + n) / (1 + df)) + 1.
    """

    analyser: str
    names: tuple[str, ...]
    idf: NDArray[np.float64]

    def vectors(self, masked_texts: Sequence[str]) -> csr_matrix:
        """TF-IDF rows of unit length; a text without any known term gives a row of zeros."""
        return weigh(self.counts(masked_texts), self.idf)

    def counts(self, masked_texts: Sequence[str]) -> csr_matrix:
        """How often each known term occurs, [texts, names]."""
        if not self.names:
            from scipy.sparse import csr_matrix

            return csr_matrix((len(masked_texts), 0), dtype=np.float64)
        return _counter(self.analyser, vocabulary=self.names).transform(masked_texts)


def count_terms(masked_texts: Sequence[str], analyser: str) -> tuple[csr_matrix, NDArray[np.str_]]:
    """Raw counts [texts, terms] of every term that occurs, and the terms in column order (sorted)."""
    from scipy.sparse import csr_matrix

    counter = _counter(analyser)
    try:
        counts = counter.fit_transform(masked_texts)
    except ValueError:  # sklearn's answer when no text holds a single term
        return csr_matrix((len(masked_texts), 0), dtype=np.float64), np.array([], dtype=np.str_)
    return counts.astype(np.float64).tocsr(), counter.get_feature_names_out()


def kept_columns(counts: csr_matrix) -> NDArray[np.intp]:
    """Columns of terms in at least `MIN_TEXTS` texts; of these the `MAX_TERMS` most frequent, in order."""
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    kept = np.flatnonzero(frequency >= MIN_TEXTS)
    if len(kept) > MAX_TERMS:
        kept = np.sort(kept[np.argsort(-frequency[kept], kind="stable")[:MAX_TERMS]])
    return kept


def inverse_frequency(counts: csr_matrix) -> NDArray[np.float64]:
    """ln((1 + n) / (1 + df)) + 1 for each column (smoothed, Spärck Jones 1972)."""
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    return np.asarray(np.log((1 + counts.shape[0]) / (1 + frequency)) + 1.0)


def weigh(counts: csr_matrix, idf: NDArray[np.float64]) -> csr_matrix:
    """(1 + ln count) · idf, each row scaled to unit length; rows without terms stay zero."""
    from scipy.sparse import diags_array

    weights = counts.astype(np.float64).tocsr()
    weights.data = (1.0 + np.log(weights.data)) * idf[weights.indices]
    length = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return (diags_array(scale) @ weights).tocsr()


def _counter(analyser: str, vocabulary: Sequence[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(lowercase=False, vocabulary=vocabulary, **ANALYSERS[analyser])
