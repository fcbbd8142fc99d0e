"""How far a stance scorer can be trusted: its record on users whom it had not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_BINS = 10


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Cross-validated record; every user is held out once, with all of their posts.

    Args:
        accuracy_post: share of posts on the right side of 0. 1 all, 0.5 blind guessing between equal sides.
        accuracy_user: share of users whose mean score is on the right side of 0 (a mean of 0 is wrong).
        majority_user: share of users on the larger side, what a constant answer would reach.
        recall_positive: share of the positive side's users that are told; a bias between the sides shows as
            a difference from `recall_negative`.
        recall_negative: the same for the negative side.
        brier: mean squared error of p, users and sides weighing the same. 0 perfect, 0.25 if always p = ½.
        ece: expected calibration error over ten equal bins of p, weighted likewise. 0 perfect, at most 1.
        shared_texts: share of held-out posts whose very text stands in the training users' posts too. Copied
            campaigns make the accuracies look better than they would be on new words.
        n_posts: posts scored.
        n_users: users held out.
        n_folds: parts of the cross-validation.

    Source: Brier 1950; ECE as in Guo et al. 2017; the weighting is ours.
    """

    accuracy_post: float
    accuracy_user: float
    majority_user: float
    recall_positive: float
    recall_negative: float
    brier: float
    ece: float
    shared_texts: float
    n_posts: int
    n_users: int
    n_folds: int

    @property
    def summary(self) -> str:
        """The main figures in one line."""
        return (
            f"held-out accuracy {self.accuracy_user:.3f} of {self.n_users} users "
            f"(constant answer {self.majority_user:.3f}), {self.accuracy_post:.3f} of {self.n_posts} posts, "
            f"Brier {self.brier:.3f}, calibration error {self.ece:.3f}"
        )


def held_out_record(
    probability: NDArray[np.float64],
    positive: NDArray[np.bool_],
    user: NDArray[np.intp],
    weights: NDArray[np.float64],
    *,
    shared_texts: float,
    n_folds: int,
) -> HeldOut:
    """Summarise held-out predictions.

    Args:
        probability: [posts], p of the positive side from a model that did not see the post's user.
        positive: [posts], the truth.
        user: [posts], 0 … users − 1, each with one side.
        weights: [posts], so that every user, and in sum every side, weighs the same.
        shared_texts: share of held-out posts with a twin in training.
        n_folds: parts of the cross-validation.
    """
    score = 2.0 * probability - 1.0
    mean = np.bincount(user, weights=score) / np.bincount(user)
    user_positive = np.bincount(user, weights=positive) > 0
    told = np.where(user_positive, mean > 0, mean < 0)
    share = float(user_positive.mean())
    return HeldOut(
        accuracy_post=float(np.mean(np.where(positive, score > 0, score < 0))),
        accuracy_user=float(told.mean()),
        majority_user=max(share, 1.0 - share),
        recall_positive=float(told[user_positive].mean()),
        recall_negative=float(told[~user_positive].mean()),
        brier=float(np.average((probability - positive) ** 2, weights=weights)),
        ece=calibration_error(probability, positive, weights),
        shared_texts=shared_texts,
        n_posts=len(probability),
        n_users=len(mean),
        n_folds=n_folds,
    )


def calibration_error(
    probability: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[np.float64]
) -> float:
    """Expected calibration error: mean distance between p and what happened, over ten equal bins of p.

    0: among texts given p, a share p is positive; 1: certain and always wrong.

    Args:
        probability: [n] in [0, 1].
        positive: [n], the truth.
        weights: [n], ≥ 0.

    Returns:
        In [0, 1]; NaN without any weight.

    Source: Naeini et al. 2015; Guo et al. 2017.
    """
    total = float(weights.sum())
    if total == 0.0:
        return float("nan")
    bins = np.minimum((probability * N_BINS).astype(np.intp), N_BINS - 1)
    gap = np.bincount(bins, weights=weights * (probability - positive), minlength=N_BINS)
    return float(np.abs(gap).sum()) / total
