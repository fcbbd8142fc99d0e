"""Several scorers as one: a weighted sum of their margins, the weights learnt on texts that none had seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.stance.folds import deal, held_out_margins
from metrics.stance.learner import Learner, Lesson, Margins, Model, Rows, Task, log_probabilities

_INNER_FOLDS = 3
_LEAST = 0.001  # no pool falls silent where nothing can be learnt; the calibration scales the sum anyway


@dataclass(frozen=True, eq=False)
class PooledModel:
    """margins = Σ weightᵢ · marginsᵢ: a logarithmic opinion pool.

    Args:
        models: the members.
        weights: [members], each > 0.
    """

    models: tuple[Model, ...]
    weights: NDArray[np.float64]

    def margins(self, texts: Sequence[str]) -> Margins:
        """Margins of each text."""
        return _pool([model.margins(texts) for model in self.models], self.weights)


class PooledLearner:
    """Stacks learners. Within each training part the weights are fitted by an inner cross-validation.

    Args:
        members: at least two.

    Source: Wolpert 1992 (stacking); Genest & Zidek 1986 (logarithmic pool).
    """

    def __init__(self, members: Sequence[Learner]) -> None:
        self._members = tuple(members)

    @property
    def name(self) -> str:
        """The members' names, joined by a plus."""
        return "+".join(member.name for member in self._members)

    def lesson(self, texts: Sequence[str]) -> _Lesson:
        """Make texts ready for every member."""
        return _Lesson([member.lesson(texts) for member in self._members])


class _Lesson:
    def __init__(self, members: list[Lesson]) -> None:
        self._members = members

    def held_out(self, task: Task, train: Rows, test: Rows) -> Margins:
        weights = self._weights(task, train)
        return _pool([member.held_out(task, train, test) for member in self._members], weights)

    def model(self, task: Task) -> PooledModel:
        weights = self._weights(task, np.arange(len(task.classes)))
        return PooledModel(tuple(member.model(task) for member in self._members), weights)

    def _weights(self, task: Task, rows: Rows) -> NDArray[np.float64]:
        fold = deal(task.classes[rows], task.group[rows], _INNER_FOLDS)
        inner = [held_out_margins(_Part(member, rows), task, fold) for member in self._members]
        return pool_weights(inner, task.classes[rows], task.weights[rows])


class _Part:
    """A lesson seen from some of its rows, which are counted from 0 here."""

    def __init__(self, whole: Lesson, rows: Rows) -> None:
        self._whole, self._rows = whole, rows

    def held_out(self, task: Task, train: Rows, test: Rows) -> Margins:
        return self._whole.held_out(task, self._rows[train], self._rows[test])

    def model(self, task: Task) -> Model:
        return self._whole.model(task)


def pool_weights(
    margins: Sequence[Margins], classes: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The positive weights of members that make the log-loss least.

    Args:
        margins: of each member, on texts that it had not seen.
        classes: [texts], the truth.
        weights: [texts].
    """
    from scipy.optimize import minimize

    truth = np.arange(len(classes)), classes

    def loss(pool: NDArray[np.float64]) -> float:
        return float(-np.average(log_probabilities(_pool(margins, pool))[truth], weights=weights))

    start = np.full(len(margins), 1.0 / len(margins))
    found = minimize(loss, start, bounds=[(_LEAST, None)] * len(margins), method="L-BFGS-B")
    return np.asarray(found.x)


def _pool(margins: Sequence[Margins], weights: NDArray[np.float64]) -> Margins:
    return np.asarray(sum(weight * part for weight, part in zip(weights, margins, strict=True)))
