"""Stance from a list of words with a weight each: the plainest baseline, derived from labelled texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metrics.errors import StanceError
from metrics.stance.features import Terms, count_terms, kept_columns, masked
from metrics.stance.learner import Margins, Rows, Task

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_ANALYSER = "words"
_PRIOR = 0.03  # α_w as a share of the word's own count in all texts; about the best on RUW (docs/stance.md)


def log_odds(
    counts: NDArray[np.float64], others: NDArray[np.float64], prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """z-score of each word's log-odds of occurring in one class rather than in the others.

    Positive: the word marks the class; 0: no difference; negative: it marks the others. A rare word stays near
    0 however one-sided, since the prior holds it back and its variance is large.

    Args:
        counts: [words], y_i: occurrences in the class.
        others: [words], occurrences elsewhere.
        prior: [words], α_w > 0: pseudo-counts, in proportion to the frequency in a background.

    Returns:
        [words], ζ_w; about standard normal for a word that makes no difference.

    Source: Monroe, Colaresi & Quinn 2008, "Fightin' Words", Political Analysis 16(4), eqs. 15–22.
    """
    mine, theirs, total = counts + prior, others + prior, prior.sum()
    difference = np.log(mine / (counts.sum() + total - mine)) - np.log(
        theirs / (others.sum() + total - theirs)
    )
    return np.asarray(difference / np.sqrt(1.0 / mine + 1.0 / theirs))


@dataclass(frozen=True, eq=False)
class LexiconModel:
    """Margin = mean weight of a text's words (and word pairs); unknown words count 0, no words give 0.

    Args:
        terms: the words; `idf` is unused and 1.
        weights: [words, k], for every class its z-scores; with two classes one column.
    """

    terms: Terms
    weights: NDArray[np.float64]

    def margins(self, texts: Sequence[str]) -> Margins:
        """Margins of each text."""
        clean = [masked(text) for text in texts]
        return _mean_weight(self.terms.counts(clean), _lengths(clean), self.weights)

    def entries(self, k: int = 20, column: int = 0) -> list[tuple[str, float]]:
        """The `k` words of largest |weight|, with the weight: the lexicon as one would print it."""
        order = np.argsort(-np.abs(self.weights[:, column]), kind="stable")[:k]
        return [(self.terms.names[i], float(self.weights[i, column])) for i in order]


class LexiconLearner:
    """Derives `LexiconModel`s by log-odds with an informative Dirichlet prior.

    The margins are no probabilities before they are calibrated, as every scorer is.

    Source: Monroe et al. 2008 for the weights; their mean over the words of a text as its score is ours.
    """

    name = "lexicon"

    def lesson(self, texts: Sequence[str]) -> _Lesson:
        """Count words and word pairs once."""
        clean = [masked(text) for text in texts]
        counts, names = count_terms(clean, _ANALYSER)
        return _Lesson(counts, names, _lengths(clean))


class _Lesson:
    def __init__(self, counts: csr_matrix, names: NDArray[np.str_], lengths: NDArray[np.float64]) -> None:
        self._counts, self._names, self._lengths = counts, names, lengths

    def held_out(self, task: Task, train: Rows, test: Rows) -> Margins:
        columns, weights = self._fit(task, train)
        return _mean_weight(self._counts[test][:, columns], self._lengths[test], weights)

    def model(self, task: Task) -> LexiconModel:
        columns, weights = self._fit(task, np.arange(len(task.classes)))
        names = tuple(map(str, self._names[columns]))
        return LexiconModel(Terms(_ANALYSER, names, np.ones(len(names))), weights)

    def _fit(self, task: Task, rows: Rows) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        from scipy.sparse import diags_array

        columns = kept_columns(self._counts[rows])
        if not len(columns):
            raise StanceError("texts: no word occurs in two of them; more or longer texts are needed")
        weighted = (diags_array(task.weights[rows]) @ self._counts[rows][:, columns]).tocsr()
        classes = task.classes[rows]
        by_class = np.array(
            [np.asarray(weighted[classes == c].sum(axis=0)).ravel() for c in range(task.n_classes)]
        )
        total = by_class.sum(axis=0)
        marked = range(1, 2) if task.n_classes == 2 else range(task.n_classes)
        z = np.column_stack([log_odds(by_class[c], total - by_class[c], _PRIOR * total) for c in marked])
        return columns, z


def _lengths(clean: Sequence[str]) -> NDArray[np.float64]:
    """Words and word pairs in each text, known or not."""
    counts, _ = count_terms(clean, _ANALYSER)
    return np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()


def _mean_weight(counts: csr_matrix, lengths: NDArray[np.float64], weights: NDArray[np.float64]) -> Margins:
    return np.asarray(counts @ weights) / np.maximum(lengths, 1.0)[:, None]
