"""How far a scorer of labels can be trusted: its record on texts that it had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.stance.held_out import calibration_error


@dataclass(frozen=True, slots=True)
class LabelScores:
    """One label's part of a record.

    Args:
        label: its name.
        precision: share of the texts given this label that bear it; 0 where none was given it.
        recall: share of the texts that bear it that were given it; 0 where none bears it.
        f1: their harmonic mean.
        n: texts that bear it.
    """

    label: str
    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """Record on unseen texts.

    Args:
        macro_f1: mean of the labels' F1, each label counting the same. 1 perfect; a constant answer among K
            equally frequent labels gives 2/(K(K + 1)).
        accuracy: share of texts given the right label.
        majority: accuracy of always giving the most frequent label.
        brier: mean of Σ_label (p − truth)². 0 perfect, 2 certain and wrong; p = 1/K everywhere gives 1 − 1/K.
        ece: expected calibration error of each label's p over ten equal bins, mean of the labels. 0 perfect.
        labels: one entry a label.
        n_texts: texts scored.
        shared_texts: share of them whose very words stood among the training texts, too.
        n_folds: parts of the cross-validation; 0 where the texts were a set of their own.

    Source: Brier 1950 (sum over labels); class-wise ECE as in Kull et al. 2019.
    """

    macro_f1: float
    accuracy: float
    majority: float
    brier: float
    ece: float
    labels: tuple[LabelScores, ...]
    n_texts: int
    shared_texts: float
    n_folds: int

    @property
    def summary(self) -> str:
        """The main figures in one line."""
        return (
            f"macro-F1 {self.macro_f1:.3f}, accuracy {self.accuracy:.3f} of {self.n_texts} unseen texts "
            f"(constant answer {self.majority:.3f}), Brier {self.brier:.3f}, calibration error {self.ece:.3f}"
        )


def label_record(
    probabilities: NDArray[np.float64],
    given: NDArray[np.intp],
    truth: NDArray[np.intp],
    labels: Sequence[str],
    *,
    shared_texts: float,
    n_folds: int,
) -> LabelRecord:
    """Summarise predictions.

    Args:
        probabilities: [texts, labels], from a model that did not see the text.
        given: [texts], the label given.
        truth: [texts].
        labels: names.
        shared_texts: share of texts with a twin in training.
        n_folds: parts of the cross-validation, or 0.
    """
    from sklearn.metrics import precision_recall_fscore_support

    every = np.arange(len(labels))
    precision, recall, f1, n = precision_recall_fscore_support(truth, given, labels=every, zero_division=0.0)
    hit, even = truth[:, None] == every, np.ones(len(truth))
    return LabelRecord(
        macro_f1=float(np.mean(f1)),
        accuracy=float(np.mean(given == truth)),
        majority=float(np.max(n) / len(truth)),
        brier=float(np.mean(((probabilities - hit) ** 2).sum(axis=1))),
        ece=float(np.mean([calibration_error(probabilities[:, c], hit[:, c], even) for c in every])),
        labels=tuple(
            LabelScores(label, float(p), float(r), float(f), int(count))
            for label, p, r, f, count in zip(labels, precision, recall, f1, n, strict=True)
        ),
        n_texts=len(truth),
        shared_texts=shared_texts,
        n_folds=n_folds,
    )
