"""Trying stance scorers on labelled texts: fit each kind, take its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from metrics.errors import StanceError
from metrics.stance import (
    LabelledScorer,
    LabelRecord,
    StanceScorer,
    TextKind,
    evaluate,
    fit_labelled,
    fit_stance_scorer,
    learner,
)
from metrics.stance.learner import Learner
from sim.labelled_texts import LabelledTexts
from sim.progress import Watcher
from sim.rng import generator
from sim.stance import base_as_judge

if TYPE_CHECKING:
    from agents.stance import StanceQuestion

Kind = Literal[TextKind, "language_model"]
KINDS: tuple[str, ...] = (*get_args(TextKind), "language_model")


class Asking(NamedTuple):
    """How a language model is asked; for the kind `language_model` alone.

    Args:
        base: profile name or model folder.
        question: stands before the text.
        answers: label → word; labels left out answer with themselves, in lower case.
    """

    base: str
    question: str
    answers: Mapping[str, str]


class Trial(NamedTuple):
    """One kind of scorer on one set of labelled texts.

    Args:
        kind: the scorer's name.
        held_out: cross-validated on the training texts.
        test: on the test texts, or None where there are none.
        scorer: fitted on all training texts.
        toy: whether a toy base judged.
    """

    kind: str
    held_out: LabelRecord
    test: LabelRecord | None
    scorer: LabelledScorer
    toy: bool


class SideTrial(NamedTuple):
    """One kind of scorer on the posts of two sides, users held out."""

    scorer: StanceScorer
    toy: bool


def try_labels(
    kind: Kind,
    train: LabelledTexts,
    test: LabelledTexts | None,
    *,
    asking: Asking,
    folds: int,
    seed: int,
    watcher: Watcher,
) -> Trial:
    """Fit one kind on labelled texts.

    Raises:
        StanceError, EmbeddingError, JudgementError, BaseModelError: as its parts.
    """
    labels = sorted(set(train.labels))
    chosen, toy = _learner(kind, labels, asking, watcher)
    scorer = fit_labelled(
        train.texts,
        train.labels,
        authors=train.users,
        rng=generator(seed, "stance trial"),
        folds=folds,
        learner=chosen,
    )
    tested = test if test is None else evaluate(scorer, test.texts, test.labels, training_texts=train.texts)
    return Trial(kind, scorer.held_out, tested, scorer, toy)


def try_sides(
    kind: Kind,
    posts: LabelledTexts,
    positive: str,
    *,
    asking: Asking,
    folds: int,
    seed: int,
    watcher: Watcher,
) -> SideTrial:
    """Fit one kind on the posts of two sides.

    Raises:
        As `try_labels`.
    """
    if posts.users is None:
        raise StanceError("users: not known; name the column of the author, since users are held out whole")
    negative = sorted(set(posts.labels) - {positive})
    chosen, toy = _learner(kind, [*negative, positive], asking, watcher)
    scorer = fit_stance_scorer(
        posts.texts,
        posts.labels,
        posts.users,
        positive_side=positive,
        rng=generator(seed, "stance trial"),
        folds=folds,
        learner=chosen,
    )
    return SideTrial(scorer, toy)


def _learner(kind: Kind, labels: Sequence[str], asking: Asking, watcher: Watcher) -> tuple[Learner, bool]:
    if kind != "language_model":
        return learner(kind), False
    from adapters.bases.loader import load_base

    base = load_base(asking.base)
    return base_as_judge(base, _question(labels, asking), on_progress=_Bar(watcher).told), base.is_toy


def _question(labels: Sequence[str], asking: Asking) -> StanceQuestion:
    from agents.stance import StanceQuestion

    if strangers := sorted(set(asking.answers) - set(labels)):
        raise StanceError(f"answer of {strangers[0]!r}: no such label; there are {', '.join(labels)}")
    return StanceQuestion(
        asking.question, {label: asking.answers.get(label, label.lower()) for label in labels}
    )


class _Bar:
    """One bar for each pass of a judge over texts."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher, self._passes, self._open = watcher, 0, False

    def told(self, done: int, total: int) -> None:
        if not self._open:
            self._passes += 1
            self._watcher.begin(self._task, total)
        self._watcher.advance(self._task, done)
        self._open = done < total

    @property
    def _task(self) -> str:
        return f"asking the base, pass {self._passes}"
