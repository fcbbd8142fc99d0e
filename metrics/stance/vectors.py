"""Stance from sentence embeddings: logistic regression on the likeness of a text to landmark texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.stance.features import masked
from metrics.stance.learner import Margins, Rows, Task
from metrics.stance.linear import Linear, fit_linear

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to [n, d], rows of length 1."""

LANDMARKS = 600
_GAMMA = 2.0  # γ and C: the best macro-F1 of a cross-validation on the RUW training texts (docs/stance.md)
_PENALTY = 3.0


@dataclass(frozen=True, eq=False)
class VectorModel:
    """Linear in exp(−γ·distance²) to landmarks, centred so that an average text has margin 0 when neutral.

    Args:
        embed: the embedding.
        likeness: [n, d] vectors to [n, landmarks].
        centre: [landmarks].
        linear: on the centred likenesses.
    """

    embed: Embed
    likeness: Callable[[NDArray[np.float32]], NDArray[np.float64]]
    centre: NDArray[np.float64]
    linear: Linear

    def margins(self, texts: Sequence[str]) -> Margins:
        """Margins of each text."""
        if not len(texts):
            return np.zeros((0, len(self.linear.intercept)))
        return self.of_vectors(self.embed([masked(text) for text in texts]))

    def of_vectors(self, vectors: NDArray[np.float32]) -> Margins:
        """Margins of texts embedded already."""
        return self.linear.margins(self.likeness(vectors) - self.centre)


class VectorLearner:
    """Learns `VectorModel`s on any sentence embedding.

    A Gaussian kernel, since linear directions of a sentence embedding are topics more than stances; the
    Nyström map keeps it as cheap as a linear model.

    Args:
        embed: the embedding, such as `metrics.text.embeddings.load_minilm().embed`.
        name: for tables, such as `minilm`.

    Source: Williams & Seeger 2001 (Nyström); landmarks spread evenly over the training texts are ours.
    """

    def __init__(self, embed: Embed, name: str = "minilm") -> None:
        self._embed, self._name = embed, name

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    def lesson(self, texts: Sequence[str]) -> _Lesson:
        """Embed every text once."""
        return _Lesson(self._embed, self._embed([masked(text) for text in texts]))


class _Lesson:
    def __init__(self, embed: Embed, vectors: NDArray[np.float32]) -> None:
        self._embed, self._vectors = embed, vectors

    def held_out(self, task: Task, train: Rows, test: Rows) -> Margins:
        return self._fit(task, train).of_vectors(self._vectors[test])

    def model(self, task: Task) -> VectorModel:
        return self._fit(task, np.arange(len(task.classes)))

    def _fit(self, task: Task, rows: Rows) -> VectorModel:
        vectors = self._vectors[rows]
        likeness = _nystroem(vectors)
        features = likeness(vectors)
        centre = np.average(features, axis=0, weights=task.weights[rows])
        linear = fit_linear(features - centre, task, rows, _PENALTY)
        return VectorModel(self._embed, likeness, centre, linear)


def _nystroem(vectors: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    from sklearn.kernel_approximation import Nystroem

    distinct = np.unique(vectors, axis=0)
    landmarks = distinct[np.unique(np.linspace(0, len(distinct) - 1, LANDMARKS).astype(np.intp))]
    # All landmarks are taken, so that the seed settles no more than their order.
    found: Any = Nystroem(gamma=_GAMMA, n_components=len(landmarks), random_state=0).fit(landmarks)
    return found.transform  # type: ignore[no-any-return]
