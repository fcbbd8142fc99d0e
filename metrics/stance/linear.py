"""Logistic regression on vectors of any kind, in the two forms that stance needs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.stance.learner import Margins, Rows, Task


class Linear(NamedTuple):
    """margins = vectors · coefficients + intercept.

    Args:
        coefficients: [d, k].
        intercept: [k]; zeros where margin 0 has to mean "no telling".
    """

    coefficients: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def margins(self, vectors: Any) -> Margins:
        """Of [n, d] vectors, dense or sparse."""
        return np.asarray(vectors @ self.coefficients + self.intercept)


def fit_linear(vectors: Any, task: Task, rows: Rows, penalty: float) -> Linear:
    """L2-regularised (multinomial) logistic regression.

    Args:
        vectors: [len(rows), d], dense or sparse.
        task: classes and weights; `neutral` leaves the intercept out.
        rows: which of the task's texts the vectors are.
        penalty: sklearn's C: the larger, the weaker the penalty.
    """
    from sklearn.linear_model import LogisticRegression

    classifier = LogisticRegression(C=penalty, fit_intercept=not task.neutral, max_iter=5000)
    classifier.fit(vectors, task.classes[rows], sample_weight=task.weights[rows])
    coefficients = np.asarray(classifier.coef_, dtype=np.float64).T
    return Linear(coefficients, np.zeros(coefficients.shape[1]) + classifier.intercept_)
