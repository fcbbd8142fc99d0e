"""Fitting a stance scorer on what two sides wrote, with users held out to test it."""

from __future__ import annotations

from collections.abc import Sequence
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
from metrics.stance.held_out import held_out_record
from metrics.stance.scorer import StanceScorer

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FOLDS = 5
_PENALTY = 1.0  # sklearn's C, with weights of mean 1 a post
_SLOPES = (0.01, 100.0)


class _Posts(NamedTuple):
    positive: NDArray[np.bool_]
    user: NDArray[np.intp]
    weights: NDArray[np.float64]
    counts: list[tuple[csr_matrix, NDArray[np.str_]]]


class _Model(NamedTuple):
    columns: list[NDArray[np.intp]]
    idf: list[NDArray[np.float64]]
    coefficients: list[NDArray[np.float64]]

    def logits(self, posts: _Posts, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        parts = zip(posts.counts, self.columns, self.idf, self.coefficients, strict=True)
        return sum((weigh(c[rows][:, k], i) @ w for (c, _), k, i, w in parts), np.zeros(len(rows)))


def fit_stance_scorer(
    texts: Sequence[str],
    sides: Sequence[str],
    users: Sequence[str],
    *,
    positive_side: str,
    rng: np.random.Generator,
    folds: int = FOLDS,
) -> StanceScorer:
    """Learn to tell two sides apart by their words.

    Logistic regression on TF-IDF (words, word pairs, character trigrams), without an intercept. Every user
    weighs the same however much they wrote, and both sides weigh the same, so that 0 means "no telling"
    whatever the mix. Users, never single posts, are held out for the record and for the calibration, and
    how certain it may get is bounded by how many users it has seen.

    Args:
        texts: [posts].
        sides: [posts]; exactly two different labels.
        users: [posts]; who wrote it. Each user has one side.
        positive_side: the label that scores above 0.
        rng: deals users into folds; the fit itself has no chance in it.
        folds: parts of the cross-validation, at least 2; no more than users on the smaller side.

    Returns:
        The scorer, fitted on everything, with its held-out record.

    Raises:
        StanceError: lengths that differ, fewer or more than two sides, an unknown `positive_side`, a user
            on both sides, a side with a single user, or texts without any repeated word.

    Source: ours; held out by user because copied texts and personal style would otherwise leak.
    """
    positive, user = _labels(texts, sides, users, positive_side)
    negative_side = next(side for side in sides if side != positive_side)
    fold = _deal(positive if positive_side < negative_side else ~positive, user, folds, rng)
    clean = [masked(text) for text in texts]
    counts = [count_terms(clean, analyser) for analyser in ANALYSERS]
    posts = _Posts(positive, user, _even_weights(positive, user), counts)

    logits = _held_out_logits(posts, fold)
    everything = np.arange(len(clean))
    final = _fit(posts, everything)
    return StanceScorer(
        positive_side=positive_side,
        negative_side=negative_side,
        terms=tuple(
            Terms(analyser, tuple(map(str, names[columns])), idf)
            for analyser, (_, names), columns, idf in zip(
                ANALYSERS, counts, final.columns, final.idf, strict=True
            )
        ),
        coefficients=tuple(final.coefficients),
        slope=_slope(logits, posts, everything),
        held_out=held_out_record(
            _held_out_probability(logits, posts, fold),
            positive,
            user,
            posts.weights,
            shared_texts=_shared_texts(clean, fold),
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
    codes = {who: i for i, who in enumerate(side_of)}
    return np.array([s == positive_side for s in sides]), np.array(
        [codes[who] for who in users], dtype=np.intp
    )


def _deal(
    first: NDArray[np.bool_], user: NDArray[np.intp], folds: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Fold of each post: the users of each side are shuffled and dealt in turn, `first` marking one side."""
    if folds < 2:
        raise StanceError(f"folds: got {folds}; expected at least 2")
    sides = [np.unique(user[first]), np.unique(user[~first])]
    n_folds = min(folds, *map(len, sides))
    of_user = np.zeros(int(user.max()) + 1, dtype=np.intp)
    for members in sides:
        of_user[rng.permutation(members)] = np.arange(len(members)) % n_folds
    return of_user[user]


def _even_weights(positive: NDArray[np.bool_], user: NDArray[np.intp]) -> NDArray[np.float64]:
    """Weights of mean 1 under which users of a side, and both sides, weigh the same."""
    posts_of = np.bincount(user)[user]
    users_of = {side: len(np.unique(user[positive == side])) for side in (True, False)}
    weights = 1.0 / (posts_of * np.where(positive, users_of[True], users_of[False]))
    return np.asarray(weights * (len(weights) / weights.sum()))


def _fit(posts: _Posts, rows: NDArray[np.intp]) -> _Model:
    from scipy.sparse import hstack
    from sklearn.linear_model import LogisticRegression

    chosen = [counts[rows] for counts, _ in posts.counts]
    columns = [kept_columns(counts) for counts in chosen]
    chosen = [counts[:, kept] for counts, kept in zip(chosen, columns, strict=True)]
    if not sum(map(len, columns)):
        raise StanceError("texts: no word occurs in two of them; more or longer texts are needed")
    idf = [inverse_frequency(counts) for counts in chosen]
    vectors = hstack([weigh(counts, i) for counts, i in zip(chosen, idf, strict=True)]).tocsr()
    classifier = LogisticRegression(C=_PENALTY, fit_intercept=False, max_iter=5000)
    classifier.fit(vectors, posts.positive[rows], sample_weight=posts.weights[rows])
    return _Model(columns, idf, np.split(classifier.coef_[0], np.cumsum([len(c) for c in columns])[:-1]))


def _held_out_logits(posts: _Posts, fold: NDArray[np.intp]) -> NDArray[np.float64]:
    logits = np.zeros(len(fold))
    for k in range(fold.max() + 1):
        rows = np.flatnonzero(fold == k)
        logits[rows] = _fit(posts, np.flatnonzero(fold != k)).logits(posts, rows)
    return logits


def _held_out_probability(
    logits: NDArray[np.float64], posts: _Posts, fold: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Each fold is calibrated by the others, so that the record stays held out."""
    probability = np.zeros(len(fold))
    for k in range(fold.max() + 1):
        slope = _slope(logits, posts, np.flatnonzero(fold != k))
        probability[fold == k] = 0.5 + 0.5 * np.tanh(0.5 * slope * logits[fold == k])
    return probability


def _ceiling(positive: NDArray[np.bool_], user: NDArray[np.intp]) -> float:
    """The most certain that n users of the smaller side can make one: (n + 1)/(n + 2), Laplace's rule."""
    n = min(len(np.unique(user[positive])), len(np.unique(user[~positive])))
    return (n + 1) / (n + 2)


def _slope(logits: NDArray[np.float64], posts: _Posts, rows: NDArray[np.intp]) -> float:
    """The factor on held-out logits that makes the log-loss over `rows` least, within `_SLOPES`.

    The truth counts as `_ceiling` instead of 1 (Platt 1999): sides that never mix would otherwise call for an
    endless slope, and every neutral text would land at an extreme.
    """
    from scipy.optimize import minimize_scalar

    signed = np.where(posts.positive, logits, -logits)[rows]
    weights, ceiling = posts.weights[rows], _ceiling(posts.positive, posts.user)

    def loss(log_slope: float) -> float:
        x = np.exp(log_slope) * signed
        return float(np.dot(weights, np.logaddexp(0.0, -x) + (1.0 - ceiling) * x))

    found = minimize_scalar(loss, bounds=np.log(_SLOPES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def _shared_texts(texts: list[str], fold: NDArray[np.intp]) -> float:
    folds_of: dict[str, set[int]] = {}
    for text, k in zip(texts, fold, strict=True):
        folds_of.setdefault(text, set()).add(int(k))
    return sum(len(folds_of[text]) > 1 for text in texts) / len(texts)
