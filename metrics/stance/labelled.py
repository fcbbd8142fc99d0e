"""Stance towards a target, learnt from texts that people labelled (FAVOR, AGAINST, NONE, …)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.errors import StanceError
from metrics.stance.features import masked
from metrics.stance.folds import FOLDS, codes, deal, held_out_margins, shared_texts
from metrics.stance.label_record import LabelRecord, label_record
from metrics.stance.learner import Learner, Margins, Model, Task, log_probabilities
from metrics.stance.tfidf import TfidfLearner

_SLOPES = (0.01, 100.0)
_BIAS = 10.0


class Calibration(NamedTuple):
    """From margins to probabilities: log p = slope · log-softmax(margins) + bias, then normalised.

    Args:
        slope: > 0.
        bias: [labels]; the first is 0.

    Source: bias-corrected temperature scaling, Alexandari, Kundaje & Shrikumar 2020.
    """

    slope: float
    bias: NDArray[np.float64]

    def probabilities(self, margins: Margins) -> NDArray[np.float64]:
        """[texts, labels], rows summing to 1."""
        return np.exp(log_probabilities(self.slope * log_probabilities(margins) + self.bias))


@dataclass(frozen=True, eq=False)
class LabelledScorer:
    """Probabilities of labels, calibrated to the mix of labels that the training texts have.

    Args:
        labels: sorted.
        shares: [labels], of each among the training texts.
        kind: the name of the learner.
        model: gives margins.
        calibration: fitted on texts that the model had not seen.
        held_out: cross-validated record. Always show it with results.
    """

    labels: tuple[str, ...]
    shares: NDArray[np.float64]
    kind: str
    model: Model
    calibration: Calibration
    held_out: LabelRecord

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[texts, labels], each row summing to 1."""
        if not len(texts):
            return np.zeros((0, len(self.labels)))
        return self.calibration.probabilities(self.model.margins(texts))

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The label of each text: the one whose probability exceeds its share in training most (see `choose`)."""
        return [self.labels[c] for c in choose(self.probabilities(texts), self.shares)]

    def between(self, positive: str, negative: str) -> LabelStance:
        """The stance p(positive) − p(negative) as a `TextScorer`.

        Raises:
            StanceError: a label that there is not, or the same twice.
        """
        check_ends(self.labels, positive, negative)
        return LabelStance(self, positive, negative)


@dataclass(frozen=True, eq=False)
class LabelStance:
    """score = p(positive) − p(negative) ∈ [−1, 1]; 1: certainly in favour; 0: balanced, or neither.

    Args:
        scorer: the fitted scorer.
        positive_side: the label that counts up, such as FAVOR.
        negative_side: the label that counts down, such as AGAINST.
    """

    scorer: LabelledScorer
    positive_side: str
    negative_side: str

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Stance of each text in [−1, 1]."""
        probability = self.scorer.probabilities(texts)
        up, down = (self.scorer.labels.index(label) for label in (self.positive_side, self.negative_side))
        return probability[:, up] - probability[:, down]


def check_ends(labels: Sequence[str], positive: str, negative: str) -> None:
    """Make sure that a stance can lie between two labels.

    Raises:
        StanceError: a label that there is not, or the same twice.
    """
    for label in (positive, negative):
        if label not in labels:
            raise StanceError(f"label {label!r}: expected one of {', '.join(sorted(set(labels)))}")
    if positive == negative:
        raise StanceError(f"label {positive!r} stands at both ends of the stance; name two labels")


def choose(probabilities: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.intp]:
    """[texts]: argmax of p / share, the best answer if all labels were equally frequent.

    Always answering with the most frequent label would be the surer bet text by text, and useless where
    the rare stance is what one looks for; macro-F1 counts all labels the same, and so does this.
    """
    return np.asarray(np.argmax(probabilities / shares, axis=1), dtype=np.intp)


def fit_labelled(
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    rng: np.random.Generator,
    authors: Sequence[str] | None = None,
    folds: int = FOLDS,
    learner: Learner | None = None,
) -> LabelledScorer:
    """Learn labels from texts.

    All labels weigh the same in the fit; probabilities are calibrated to the labels' true mix afterwards, on
    texts that the model had not seen. Texts of one author, or else copies of one text, are held out together.

    Args:
        texts: [n].
        labels: [n]; at least two different ones.
        rng: deals texts into folds; the fit itself has no chance in it.
        authors: [n], who wrote each text; None where unknown.
        folds: parts of the cross-validation, at least 2.
        learner: what kind of scorer; None takes `TfidfLearner`.

    Raises:
        StanceError: lengths that differ, fewer than two labels, a label on the texts of one author alone, or
            texts from which nothing can be learnt.
    """
    if len(texts) != len(labels) or (authors is not None and len(authors) != len(texts)):
        raise StanceError(f"{len(texts)} texts, {len(labels)} labels: expected one label (and author) a text")
    names = tuple(sorted(set(labels)))
    if len(names) < 2:
        raise StanceError(f"labels: got {', '.join(names) or 'none'}; expected at least two different ones")
    classes = np.array([names.index(label) for label in labels], dtype=np.intp)
    count = np.bincount(classes)
    clean = [masked(text) for text in texts]
    group = codes(clean if authors is None else authors)
    fold = deal(classes, group, folds, rng)
    weights = (len(classes) / (len(names) * count))[classes]
    task = Task(classes, len(names), weights, group, neutral=False)
    lesson = (learner := learner or TfidfLearner()).lesson(texts)

    margins = held_out_margins(lesson, task, fold)
    shares = count / len(classes)
    probabilities = np.empty((len(classes), len(names)))
    for k in range(
        int(fold.max()) + 1
    ):  # each fold is calibrated by the others, so that the record stays held out
        others = calibrate(margins[fold != k], classes[fold != k], len(names))
        probabilities[fold == k] = others.probabilities(margins[fold == k])
    return LabelledScorer(
        labels=names,
        shares=shares,
        kind=learner.name,
        model=lesson.model(task),
        calibration=calibrate(margins, classes, len(names)),
        held_out=label_record(
            probabilities,
            choose(probabilities, shares),
            classes,
            names,
            shared_texts=shared_texts(clean, fold),
            n_folds=int(fold.max()) + 1,
        ),
    )


def calibrate(margins: Margins, classes: NDArray[np.intp], n_classes: int) -> Calibration:
    """The calibration that makes the log-loss least, its slope within 0.01 … 100 and its biases within ±10.

    Args:
        margins: of texts that the model had not seen.
        classes: the truth.
        n_classes: labels.
    """
    from scipy.optimize import minimize

    truth = np.arange(len(classes)), classes

    def of(x: NDArray[np.float64]) -> Calibration:
        return Calibration(float(np.exp(x[0])), np.concatenate([[0.0], x[1:]]))

    def loss(x: NDArray[np.float64]) -> float:
        probability = of(x).probabilities(margins)[truth]
        return float(-np.log(np.maximum(probability, 1e-300)).mean())

    bounds = [tuple(np.log(_SLOPES)), *[(-_BIAS, _BIAS)] * (n_classes - 1)]
    return of(minimize(loss, np.zeros(n_classes), bounds=bounds, method="L-BFGS-B").x)


def evaluate(
    scorer: LabelledScorer, texts: Sequence[str], labels: Sequence[str], *, training_texts: Sequence[str] = ()
) -> LabelRecord:
    """The record on a test set of one's own.

    Args:
        scorer: fitted elsewhere.
        texts: [n], at least one.
        labels: [n], each one of the scorer's.
        training_texts: to count the texts that it has seen.

    Raises:
        StanceError: no texts, or a label that the scorer does not know.
    """
    if not len(texts) or len(texts) != len(labels):
        raise StanceError(f"{len(texts)} texts, {len(labels)} labels to test on: expected one label a text")
    if unknown := sorted(set(labels) - set(scorer.labels)):
        raise StanceError(f"label {unknown[0]!r} is not among those learnt: {', '.join(scorer.labels)}")
    probabilities = scorer.probabilities(texts)
    seen = {masked(text) for text in training_texts}
    return label_record(
        probabilities,
        choose(probabilities, scorer.shares),
        np.array([scorer.labels.index(label) for label in labels], dtype=np.intp),
        scorer.labels,
        shared_texts=sum(masked(text) in seen for text in texts) / len(texts),
        n_folds=0,
    )
