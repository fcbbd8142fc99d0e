"""Fitting a stance scorer on what two sides wrote, with users held out to test it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.errors import StanceError
from metrics.stance.features import masked
from metrics.stance.folds import FOLDS, codes, deal, held_out_margins, shared_texts
from metrics.stance.held_out import held_out_record
from metrics.stance.learner import Learner, Task
from metrics.stance.scorer import StanceScorer
from metrics.stance.tfidf import TfidfLearner

_SLOPES = (0.01, 100.0)


def fit_stance_scorer(
    texts: Sequence[str],
    sides: Sequence[str],
    users: Sequence[str],
    *,
    positive_side: str,
    rng: np.random.Generator,
    folds: int = FOLDS,
    learner: Learner | None = None,
) -> StanceScorer:
    """Learn to tell two sides apart by their words.

    Every user weighs the same however much they wrote, and both sides weigh the same, so that 0 means "no
    telling" whatever the mix. Users, never single posts, are held out for the record and for the
    calibration, and how certain it may get is bounded by how many users it has seen.

    Args:
        texts: [posts].
        sides: [posts]; exactly two different labels.
        users: [posts]; who wrote it. Each user has one side.
        positive_side: the label that scores above 0.
        rng: deals users into folds; the fit itself has no chance in it.
        folds: parts of the cross-validation, at least 2; no more than users on the smaller side.
        learner: what kind of scorer; None takes `TfidfLearner`, without an intercept.

    Returns:
        The scorer, fitted on everything, with its held-out record.

    Raises:
        StanceError: lengths that differ, fewer or more than two sides, an unknown `positive_side`, a user
            on both sides, a side with a single user, or texts without any repeated word.

    Source: ours; held out by user because copied texts and personal style would otherwise leak.
    """
    positive, user = _labels(texts, sides, users, positive_side)
    negative_side = next(side for side in sides if side != positive_side)
    in_order = positive if positive_side > negative_side else ~positive  # the same deal whichever is positive
    fold = deal(in_order.astype(np.intp), user, folds, rng)
    task = Task(positive.astype(np.intp), 2, _even_weights(positive, user), user, neutral=True)
    lesson = (learner := learner or TfidfLearner()).lesson(texts)

    margins = held_out_margins(lesson, task, fold)[:, 0]
    return StanceScorer(
        positive_side=positive_side,
        negative_side=negative_side,
        kind=learner.name,
        model=lesson.model(task),
        slope=_slope(margins, task, np.arange(len(texts))),
        held_out=held_out_record(
            _held_out_probability(margins, task, fold),
            positive,
            user,
            task.weights,
            shared_texts=shared_texts([masked(text) for text in texts], fold),
            n_folds=int(fold.max()) + 1,
        ),
    )


def _labels(
    texts: Sequence[str], sides: Sequence[str], users: Sequence[str], positive_side: str
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    if not len(texts) == len(sides) == len(users):
        raise StanceError(
            f"{len(texts)} texts, {len(sides)} sides, {len(users)} users; expected one of each a post"
        )
    found = sorted(set(sides))
    if len(found) != 2:
        raise StanceError(f"sides: got {found or 'none'}; a stance lies between exactly two sides")
    if positive_side not in found:
        raise StanceError(f"positive_side: got {positive_side!r}; expected one of {', '.join(found)}")
    side_of: dict[str, str] = {}
    for who, side in zip(users, sides, strict=True):
        if side_of.setdefault(who, side) != side:
            raise StanceError(
                f"user {who!r} is on both sides; give every user one side or leave the user out"
            )
    for side in found:
        n = sum(s == side for s in side_of.values())
        if n < 2:
            raise StanceError(
                f"side {side!r} has {n} user; at least 2 are needed so that one can be held out"
            )
    return np.array([s == positive_side for s in sides]), codes(users)


def _even_weights(positive: NDArray[np.bool_], user: NDArray[np.intp]) -> NDArray[np.float64]:
    """Weights of mean 1 under which users of a side, and both sides, weigh the same."""
    posts_of = np.bincount(user)[user]
    users_of = {side: len(np.unique(user[positive == side])) for side in (True, False)}
    weights = 1.0 / (posts_of * np.where(positive, users_of[True], users_of[False]))
    return np.asarray(weights * (len(weights) / weights.sum()))


def _held_out_probability(
    margins: NDArray[np.float64], task: Task, fold: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Each fold is calibrated by the others, so that the record stays held out."""
    probability = np.zeros(len(fold))
    for k in range(fold.max() + 1):
        slope = _slope(margins, task, np.flatnonzero(fold != k))
        probability[fold == k] = 0.5 + 0.5 * np.tanh(0.5 * slope * margins[fold == k])
    return probability


def _ceiling(task: Task) -> float:
    """The most certain that n users of the smaller side can make one: (n + 1)/(n + 2), Laplace's rule."""
    n = min(len(np.unique(task.group[task.classes == side])) for side in (0, 1))
    return (n + 1) / (n + 2)


def _slope(margins: NDArray[np.float64], task: Task, rows: NDArray[np.intp]) -> float:
    """The factor on held-out margins that makes the log-loss over `rows` least, within `_SLOPES`.

    The truth counts as `_ceiling` instead of 1 (Platt 1999): sides that never mix would otherwise call for an
    endless slope, and every neutral text would land at an extreme.
    """
    from scipy.optimize import minimize_scalar

    signed = np.where(task.classes == 1, margins, -margins)[rows]
    weights, ceiling = task.weights[rows], _ceiling(task)

    def loss(log_slope: float) -> float:
        x = np.exp(log_slope) * signed
        return float(np.dot(weights, np.logaddexp(0.0, -x) + (1.0 - ceiling) * x))

    found = minimize_scalar(loss, bounds=np.log(_SLOPES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))
