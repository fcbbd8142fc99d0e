"""What a way of telling classes of texts apart has to offer, whatever it looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Margins = NDArray[np.float64]
"""[texts, k]: unnormalised log-probabilities of the classes; with two classes k = 1, second over first."""

Rows = NDArray[np.intp]
"""Positions of some of the texts."""


class Task(NamedTuple):
    """What is to be learnt about some texts.

    Args:
        classes: [texts], 0 … n_classes − 1.
        n_classes: at least 2, each with some text.
        weights: [texts], > 0, of mean about 1.
        group: [texts], 0 …; texts of one group (an author, copies of one text) are held out together.
        neutral: whether margin 0 has to mean "no telling" (a stance between two sides), so that nothing is
            learnt of how frequent a class is.
    """

    classes: NDArray[np.intp]
    n_classes: int
    weights: NDArray[np.float64]
    group: NDArray[np.intp]
    neutral: bool


class Model(Protocol):
    """Learnt: reads new texts."""

    def margins(self, texts: Sequence[str]) -> Margins:
        """Margins of each text."""
        ...


class Lesson(Protocol):
    """Texts made ready once (words counted, sentences embedded) to be learnt from many times."""

    def held_out(self, task: Task, train: Rows, test: Rows) -> Margins:
        """Margins of `test` by a model that saw only `train`.

        Raises:
            StanceError: for texts from which nothing can be learnt.
        """
        ...

    def model(self, task: Task) -> Model:
        """The model that saw everything.

        Raises:
            StanceError: for texts from which nothing can be learnt.
        """
        ...


class Learner(Protocol):
    """One kind of stance scorer, before it has seen any text."""

    @property
    def name(self) -> str:
        """For tables, such as `tfidf`."""
        ...

    def lesson(self, texts: Sequence[str]) -> Lesson:
        """Make texts ready."""
        ...


def log_probabilities(margins: Margins) -> NDArray[np.float64]:
    """[texts, classes], natural logarithms, from margins of any number of classes."""
    from scipy.special import log_softmax

    if margins.shape[1] == 1:
        margins = np.column_stack([np.zeros(len(margins)), margins])
    return np.asarray(log_softmax(margins, axis=1))
