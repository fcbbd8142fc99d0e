"""From scored texts and likes to the stance of each user."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from metrics.content import COMMENT, content_frame
from metrics.engagement import DISLIKE, LIKE, engagements
from metrics.errors import MetricInputError
from metrics.posts import POST, QUOTE, REPOST, own_words
from metrics.stance.scorer import TextScorer

SEED = "seed"
EVIDENCE_COLUMNS = ["user_id", "step", "kind", "post_id", "stance"]


@dataclass(frozen=True, slots=True)
class StanceWeights:
    """What each thing that a user did counts in the user's stance; numbers ≥ 0 without unit.

    Args:
        post: a post of one's own.
        quote: the words added to a shared post.
        comment: a comment.
        repost: a shared post, at the stance of the shared words.
        like: a like, at the stance of the liked post's words.
        dislike: a dislike, at minus the stance of the disliked post's words.
        seed: anything of step 0. Seeds are the same in all conditions: counting them would pull every
            comparison towards "no difference", so by default only what users did counts.

    Source: that likes count at the liked post's stance is ours, and so are all default weights.
    """

    post: float = 1.0
    quote: float = 1.0
    comment: float = 1.0
    repost: float = 0.5
    like: float = 0.5
    dislike: float = 0.0
    seed: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise MetricInputError(
                    f"stance weight {field.name}: got {value}; expected a finite number ≥ 0"
                )

    @classmethod
    def seeds_only(cls) -> StanceWeights:
        """Step 0 alone: where users stood before they acted."""
        return cls(post=0.0, quote=0.0, comment=0.0, repost=0.0, like=0.0, dislike=0.0, seed=1.0)


def stance_evidence(
    posts: pd.DataFrame,
    comments: pd.DataFrame,
    likes: pd.DataFrame,
    dislikes: pd.DataFrame,
    scorer: TextScorer,
) -> pd.DataFrame:
    """Everything that speaks about a user's stance, each different text scored once.

    Likes and dislikes of one's own posts are left out, as are rows without text.

    Args:
        posts: the whole post table.
        comments: the comment table.
        likes: `user_id, post_id, created_at`.
        dislikes: the same.
        scorer: gives texts a stance.

    Returns:
        Columns `user_id`, `step`, `kind` (`post`, `quote`, `repost`, `comment`, `like`, `dislike`, or `seed`
        for anything of step 0), `post_id`, `stance` ∈ [−1, 1] (a dislike's is minus the post's).

    Source: ours.
    """
    said = content_frame(posts, comments)
    words = own_words(posts)
    marks = engagements(posts, comments, likes, dislikes, kinds=(LIKE, DISLIKE))
    marks = marks.assign(text=marks["post_id"].map(words).astype(str))
    parts = [part for part in (said, marks[marks["text"].str.strip() != ""]) if len(part)]
    if not parts:
        return pd.DataFrame(columns=EVIDENCE_COLUMNS)
    rows = pd.concat(parts, ignore_index=True)
    codes, texts = pd.factorize(rows["text"])
    stance = scorer.score(list(texts))[codes]
    rows["stance"] = np.where(rows["kind"] == DISLIKE, -stance, stance)
    rows["kind"] = rows["kind"].where(rows["step"] > 0, SEED)
    return rows[EVIDENCE_COLUMNS]


def user_stance(evidence: pd.DataFrame, users: pd.Index, weights: StanceWeights) -> pd.Series[float]:
    """Stance of each user: weighted mean over everything the user said and liked.

    1: all at the positive end; 0: balanced or neutral; negative: towards the other side.

    Args:
        evidence: rows of `stance_evidence`.
        users: everybody.
        weights: what each kind counts.

    Returns:
        Index `users`, in [−1, 1]; NaN for a user without evidence of any weight, which is no 0: count them.

    Source: arXiv 2606.02437 §5.2 as read in REFERENCE ("mean over that user's content … likes counted at the
    liked post's stance"); the weights are ours.
    """
    last = int(evidence["step"].max()) if len(evidence) else 0
    return user_stance_by_step(evidence, users, [last], weights)[last].rename("stance")


def user_stance_by_step(
    evidence: pd.DataFrame, users: pd.Index, steps: Sequence[int], weights: StanceWeights
) -> pd.DataFrame:
    """`user_stance` of everything up to and including each of `steps`.

    Returns:
        [users × steps], columns in the order of `steps`; NaN as long as a user has no evidence.

    Raises:
        MetricInputError: evidence of a user who is not in `users`.
    """
    moments = sorted(set(steps))
    factor = {POST: weights.post, QUOTE: weights.quote, COMMENT: weights.comment, REPOST: weights.repost}
    factor |= {LIKE: weights.like, DISLIKE: weights.dislike, SEED: weights.seed}
    weight = evidence["kind"].map(factor).to_numpy(dtype=np.float64)
    row = users.get_indexer(pd.Index(evidence["user_id"]))
    if (row < 0).any():
        raise MetricInputError(
            f"user_id: {evidence['user_id'].iloc[int(np.argmin(row))]} is not among the users"
        )
    column = np.searchsorted(moments, evidence["step"].to_numpy(dtype=np.int64))
    told = column < len(moments)
    at = (row[told], column[told])
    total, mass = np.zeros((len(users), len(moments))), np.zeros((len(users), len(moments)))
    np.add.at(mass, at, weight[told])
    np.add.at(total, at, weight[told] * evidence["stance"].to_numpy(dtype=np.float64)[told])
    total, mass = np.cumsum(total, axis=1), np.cumsum(mass, axis=1)
    mean = np.divide(total, mass, out=np.full_like(total, np.nan), where=mass > 0)
    return pd.DataFrame(np.clip(mean, -1.0, 1.0), index=users, columns=moments)[list(steps)]
