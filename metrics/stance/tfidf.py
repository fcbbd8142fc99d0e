"""Stance from weighted words: logistic regression on TF-IDF of words, word pairs and character trigrams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.errors import StanceError
from metrics.stance.features import (
    ANALYSERS,
    Terms,
    count_terms,
    inverse_frequency,
    kept_columns,
    masked,
    weigh,
)
from metrics.stance.learner import Margins, Rows, Task
from metrics.stance.linear import fit_linear

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_PENALTY = 1.0  # sklearn's C, with weights of mean 1 a text


@dataclass(frozen=True, eq=False)
class TfidfModel:
    """Linear in TF-IDF: a text without any known term has the margins of the intercept alone.

    Args:
        terms: known terms, one `Terms` for each analyser.
        coefficients: one [len(names), k] array for each of `terms`.
        intercept: [k].
    """

    terms: tuple[Terms, ...]
    coefficients: tuple[NDArray[np.float64], ...]
    intercept: NDArray[np.float64]

    def margins(self, texts: Sequence[str]) -> Margins:
        """Margins of each text."""
        clean = [masked(text) for text in texts]
        total = np.zeros((len(clean), len(self.intercept))) + self.intercept
        for terms, weights in zip(self.terms, self.coefficients, strict=True):
            total += terms.vectors(clean) @ weights
        return total

    def strongest_terms(self, k: int = 20, column: int = 0) -> tuple[list[str], list[str]]:
        """The `k` words or pairs of words that pull most up, and most down, in a margin; strongest first."""
        words = next(i for i, t in enumerate(self.terms) if t.analyser == "words")
        weights, names = self.coefficients[words][:, column], self.terms[words].names
        order = np.argsort(weights, kind="stable")
        return (
            [names[i] for i in order[::-1][:k] if weights[i] > 0],
            [names[i] for i in order[:k] if weights[i] < 0],
        )


class TfidfLearner:
    """Learns `TfidfModel`s. Vocabulary and idf are learnt from the training part alone.

    Source: TF-IDF after Salton & Buckley 1988; the analysers and the penalty are ours.
    """

    name = "tfidf"

    def lesson(self, texts: Sequence[str]) -> _Lesson:
        """Count every term once."""
        clean = [masked(text) for text in texts]
        return _Lesson([count_terms(clean, analyser) for analyser in ANALYSERS])


class _Fit(NamedTuple):
    columns: list[NDArray[np.intp]]
    idf: list[NDArray[np.float64]]
    coefficients: list[NDArray[np.float64]]
    intercept: NDArray[np.float64]


class _Lesson:
    def __init__(self, counts: list[tuple[csr_matrix, NDArray[np.str_]]]) -> None:
        self._counts = counts

    def held_out(self, task: Task, train: Rows, test: Rows) -> Margins:
        fit = self._fit(task, train)
        parts = zip(self._counts, fit.columns, fit.idf, fit.coefficients, strict=True)
        none = np.zeros((len(test), len(fit.intercept)))
        return sum((weigh(c[test][:, k], i) @ w for (c, _), k, i, w in parts), none) + fit.intercept

    def model(self, task: Task) -> TfidfModel:
        fit = self._fit(task, np.arange(len(task.classes)))
        found = zip(ANALYSERS, self._counts, fit.columns, fit.idf, strict=True)
        terms = tuple(
            Terms(analyser, tuple(map(str, names[columns])), idf)
            for analyser, (_, names), columns, idf in found
        )
        return TfidfModel(terms, tuple(fit.coefficients), fit.intercept)

    def _fit(self, task: Task, rows: Rows) -> _Fit:
        from scipy.sparse import hstack

        chosen = [counts[rows] for counts, _ in self._counts]
        columns = [kept_columns(counts) for counts in chosen]
        chosen = [counts[:, kept] for counts, kept in zip(chosen, columns, strict=True)]
        if not sum(map(len, columns)):
            raise StanceError("texts: no word occurs in two of them; more or longer texts are needed")
        idf = [inverse_frequency(counts) for counts in chosen]
        vectors = hstack([weigh(counts, i) for counts, i in zip(chosen, idf, strict=True)]).tocsr()
        linear = fit_linear(vectors, task, rows, _PENALTY)
        cuts = np.cumsum([len(c) for c in columns])[:-1]
        return _Fit(columns, idf, np.split(linear.coefficients, cuts), linear.intercept)
