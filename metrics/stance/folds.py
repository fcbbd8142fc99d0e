"""Cross-validation in which whole groups of texts are held out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.errors import StanceError
from metrics.stance.learner import Lesson, Margins, Task

FOLDS = 5


def deal(
    classes: NDArray[np.intp],
    group: NDArray[np.intp],
    folds: int,
    rng: np.random.Generator | None = None,
) -> NDArray[np.intp]:
    """Fold of each text: the groups of each class are shuffled and dealt in turn.

    Args:
        classes: [texts]; a group belongs to the class of its first text.
        group: [texts], 0 …
        folds: at least 2; no more than groups of the smallest class.
        rng: shuffles; None deals the groups in their order.

    Returns:
        [texts], 0 … folds − 1; every fold holds some of every class.

    Raises:
        StanceError: fewer than two folds asked for, or a class with a single group.
    """
    if folds < 2:
        raise StanceError(f"folds: got {folds}; expected at least 2")
    groups, first = np.unique(group, return_index=True)
    members = [groups[classes[first] == c] for c in np.unique(classes)]
    n_folds = min(folds, *map(len, members))
    if n_folds < 2:
        raise StanceError(
            "labels: a label stands on texts of a single author (or copies of one text) and cannot be held out; "
            "label more texts, or leave that label out"
        )
    of_group = np.zeros(int(group.max()) + 1, dtype=np.intp)
    for own in members:
        of_group[own if rng is None else rng.permutation(own)] = np.arange(len(own)) % n_folds
    return of_group[group]


def held_out_margins(lesson: Lesson, task: Task, fold: NDArray[np.intp]) -> Margins:
    """Margins of every text by a model that saw none of its fold."""
    parts = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(int(fold.max()) + 1)]
    found = [lesson.held_out(task, train, test) for train, test in parts]
    margins = np.empty((len(fold), found[0].shape[1]))
    for (_, test), values in zip(parts, found, strict=True):
        margins[test] = values
    return margins


def codes(names: Sequence[Hashable]) -> NDArray[np.intp]:
    """Numbers 0 … in order of first appearance, equal for equal names."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.intp)


def shared_texts(texts: Sequence[str], fold: NDArray[np.intp]) -> float:
    """Share of texts whose very words stand in another fold, too; 0 none, 1 all."""
    folds_of: dict[str, set[int]] = {}
    for text, k in zip(texts, fold, strict=True):
        folds_of.setdefault(text, set()).add(int(k))
    return sum(len(folds_of[text]) > 1 for text in texts) / len(texts)
