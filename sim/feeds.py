"""Feeds: which posts a reader sees, best first. All readers at once, from the state at the step's start.

| kind | order |
| --- | --- |
| `random` | each reader's own random order |
| `hot` | one order for all: sign(s)·log10(max(|s|, 1)) + seconds / 45000, with s = likes − dislikes |
| `following+interest` | first what a followed user wrote or reposted; then by interest; then the newest |

Interest of reader u in post p, from likes, comments, reposts and quotes (definition: ours):

    e_u        how often u engaged with each author, scaled to length 1
    affinity   e_u at p's author                                            ∈ [0, 1]
    kinship    mean of e_u · e_v over the others v who engaged with p       ∈ [0, 1], 0 if there are none
    interest   (affinity + kinship) / 2, in hundredths

`hot` is OASIS's reddit score, under which a lead of one vote weighs no more than none. Interest counts in
hundredths, so that a hair's breadth of it does not beat a newer post. Nobody sees posts of their own. Equal
posts stand in random order, never in order of ids, which would favour whoever acts first.

Source: the score is Reddit's, see A. Salihefendić, "How Reddit ranking algorithms work", 2010.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.errors import FeedError
from sim.feed_state import FeedState, Ints

Floats = NDArray[np.float64]
_Scores = Callable[[FeedState, Ints, np.random.Generator], Floats]

STEP_SECONDS = 3_600
"""One step stands for an hour under the `hot` score: ten times the votes are worth 12.5 steps."""


def hot_score(likes: Ints, dislikes: Ints, created_at: Ints) -> Floats:
    """OASIS's `calculate_hot_score` for posts [P]; time is the step, counted from Reddit's epoch."""
    votes = likes - dislikes
    order = np.sign(votes) * np.log10(np.maximum(np.abs(votes), 1))
    score: Floats = np.round(order + created_at * STEP_SECONDS / 45_000, 7)
    return score


def interest(state: FeedState, readers: Ints) -> Floats:
    """Interest of each reader in each candidate, [R, P], in [0, 1]: the formula above, before rounding."""
    from scipy.sparse import diags_array

    lengths = np.sqrt(state.engagement.power(2).sum(axis=1))
    taste = diags_array(1 / np.where(lengths > 0, lengths, 1)) @ state.engagement
    own = taste[readers]
    shared = (own @ (state.audience @ taste).T).toarray()
    among = state.audience.T.tocsr()[readers].toarray()
    with_herself = (lengths[readers] > 0)[:, None] * among
    others = state.audience.sum(axis=1)[None, :] - among
    kinship = (shared - with_herself) / np.maximum(others, 1)
    affinity = own.toarray()[:, state.authors]
    both: Floats = np.clip((affinity + kinship) / 2, 0, 1)
    return both


def _random(state: FeedState, readers: Ints, rng: np.random.Generator) -> Floats:
    return rng.random((len(readers), len(state.post_ids)))


def _hot(state: FeedState, readers: Ints, rng: np.random.Generator) -> Floats:
    scores = hot_score(state.likes, state.dislikes, state.created_at)
    ranks = _ranks(scores) + rng.random(len(scores))
    return np.repeat(ranks[None, :], len(readers), axis=0)


def _following_interest(state: FeedState, readers: Ints, rng: np.random.Generator) -> Floats:
    followed = (state.follows[readers] @ state.voices).toarray() > 0
    level = np.round(100 * interest(state, readers)) + 101 * followed
    recency = _ranks(state.seen_at)
    scores: Floats = level * (1 + recency.max(initial=0)) + recency + rng.random(level.shape)
    return scores


def _ranks(values: NDArray[np.generic]) -> Floats:
    """Whole numbers from 0 up; equal values have equal ranks."""
    ranks: Floats = np.unique(values, return_inverse=True)[1].astype(np.float64)
    return ranks


FEEDS: Mapping[str, _Scores] = {
    "random": _random,
    "hot": _hot,
    "following+interest": _following_interest,
}


@dataclass(frozen=True, slots=True)
class FeedPolicy:
    """A kind of feed and its measures.

    Args:
        kind: one of `FEEDS`.
        size: posts in one feed, at most; at least 0.
        window: only posts that were written or reposted in the last so many steps; at least 1.

    Raises:
        FeedError: for an unknown kind or a number out of range.
    """

    kind: str
    size: int
    window: int

    def __post_init__(self) -> None:
        if self.kind not in FEEDS:
            raise FeedError(f"feed: got {self.kind!r}; expected one of {', '.join(FEEDS)}")
        for name, value, least in (("size", self.size, 0), ("window", self.window, 1)):
            if value < least:
                raise FeedError(f"feed {self.kind}: {name}: got {value}; expected at least {least}")

    def rank(
        self, state: FeedState, readers: Sequence[int], rng: np.random.Generator
    ) -> list[tuple[int, ...]]:
        """The post ids of each reader's feed, best first.

        Args:
            state: the platform at the start of the step.
            readers: user ids, in the order of the answer.
            rng: of this step's feeds; the same for all conditions.
        """
        if not len(readers) or not self.size or not len(state.post_ids):
            return [() for _ in readers]
        ids = np.asarray(readers, np.int64)
        scores = FEEDS[self.kind](state, ids, rng)
        scores[ids[:, None] == state.authors[None, :]] = -np.inf
        size = min(self.size, scores.shape[1])
        best = np.argpartition(scores, -size, axis=1)[:, -size:]
        values = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-values, axis=1)
        posts = state.post_ids[np.take_along_axis(best, order, axis=1)].tolist()
        lengths = np.isfinite(values).sum(axis=1).tolist()
        return [tuple(row[:length]) for row, length in zip(posts, lengths, strict=True)]
